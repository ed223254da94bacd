"""Results: designs with what they are worth and how sure that is; what is selected, compared."""

from cnnlib.ui.results import page

page.show()
