"""Experiments page: a grid or a search over settings, their importance, and the best trial."""

from cnnlib.ui.results import experiments_page as page

page.show()
