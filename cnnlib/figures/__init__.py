"""Figures: a record or an array in, a plotly figure or an SVG out. No streamlit, no torch."""
