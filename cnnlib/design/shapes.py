"""Sizes of feature maps after a convolution or a pooling."""

from __future__ import annotations


def reach(kernel_size: int, dilation: int = 1) -> int:
    """Return the side of a dilated window, in pixels.

    Example:
        >>> reach(3, dilation=2)
        5
    """
    return dilation * (kernel_size - 1) + 1


def output_size(
    size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> int:
    """Compute the height or width of a feature map after a convolution or a pooling.

    Follows ``torch.nn.Conv2d``: the window must fit inside the padded input, so a remainder at the
    right and bottom edge is dropped.

    Args:
        size: Height or width of the input, in pixels.
        padding: Pixels added on each side (so 2 * padding in all).

    Returns:
        Pixels; less than 1 where the window does not fit.

    Example:
        >>> output_size(32, kernel_size=3, stride=2)
        15
    """
    return (size + 2 * padding - reach(kernel_size, dilation)) // stride + 1
