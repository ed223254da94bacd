"""The viewer: a process that computes what pages show of networks, so that pages need no torch."""
