"""Measurements: speed, and comparisons with other tools. Nothing in the lab imports this."""
