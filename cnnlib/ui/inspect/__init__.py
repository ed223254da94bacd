"""The Inspect and Convolution pages."""
