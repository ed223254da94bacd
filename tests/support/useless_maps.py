"""Maps that carry nothing of what a network learned: the sanity check must not approve them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from cnnlib.nets.model import Network
    from cnnlib.probe.attribution.sanity_checks import Ranking


def edges(net: Network, image: np.ndarray, target: int) -> np.ndarray:
    """Return the edges of a picture: they show where the object is, to every network."""
    steps = (np.abs(np.diff(image, axis=axis, append=0)) for axis in (1, 2))
    return sum(steps).sum(axis=0)


def useless_rankings(seed: int) -> dict[str, Ranking]:
    """Return rankings by name; those with noise draw it anew in each call."""
    random = np.random.default_rng((seed, 1))  # not the stream of the check with this seed

    def noise(net: Network, image: np.ndarray, target: int) -> np.ndarray:
        return random.normal(size=image.shape[1:])

    def constant(net: Network, image: np.ndarray, target: int) -> np.ndarray:
        return np.ones(image.shape[1:])

    def blurred_noise(net: Network, image: np.ndarray, target: int) -> np.ndarray:
        return gaussian_filter(noise(net, image, target), 3)

    def centred_blob(net: Network, image: np.ndarray, target: int) -> np.ndarray:
        height, width = image.shape[1:]
        rows, columns = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
        return -(rows[:, None] ** 2 + columns**2)

    def noisy_edges(net: Network, image: np.ndarray, target: int) -> np.ndarray:
        found = edges(net, image, target)
        return found + found.std() * noise(net, image, target)

    def noisy_blob(net: Network, image: np.ndarray, target: int) -> np.ndarray:
        found = centred_blob(net, image, target)
        return found + found.std() * blurred_noise(net, image, target) * 10

    return {
        "white noise": noise,
        "constant": constant,
        "edges of the picture": edges,
        "blurred noise": blurred_noise,
        "centred blob": centred_blob,
        "edges with noise": noisy_edges,
        "centred blob with noise": noisy_blob,
    }
