"""Two sanity checks of attribution maps.

`randomised_weights` compares the map with that of the same network with random weights (Adebayo et
al., "Sanity checks for saliency maps", NeurIPS 2018). `deletion` deletes pixels in the map's order
and in random orders, and compares how fast the class's probability falls (Petsiuk et al., "RISE",
2018).
"""

from __future__ import annotations

import base64
from collections.abc import Generator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from cnnlib.data.batches import Normaliser
from cnnlib.nets.evaluate import evaluating
from cnnlib.nets.model import Network, build_model
from cnnlib.probe.attribution.methods import METHODS, Method, explain
from cnnlib.probe.pictures import run_pictures
from cnnlib.probe.weights import network, run_at
from cnnlib.records.folders import Folders
from cnnlib.records.job import Progress
from cnnlib.records.probe import DeletionCurve, RandomisedWeights

SAME_FROM = 0.9  # rank correlation from which two maps count as the same
LEAST_GAIN = 0.05  # of mean probability
FRACTIONS = np.linspace(0, 1, 11)
RANDOM_ORDERS = 5


def randomised_weights(
    method: Method, net: Network, image: np.ndarray, target: int, seed: int = 0
) -> RandomisedWeights:
    """Correlate the map of the network with that of the same network with random weights."""
    trained = magnitude(method(net, image, target))
    random = magnitude(method(build_model(net.plan, seed=seed).eval(), image, target))
    return RandomisedWeights(rank_correlation(trained.ravel(), random.ravel()), SAME_FROM)


def deletion(
    net: Network, image: np.ndarray, target: int, attribution: np.ndarray, seed: int = 0
) -> DeletionCurve:
    """Measure the class's probability while pixels are deleted, the most important first.

    Args:
        attribution: A map of any resolution: C x h x w. Deleted pixels become grey.
    """
    _, height, width = image.shape
    importance = np.abs(attribution).sum(axis=0) if len(attribution) > 1 else attribution[0]
    importance = enlarge(importance, height, width).ravel()
    random = np.random.default_rng(seed)
    orders = [np.argsort(-importance, kind="stable")]
    orders += [random.permutation(height * width) for _ in range(RANDOM_ORDERS)]
    pictures = np.stack([_delete_pixels(image, order) for order in orders])
    probabilities = _probabilities(net, pictures.reshape(-1, *image.shape), target)
    curves = probabilities.reshape(len(orders), len(FRACTIONS))
    return DeletionCurve(FRACTIONS, curves[0], curves[1:], LEAST_GAIN)


def magnitude(attribution: np.ndarray) -> np.ndarray:
    """Sum the absolute values of a map over its channels: H x W."""
    return np.abs(attribution).sum(axis=0)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Compute Spearman's rank correlation, with mean ranks for ties.

    It is 1 if both maps are constant, and 0 if one of them is.
    """
    from scipy.stats import rankdata

    a, b = (rankdata(values) - (len(values) + 1) / 2 for values in (first, second))
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else float(a @ a == b @ b)


def enlarge(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Enlarge a coarse map to H x W by nearest neighbours."""
    rows = np.arange(height) * values.shape[0] // height
    columns = np.arange(width) * values.shape[1] // width
    return values[np.ix_(rows, columns)]


def _delete_pixels(image: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return the picture with each of `FRACTIONS` of its pixels grey: F x C x H x W."""
    pictures = np.repeat(image[None], len(FRACTIONS), axis=0)
    flat = pictures.reshape(len(FRACTIONS), len(image), -1)
    for index, fraction in enumerate(FRACTIONS):
        flat[index][:, order[: round(fraction * len(order))]] = 0
    return pictures


def _probabilities(net: Network, images: np.ndarray, target: int) -> np.ndarray:
    with evaluating(net), torch.inference_mode():
        return net(torch.from_numpy(images)).softmax(dim=1)[:, target].numpy()


def explain_answer(
    args: Mapping[str, Any], folders: Folders
) -> Generator[Progress, None, dict[str, Any]]:
    """Run the job ``explain``: ``{"run", "step", "method", "target", "pixels": base64 of uint8}``.

    Returns:
        The result as JSON values, for `cnnlib.probe.attribution.result.read_explanation`.

    Raises:
        CnnlibError: The run, its weights or its dataset are missing, or the method does not apply.
    """
    run, _, trained = run_at(folders, args["run"], args["step"])
    net = network(run.request.spec, trained)
    info = run_pictures(run, folders).info
    pixels = np.frombuffer(base64.b64decode(args["pixels"]), np.uint8).reshape(info.in_size)
    image = Normaliser(info, "cpu")(torch.from_numpy(pixels.copy())[None]).numpy()[0]
    yield Progress(0.0, "computing the attribution map")
    attribution = explain(net, image, args["target"], args["method"])
    yield Progress(0.4, "computing the map with random weights")
    weights = randomised_weights(METHODS[args["method"]], net, image, args["target"])
    yield Progress(0.8, "deleting pixels")
    curve = deletion(net, image, args["target"], attribution)
    return {
        "shape": list(attribution.shape),
        "map": base64.b64encode(attribution.astype("<f4").tobytes()).decode(),
        "weights": asdict(weights),
        "curve": {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in asdict(curve).items()
        },
    }
