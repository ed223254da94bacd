"""The Inspect and Convolution pages: look inside a network."""
