"""The Build page: design a network and see its exact cost."""
