"""Random augmentation of training pictures, drawn per picture, with one gather per batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from cnnlib.records.recipe import Augmentation


def augment(
    images: Tensor, augmentation: Augmentation, generator: torch.Generator, fill: Tensor
) -> Tensor:
    """Flip, shift and cut out pictures at random.

    Each picture is padded with zeros, and one pixel with the colour of the cutout is appended; the
    result is one gather of all its pixels.

    Args:
        images: N x C x H x W, uint8 or float, on any device.
        generator: Random generator. Numbers are drawn on its device: a generator on the CPU gives
            the same pictures for images on any device.
        fill: C values in the scale of ``images``: the colour of the cutout. The mean of the
            training pictures is 0 after normalisation, as the zero mask of DeVries and Taylor
            (2017).

    Returns:
        A new tensor like ``images``; ``images`` itself if the augmentation is empty.
    """
    if augmentation == Augmentation():
        return images
    count, channels, height, width = images.shape
    shift = augmentation.shift
    bordered = pad(images, (shift,) * 4).flatten(2)  # N x C x (H + 2 shift)(W + 2 shift)
    colour = fill.to(images).view(1, channels, 1).expand(count, -1, 1)
    sources = _source_indices(augmentation, (count, height, width), generator)
    rows, columns = (index.to(images.device) for index in sources)
    pixels = (rows * (width + 2 * shift)).unsqueeze(2) + columns.unsqueeze(1)  # N x H x W
    if augmentation.cutout:
        bordered = torch.cat([bordered, colour], dim=2)
        covered = _cutout_masks(augmentation.cutout, (count, height, width), generator)
        rows, columns = (mask.to(images.device) for mask in covered)
        pixels.masked_fill_(rows.unsqueeze(2) & columns.unsqueeze(1), bordered.shape[2] - 1)
    pixels = pixels.view(count, 1, -1).expand(-1, channels, -1)
    return bordered.gather(2, pixels).view(images.shape)


def _source_indices(
    augmentation: Augmentation, shape: tuple[int, int, int], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return the padded picture's row (N x H) and column (N x W) of each pixel of the result."""
    count, height, width = shape
    device = generator.device
    rows = torch.arange(height, device=device).expand(count, -1)
    columns = torch.arange(width, device=device).expand(count, -1)
    if augmentation.flip:
        mirrored = torch.randint(2, (count, 1), generator=generator, device=device)
        columns = torch.where(mirrored.bool(), width - 1 - columns, columns)
    if augmentation.shift:
        shifts = 2 * augmentation.shift + 1
        offsets = torch.randint(shifts, (count, 2, 1), generator=generator, device=device)
        rows, columns = rows + offsets[:, 0], columns + offsets[:, 1]
    return rows, columns


def _cutout_masks(
    side: int, shape: tuple[int, int, int], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return masks of the rows (N x H) and columns (N x W) of a square around a random pixel.

    The square is clipped at the picture's edges.
    """
    count, *sizes = shape
    masks = []
    for size in sizes:
        centre = torch.randint(size, (count, 1), generator=generator, device=generator.device)
        offset = torch.arange(size, device=generator.device) - (centre - side // 2)
        masks.append((offset >= 0) & (offset < side))
    return masks[0], masks[1]
