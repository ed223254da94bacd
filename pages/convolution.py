"""Convolution page: slide a kernel over a picture and see every number of the sum."""

from cnnlib.ui.inspect import convolution as page

page.show()
