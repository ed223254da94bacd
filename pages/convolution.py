"""Convolution page: slide a kernel over a picture and see every number of the sum."""

from cnnlib.ui.inspect import convolution_page as page

page.show()
