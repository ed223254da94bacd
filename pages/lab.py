"""Home page: an introduction, one button that trains a network, and the latest runs."""

from cnnlib.ui.lab import page

page.show()
