"""Datasets: what is there, a prepared copy of each, splits, and batches on the training device."""
