"""Attribution maps of a score, and sanity checks of them."""
