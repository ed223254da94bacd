"""Inspect: look inside a trained network, at any moment of its training."""

from cnnlib.ui.inspect import page

page.show()
