"""Compare: what changes from one design to another, and a duel that says which is better."""

from cnnlib.ui.results import compare_page as page

page.show()
