"""The first tab of Look inside by its old address: the convolution, step by step."""

from cnnlib.ui.inspect import page

page.show(first=page.CONVOLUTION)
