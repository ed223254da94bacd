"""Runs with their files as one zip archive: written, checked and read."""
