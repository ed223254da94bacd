"""The Data page: datasets, their pictures and statistics, and uploads."""
