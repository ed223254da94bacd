"""Training: a generator of events, and the modules that it uses."""
