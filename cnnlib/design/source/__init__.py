"""A design as PyTorch source that needs nothing else from the lab."""
