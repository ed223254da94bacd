"""Random changes to training pictures: each picture its own, a whole batch in one gather."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from cnnlib.records.recipe import Augmentation


def augment(
    images: Tensor, augmentation: Augmentation, generator: torch.Generator, fill: Tensor
) -> Tensor:
    """Mirror, shift and cover pictures at random.

    Every pixel of the result is looked up in its picture, which stands in a border of zeros and has
    one pixel more, the colour of the cutout. So all three changes together are one gather.

    Args:
        images: N x C x H x W, uint8 or float, on any device.
        generator: Where the random numbers come from. They are drawn on its device: one on the CPU
            gives the same pictures whatever device the images are on.
        fill: C values in the scale of ``images``: the colour of the cutout. The mean of the
            training pictures is 0 once normalised, which is the square of zeros of DeVries and
            Taylor (2017).

    Returns:
        A new tensor like ``images``; ``images`` itself where the augmentation does nothing.
    """
    if augmentation == Augmentation():
        return images
    count, channels, height, width = images.shape
    shift = augmentation.shift
    bordered = pad(images, (shift,) * 4).flatten(2)  # N x C x (H + 2 shift)(W + 2 shift)
    colour = fill.to(images).view(1, channels, 1).expand(count, -1, 1)
    looked_up = _rows_and_columns(augmentation, (count, height, width), generator)
    rows, columns = (index.to(images.device) for index in looked_up)
    pixels = (rows * (width + 2 * shift)).unsqueeze(2) + columns.unsqueeze(1)  # N x H x W
    if augmentation.cutout:
        bordered = torch.cat([bordered, colour], dim=2)
        inside = _inside(augmentation.cutout, (count, height, width), generator)
        rows, columns = (index.to(images.device) for index in inside)
        pixels.masked_fill_(rows.unsqueeze(2) & columns.unsqueeze(1), bordered.shape[2] - 1)
    pixels = pixels.view(count, 1, -1).expand(-1, channels, -1)
    return bordered.gather(2, pixels).view(images.shape)


def _rows_and_columns(
    augmentation: Augmentation, shape: tuple[int, int, int], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Where in the bordered picture each row (N x H) and each column (N x W) of the result lies."""
    count, height, width = shape
    device = generator.device
    rows = torch.arange(height, device=device).expand(count, -1)
    columns = torch.arange(width, device=device).expand(count, -1)
    if augmentation.flip:
        mirrored = torch.randint(2, (count, 1), generator=generator, device=device)
        columns = torch.where(mirrored.bool(), width - 1 - columns, columns)
    if augmentation.shift:
        places = 2 * augmentation.shift + 1
        by = torch.randint(places, (count, 2, 1), generator=generator, device=device)
        rows, columns = rows + by[:, 0], columns + by[:, 1]
    return rows, columns


def _inside(
    side: int, shape: tuple[int, int, int], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Which rows (N x H) and columns (N x W) a square around a random pixel covers.

    What of the square lies outside of the picture is lost.
    """
    count, *sizes = shape
    inside = []
    for size in sizes:
        centre = torch.randint(size, (count, 1), generator=generator, device=generator.device)
        offset = torch.arange(size, device=generator.device) - (centre - side // 2)
        inside.append((offset >= 0) & (offset < side))
    return inside[0], inside[1]
