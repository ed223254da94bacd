"""Train: choose a design, a dataset and a recipe; then watch the training and steer it."""

from cnnlib.ui.train import page

page.show()
