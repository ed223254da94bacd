"""The Draw page: draw a digit and see how trained networks classify it."""
