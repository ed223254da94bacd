"""Inspect page: the inside of a trained network, at any saved step of its training."""

from cnnlib.ui.inspect import page

page.show()
