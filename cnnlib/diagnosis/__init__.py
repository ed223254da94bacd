"""Diagnoses of runs: rules, causes and the notes of the engine, as text."""
