"""An address of earlier versions, which leads to Results."""

from cnnlib.ui.results.page import redirect

redirect("duel")
