"""Benchmarks: speed, and comparisons with other tools. The lab itself imports nothing of it."""
