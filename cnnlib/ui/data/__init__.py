"""The Data page: what a dataset holds, and people's own pictures."""
