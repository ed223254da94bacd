"""Execution of training: device, threads, precision, memory and time."""
