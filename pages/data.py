"""Data: what there is to train on, what it looks like, and people's own pictures."""

from cnnlib.ui.data import page

page.show()
