"""Train page: choose a design, a dataset and a recipe; then watch and control the training."""

from cnnlib.ui.train import page

page.show()
