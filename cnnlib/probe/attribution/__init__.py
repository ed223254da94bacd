"""Attribution: which pixels a score depends on, and checks of the maps."""
