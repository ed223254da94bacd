"""Random variants of pictures, as a training with augmentation sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from cnnlib.data.augment import augment
from cnnlib.data.batches import Normaliser

if TYPE_CHECKING:
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.recipe import Augmentation


def augmented(
    pictures: np.ndarray, info: DatasetInfo, options: Augmentation, seed: int, variants: int
) -> np.ndarray:
    """Augment pictures; of the variants of each, the first is the picture itself.

    Args:
        pictures: N x C x H x W, uint8.
        info: Of their dataset, for the colour of the cutout.
        variants: Pictures in the result for each picture.

    Returns:
        (N * variants) x C x H x W, uint8, the variants of a picture one after the other.
    """
    originals = torch.from_numpy(np.array(pictures))
    repeated = originals.repeat_interleave(variants, dim=0)
    generator = torch.Generator().manual_seed(seed)
    fill = Normaliser(info, "cpu").mean_colour
    changed = augment(repeated, options, generator, fill).clone()
    changed[::variants] = originals
    return changed.numpy()
