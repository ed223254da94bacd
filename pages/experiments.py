"""Experiments: vary settings over a grid or search for the best; what mattered, and the answer."""

from cnnlib.ui.results import experiments_page as page

page.show()
