"""Build: describe a network, see its size before training it."""

from cnnlib.ui.build import page

page.show()
