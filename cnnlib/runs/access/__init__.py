"""Who may do what: limits of class mode, and the owners of runs and datasets."""
