"""Two checks on an explanation: does it depend on what was learned, and on what the net uses?

The first compares the map with that of the same network with random weights (Adebayo et al.,
"Sanity checks for saliency maps", NeurIPS 2018). The second deletes pixels in the map's order and
in random orders, and compares how fast the class's probability falls (Petsiuk et al., "RISE",
2018).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from cnnlib.nets.model import Network, build_model
from cnnlib.probe.forward import evaluating
from cnnlib.records.probe import DeletionCurve, RandomisedWeights

if TYPE_CHECKING:
    from cnnlib.probe.attribution.methods import Method

SAME_FROM = 0.9  # rank correlation
LEAST_GAIN = 0.05  # of mean probability
FRACTIONS = np.linspace(0, 1, 11)
RANDOM_ORDERS = 5


def randomised_weights(
    method: Method, net: Network, image: np.ndarray, target: int, seed: int = 0
) -> RandomisedWeights:
    """Does the map stay the same when the weights are drawn anew?"""
    trained = strength(method(net, image, target))
    random = strength(method(build_model(net.plan, seed=seed).eval(), image, target))
    return RandomisedWeights(rank_correlation(trained.ravel(), random.ravel()), SAME_FROM)


def deletion(
    net: Network, image: np.ndarray, target: int, found: np.ndarray, seed: int = 0
) -> DeletionCurve:
    """Delete pixels, the most important first, and see the class's probability fall.

    Args:
        found: A map of any resolution: C x h x w; a deleted pixel becomes grey.
    """
    _, height, width = image.shape
    importance = np.abs(found).sum(axis=0) if len(found) > 1 else found[0]
    importance = enlarged(importance, height, width).ravel()
    random = np.random.default_rng(seed)
    orders = [np.argsort(-importance, kind="stable")]
    orders += [random.permutation(height * width) for _ in range(RANDOM_ORDERS)]
    pictures = np.stack([_deleted(image, order) for order in orders])
    shares = _probabilities(net, pictures.reshape(-1, *image.shape), target)
    curves = shares.reshape(len(orders), len(FRACTIONS))
    return DeletionCurve(FRACTIONS, curves[0], curves[1:], LEAST_GAIN)


def strength(found: np.ndarray) -> np.ndarray:
    """H x W: the size of a map's values, over its channels."""
    return np.abs(found).sum(axis=0)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's, with mean ranks for ties; 1 for two constant maps, 0 for one."""
    from scipy.stats import rankdata

    a, b = (rankdata(values) - (len(values) + 1) / 2 for values in (first, second))
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else float(a @ a == b @ b)


def enlarged(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """H x W: every value of a coarse map over the pixels that it stands for."""
    rows = np.arange(height) * values.shape[0] // height
    columns = np.arange(width) * values.shape[1] // width
    return values[np.ix_(rows, columns)]


def _deleted(image: np.ndarray, order: np.ndarray) -> np.ndarray:
    """F x C x H x W: the picture with more and more pixels grey."""
    found = np.repeat(image[None], len(FRACTIONS), axis=0)
    flat = found.reshape(len(FRACTIONS), len(image), -1)
    for place, fraction in enumerate(FRACTIONS):
        flat[place][:, order[: round(fraction * len(order))]] = 0
    return found


def _probabilities(net: Network, images: np.ndarray, target: int) -> np.ndarray:
    with evaluating(net), torch.inference_mode():
        return net(torch.from_numpy(images)).softmax(dim=1)[:, target].numpy()
