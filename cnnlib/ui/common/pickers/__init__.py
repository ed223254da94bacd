"""Widgets to choose a dataset, a design, a layer or a picture."""
