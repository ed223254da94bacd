"""Records that the layers exchange: requests, events, results, settings and datasets."""
