"""Experiments of several runs: duels, grids and searches, and their verdicts."""
