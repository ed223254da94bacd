"""Compare page: the differences of two designs, and a duel that decides which is better."""

from cnnlib.ui.results import compare_page as page

page.show()
