"""Draw page: a digit drawn with the mouse, the prepared picture, and the networks' answers."""

from cnnlib.ui.draw import page

page.show()
