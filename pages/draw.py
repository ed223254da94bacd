"""Draw: a digit drawn with the mouse, what networks see of it, and what they say."""

from cnnlib.ui.draw import page

page.show()
