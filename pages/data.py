"""Data page: the datasets, samples of each, and the upload of own pictures."""

from cnnlib.ui.data import page

page.show()
