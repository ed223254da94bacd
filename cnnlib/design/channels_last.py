"""Designs for which the memory format channels last is not safe in training."""

from __future__ import annotations

from collections.abc import Iterable

from cnnlib.design.layers import Leaf

_SIMD_WIDTH = 8  # float32 values in a register of AVX2


def breaks_channels_last(leaves: Iterable[Leaf]) -> bool:
    """Return whether training in this format on a processor may corrupt memory.

    On a processor without AVX-512, oneDNN of torch 2.15 writes out of bounds in the backward pass
    of a 1x1 convolution with a stride and with 2 to 7 input channels in this format (found with
    glibc's malloc checks; torch.backends.mkldnn.enabled = False avoids it).
    """
    return any(
        layer.kind == "conv2d"
        and layer.kernel_size == (1, 1)
        and layer.stride > 1
        and 1 < layer.in_channels < _SIMD_WIDTH
        for layer in leaves
    )
