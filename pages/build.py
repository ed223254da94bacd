"""Build page: describe a network and see its size before training it."""

from cnnlib.ui.build import page

page.show()
