"""The Home page: one button that trains a network, and the latest runs."""
