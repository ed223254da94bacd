"""Out-of-distribution score of a picture, and the error rates of a threshold on it.

The score is that of Sun et al., "Out-of-distribution detection with deep nearest neighbors" (ICML
2022): the distance to the nearest training picture, of features before the last layer, scaled to
length 1. The threshold is a quantile of the scores of training pictures; out-of-distribution
pictures are used to measure its error rates only.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import nn

from cnnlib.data.batches import Normaliser
from cnnlib.data.prepared import Prepared, is_prepared, load_prepared
from cnnlib.errors import ProbeError
from cnnlib.nets.evaluate import evaluating
from cnnlib.probe.drawing import prepare_drawing
from cnnlib.probe.forward import check_finite
from cnnlib.probe.ood.detector_file import ood_file, write_ood_detector
from cnnlib.probe.pictures import run_pictures
from cnnlib.probe.weights import network, run_at
from cnnlib.records.folders import run_key
from cnnlib.records.job import Progress
from cnnlib.records.probe import OOD_FRACTION, OodDetector, OodErrorRate
from cnnlib.records.stored.opening import open_files
from cnnlib.units import plural

if TYPE_CHECKING:
    from cnnlib.nets.model import Network
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.folders import Folders

KNOWN, CALIBRATION_COUNT = 6_000, 2_000  # training pictures, at most
TEST_COUNT, OOD_COUNT = 2_000, 1_000  # test pictures, at most; pictures of each kind
_BATCH = 250
_QUANTILES = 1_001


def features(net: Network, info: DatasetInfo, pictures: np.ndarray) -> np.ndarray:
    """Compute the inputs of the last layer, scaled to length 1: N x features, float32.

    Args:
        pictures: N x C x H x W, uint8.
    """
    batches = [
        features_and_probabilities(net, info, pictures[start : start + _BATCH])[0]
        for start in range(0, len(pictures), _BATCH)
    ]
    return np.concatenate(batches)


def features_and_probabilities(
    net: Network, info: DatasetInfo, pictures: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the inputs of the last layer, scaled to length 1, and the class probabilities.

    Args:
        pictures: N x C x H x W, uint8, for one pass.

    Returns:
        N x features, float32, and N x classes, float64.
    """
    *before_last, last = net.classifier
    with evaluating(net), torch.inference_mode():
        images = Normaliser(info, "cpu")(torch.from_numpy(np.array(pictures)))
        outputs = nn.Sequential(net.features, *before_last)(images)
        rows, probabilities = outputs.flatten(1).numpy(), last(outputs).double().softmax(dim=1)
    check_finite(rows)
    return rows / np.maximum(
        np.linalg.norm(rows, axis=1, keepdims=True), 1e-12
    ), probabilities.numpy()


def distances(known: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Compute the distance of each row of ``queries`` to the nearest row of ``known``.

    All rows have length 1.
    """
    nearest = [
        (queries[start : start + _BATCH] @ known.T).max(axis=1)
        for start in range(0, len(queries), _BATCH)
    ]
    # |a - b|^2 = 2 - 2 a.b for vectors of length 1; rounding can make it negative.
    return np.sqrt(np.maximum(2 - 2 * np.concatenate(nearest), 0))


def distance(detector: OodDetector, net: Network, info: DatasetInfo, picture: np.ndarray) -> float:
    """Compute the distance of one picture (C x H x W, uint8) to the nearest training picture."""
    return float(distances(detector.known, features(net, info, picture[None]))[0])


def measure_ood_detector(
    net: Network,
    prepared: Prepared,
    others: Mapping[str, np.ndarray],
    seed: int = 0,
    ood_count: int = OOD_COUNT,
) -> Generator[Progress, None, OodDetector]:
    """Build a detector from features of training pictures, and measure its error rates.

    Args:
        others: Out-of-distribution pictures of other datasets, by name: N x C x H x W, uint8, of
            the network's input size.
        ood_count: Pictures of each out-of-distribution kind.

    Raises:
        ProbeError: There are too few training pictures, or no test pictures.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(prepared.train_labels))
    known = np.sort(order[: min(KNOWN, 2 * len(order) // 3)])
    calibration = np.sort(order[len(known) :][:CALIBRATION_COUNT])
    tested = np.sort(rng.permutation(len(prepared.test_labels))[:TEST_COUNT])
    if len(calibration) < 20 or not len(tested):
        raise ProbeError(
            f"{prepared.info.name} has {plural(len(order), 'training picture')} and "
            f"{plural(len(prepared.test_labels), 'test picture')}, but the out-of-distribution "
            "check needs at least 60 and 1. Use a run on a larger dataset."
        )
    yield Progress(0.02, "computing features of training pictures")
    bank = features(net, prepared.info, prepared.train_images[known])

    def score(pictures: np.ndarray) -> np.ndarray:
        return distances(bank, features(net, prepared.info, pictures))

    yield Progress(0.5, "setting the threshold")
    calibration_scores = score(prepared.train_images[calibration])
    threshold = float(np.quantile(calibration_scores, 1 - OOD_FRACTION))
    yield Progress(0.65, "measuring test pictures")
    false_alarms = float((score(prepared.test_images[tested]) > threshold).mean())
    error_rates = {}
    for kind, pictures in _ood_pictures(prepared.info, others, seed, ood_count):
        yield Progress(0.8, f"measuring out-of-distribution pictures: {kind}")
        missed = float((score(pictures) <= threshold).mean())
        error_rates[kind] = OodErrorRate(len(pictures), missed)
    quantiles = np.quantile(calibration_scores, np.linspace(0, 1, _QUANTILES))
    return OodDetector(bank, quantiles, threshold, len(tested), false_alarms, error_rates)


def _ood_pictures(
    info: DatasetInfo, others: Mapping[str, np.ndarray], seed: int, count: int
) -> Generator[tuple[str, np.ndarray]]:
    yield SCRIBBLES, scribbles(count, info.in_size, seed)
    yield NOISE, noise(count, info.in_size, seed)
    for name, pictures in others.items():
        yield name, pictures[:count]


SCRIBBLES, NOISE = "random strokes", "noise"
_PAD = 112  # side in pixels, reduced by averaging
_POINTS = 40  # per stroke


def noise(count: int, in_size: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Draw pictures of independent uniform values: count x C x H x W, uint8."""
    return np.random.default_rng(seed).integers(0, 256, (count, *in_size), dtype=np.uint8)


def scribbles(count: int, in_size: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Draw pictures of 2 to 5 random strokes, prepared as drawings: count x C x H x W, uint8."""
    rng = np.random.default_rng(seed)
    pads = (scribble(rng) for _ in range(count))
    return np.stack([prepare_drawing(pad, in_size).picture for pad in pads])


def scribble(rng: np.random.Generator) -> np.ndarray:
    """Draw 2 to 5 random strokes: H x W, uint8, light on black."""
    pad = Image.new("L", (_PAD, _PAD))
    pen = ImageDraw.Draw(pad)
    width = int(rng.integers(5, 12))
    for _ in range(rng.integers(2, 6)):
        pen.line(_stroke(rng), fill=255, width=width, joint="curve")
    return np.asarray(pad)


def _stroke(rng: np.random.Generator) -> list[tuple[float, float]]:
    """Sample a cubic Bézier curve with four random control points."""
    controls = rng.uniform(8, _PAD - 8, (4, 2))
    t = np.linspace(0, 1, _POINTS)[:, None]
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    points = sum(weight * control for weight, control in zip(weights, controls, strict=True))
    return [tuple(point) for point in points]


_OOD_DATASETS = {"mnist": "fashion-mnist", "digits": "fashion-mnist", "fashion-mnist": "mnist"}


def measure_ood(
    args: Mapping[str, Any], folders: Folders
) -> Generator[Progress, None, Mapping[str, Any]]:
    """Measure and store the detector of a run, at the default step of `run_at`: ``{"run": ...}``.

    Returns:
        ``{"false_alarms": ..., "missed": {kind: share}}``.

    Raises:
        CnnlibError: The run, its weights or its dataset are missing.
    """
    run, step, weights = run_at(folders, args["run"])
    net = network(run.request.spec, weights)
    prepared = run_pictures(run, folders)
    detector = yield from measure_ood_detector(net, prepared, _others(run.request.dataset, folders))
    key = run_key(run.id, ood_file(step))
    write_ood_detector(folders.runs / key, detector)
    open_files(folders).put(key, folders.runs / key)
    missed = {kind: rate.missed for kind, rate in detector.error_rates.items()}
    return {"false_alarms": detector.false_alarms, "missed": missed}


def _others(dataset: str, folders: Folders) -> dict[str, np.ndarray]:
    """Load the pictures of a dataset with other classes, if there is a prepared copy."""
    other = _OOD_DATASETS.get(dataset, "")
    if not other or not is_prepared(other, folders):
        return {}
    prepared = load_prepared(other, folders)
    return {prepared.info.title: prepared.test_images}
