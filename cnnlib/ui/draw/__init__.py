"""The Draw page: draw a digit and see what networks answer."""
