"""The sanity check of attribution maps.

`check_ranking` deletes pixels in the map's order (Petsiuk et al., "RISE", 2018), and in the orders
of two kinds of controls: shifted, turned and mirrored copies of the map, which have its spatial
structure, and the same method's maps of the network with random weights (Adebayo et al., "Sanity
checks for saliency maps", NeurIPS 2018), which know the picture but not what was learned. The map
is informative if the class's probability falls faster than in all of these orders, and clearly. A
map that is exchangeable with one of the two kinds passes in at most 1 of `CONTROLS` + 1 cases.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cnnlib.data.batches import Normaliser
from cnnlib.nets.evaluate import evaluating
from cnnlib.nets.model import Network, build_model
from cnnlib.probe.attribution.methods import completeness, explain
from cnnlib.probe.attribution.result import CONTROLS, FRACTIONS
from cnnlib.probe.forward import check_finite
from cnnlib.probe.pictures import run_pictures
from cnnlib.probe.weights import network, run_at
from cnnlib.records.job import Progress
from cnnlib.records.probe import SanityCheck
from cnnlib.vocabulary.inspection import ATTRIBUTION_METHODS

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from cnnlib.records.folders import Folders

Ranking = Callable[[Network, np.ndarray, int], np.ndarray]
_BATCH = 64


def check_ranking(
    ranking: Ranking, net: Network, image: np.ndarray, target: int, seed: int = 0
) -> Generator[Progress, None, SanityCheck]:
    """Delete pixels in the order of a map, and in control orders.

    Args:
        ranking: Function of a network, a picture and a class that returns the importance of each
            pixel, H x W. It is called for the network and for networks with random weights.
        image: C x H x W, float32, normalised. Deleted pixels become grey.
        seed: Of the controls, and of the order of pixels with equal importance, which is random
            and the same for all maps.
    """
    random = np.random.default_rng(seed)
    importance = ranking(net, image, target)
    copies = [_moved_copy(importance, random) for _ in range(CONTROLS)]
    of_random_weights = []
    for number in range(CONTROLS):
        yield Progress(number / CONTROLS, "computing maps with random weights")
        randomised = build_model(net.plan, seed=seed + number).eval()
        of_random_weights.append(ranking(randomised, image, target))
    ties = random.permutation(importance.size)
    maps = (importance, *copies, *of_random_weights)
    orders = [np.lexsort((ties, -each.ravel())) for each in maps]  # the most important first
    curves = _deletion_curves(net, image, target, orders)
    correlations = [rank_correlation(importance, each) for each in of_random_weights]
    return SanityCheck(
        FRACTIONS,
        ordered=curves[0],
        copies=curves[1 : 1 + CONTROLS],
        random_weights=curves[1 + CONTROLS :],
        correlation=float(np.mean(correlations)),
    )


def ranking_of(method: str) -> Ranking:
    """Return the function that ranks pixels by the maps of an attribution method."""

    def rank(net: Network, image: np.ndarray, target: int) -> np.ndarray:
        attribution = explain(net, image, target, method)
        is_signed = ATTRIBUTION_METHODS[method].is_signed
        values = attribution if is_signed else np.abs(attribution)
        return enlarge(values.sum(axis=0), *image.shape[1:])

    return rank


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Compute Spearman's rank correlation, with mean ranks for ties.

    It is 1 if both maps are constant, and 0 if one of them is.
    """
    from scipy.stats import rankdata

    a, b = (rankdata(values.ravel()) - (values.size + 1) / 2 for values in (first, second))
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else float(a @ a == b @ b)


def enlarge(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Enlarge a coarse map to H x W by nearest neighbours."""
    rows = np.arange(height) * values.shape[0] // height
    columns = np.arange(width) * values.shape[1] // width
    return values[np.ix_(rows, columns)]


def _moved_copy(importance: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Turn, mirror and shift a map at random; what leaves it at one edge enters at the other."""
    height, width = importance.shape
    quarter_turns = int(random.integers(4)) if height == width else 2 * int(random.integers(2))
    turned = np.rot90(importance, quarter_turns)
    mirrored = turned[:, ::-1] if random.integers(2) else turned
    return np.roll(mirrored, (random.integers(height), random.integers(width)), (0, 1))


def _deletion_curves(
    net: Network, image: np.ndarray, target: int, orders: list[np.ndarray]
) -> np.ndarray:
    """Compute the class's probability with each of `FRACTIONS` of the pixels grey: orders x F."""
    size = image[0].size
    counts = np.round(FRACTIONS * size)
    is_kept = np.argsort(orders, axis=1)[:, None] >= counts[:, None]  # orders x F x pixels
    masks = torch.from_numpy(is_kept.reshape(-1, 1, *image.shape[1:]))
    picture = torch.from_numpy(image)
    with evaluating(net), torch.inference_mode():
        logits = torch.cat([net(picture * part) for part in masks.split(_BATCH)])
    check_finite(logits)
    return logits.softmax(dim=1)[:, target].numpy().reshape(len(orders), -1)


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
    target, method = args["target"], args["method"]
    yield Progress(0.0, "computing the attribution map")
    attribution = explain(net, image, target, method)
    total = completeness(net, image, target, method, attribution)
    check = yield from check_ranking(ranking_of(method), net, image, target)
    return {
        "shape": list(attribution.shape),
        "map": base64.b64encode(attribution.astype("<f4").tobytes()).decode(),
        "completeness": total and asdict(total),
        "check": check.to_dict(),
    }
