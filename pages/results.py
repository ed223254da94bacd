"""Results page: designs with accuracy and its uncertainty, and a comparison of selected ones."""

from cnnlib.ui.results import page

page.show()
