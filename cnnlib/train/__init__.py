"""Training: one generator of records, and the small parts that it calls."""
