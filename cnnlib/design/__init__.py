"""What a network is, without torch: the spec that a person asks for, and what follows from it."""
