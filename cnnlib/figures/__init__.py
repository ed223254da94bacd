"""Figures: plotly figures and SVG from records and arrays, without streamlit and torch."""
