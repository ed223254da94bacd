"""Does a picture look like any of the classes? A distance, and its error rates on real junk.

The score is the distance of Lee et al., "A simple unified framework for detecting
out-of-distribution samples" (NeurIPS 2018): each class is a Gaussian in the features before the
last layer, all with one covariance; a picture is as strange as its distance to the nearest middle.
The threshold is set by real pictures alone, so that every kind of junk is new to it.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cnnlib.data.batches import Normaliser
from cnnlib.data.prepared import Prepared
from cnnlib.errors import ProbeError
from cnnlib.nets.model import Network
from cnnlib.probe.forward import evaluating
from cnnlib.probe.junk import NOISE, SCRIBBLES, noise, scribbles
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.familiarity import CALLED_STRANGE, Familiarity, JunkRate
from cnnlib.records.job import Progress

FITTED_ON, CALIBRATED_ON = 10_000, 5_000  # training pictures, at most
TESTED_ON, JUNK_COUNT = 5_000, 1_000
_BATCH = 250
_RIDGE = 1e-3  # of the mean variance: features that never change have none
_QUANTILES = 1_001


def familiarity_file(folder: Path, step: int) -> Path:
    """Where a run keeps what was measured at a step."""
    return folder / f"familiarity-{step}.npz"


def features(net: Network, info: DatasetInfo, pictures: np.ndarray) -> np.ndarray:
    """What the last layer is given: N x features, float64.

    Args:
        pictures: N x C x H x W, uint8.
    """
    before_last = nn.Sequential(net.features, *list(net.classifier)[:-1])
    normalise = Normaliser(info, "cpu")
    found = []
    with evaluating(net), torch.inference_mode():
        for part in _parts(pictures):
            images = normalise(torch.from_numpy(np.ascontiguousarray(part)))
            found.append(before_last(images).flatten(1).double().numpy())
    return np.concatenate(found)


def distances(familiarity: Familiarity, found: np.ndarray) -> np.ndarray:
    """Of N x features to the nearest class: N, float64, in standard deviations."""
    white = found @ familiarity.whitening
    away = white[:, None, :] - familiarity.means[None]
    return np.sqrt((away**2).sum(axis=2)).min(axis=1)


def distance(familiarity: Familiarity, net: Network, info: DatasetInfo, picture: np.ndarray):
    """Of one picture (C x H x W, uint8) to the nearest class."""
    return float(distances(familiarity, features(net, info, picture[None]))[0])


def measure(
    net: Network, prepared: Prepared, others: Mapping[str, np.ndarray], seed: int = 0
) -> Generator[Progress, None, Familiarity]:
    """Fit the distance on training pictures, and measure how often it is wrong.

    Args:
        others: Pictures of other datasets by name, as junk: N x C x H x W, uint8, of the net's
            input size.

    Raises:
        ProbeError: There are too few training pictures, or none to test on.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(prepared.train_labels))
    fitted = np.sort(order[: min(FITTED_ON, 2 * len(order) // 3)])
    calibrated = np.sort(order[len(fitted) :][:CALIBRATED_ON])
    tested = np.sort(rng.permutation(len(prepared.test_labels))[:TESTED_ON])
    if len(calibrated) < 20 or not len(tested):
        raise ProbeError(
            f"{prepared.info.name} has {len(order):,} pictures to train and "
            f"{len(prepared.test_labels):,} to test, and 60 and 1 are needed to say what is "
            "unlike them. Use a larger dataset."
        )
    yield Progress(0.05, "looking at training pictures")
    means, whitening = _gaussians(
        features(net, prepared.info, prepared.train_images[fitted]), prepared.train_labels[fitted]
    )
    bare = Familiarity(means, whitening, np.zeros(1), 0.0, 0, 0.0, {})
    yield Progress(0.5, "setting the threshold")
    known = _of(bare, net, prepared, prepared.train_images[calibrated])
    threshold = float(np.quantile(known, 1 - CALLED_STRANGE))
    yield Progress(0.7, "looking at test pictures")
    real = _of(bare, net, prepared, prepared.test_images[tested])
    junk = {}
    for kind, pictures in _junk(prepared.info, others, seed):
        yield Progress(0.85, f"looking at junk: {kind}")
        found = _of(bare, net, prepared, pictures)
        junk[kind] = JunkRate(len(pictures), float((found <= threshold).mean()))
    quantiles = np.quantile(known, np.linspace(0, 1, _QUANTILES))
    alarms = float((real > threshold).mean())
    return Familiarity(means, whitening, quantiles, threshold, len(tested), alarms, junk)


def write_familiarity(path: Path, found: Familiarity) -> None:
    """Write what was measured, whole or not at all."""
    junk = {kind: asdict(rate) for kind, rate in found.junk.items()}
    facts = {
        "threshold": found.threshold,
        "real_count": found.real_count,
        "false_alarms": found.false_alarms,
        "junk": junk,
    }
    temporary = path.with_suffix(".tmp.npz")
    np.savez(
        temporary,
        means=found.means.astype(np.float32),
        whitening=found.whitening.astype(np.float32),
        quantiles=found.quantiles,
        facts=np.frombuffer(json.dumps(facts).encode(), np.uint8),
    )
    temporary.replace(path)


def read_familiarity(path: Path) -> Familiarity | None:
    """What was measured; None where nothing was, or the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            facts = json.loads(file["facts"].tobytes())
            junk = {kind: JunkRate(**rate) for kind, rate in facts.pop("junk").items()}
            arrays = {name: file[name] for name in ("means", "whitening", "quantiles")}
            return Familiarity(**arrays, **facts, junk=junk)
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None


def _gaussians(found: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middles of the classes, whitened, and the matrix that whitens."""
    classes = np.unique(labels)
    means = np.stack([found[labels == label].mean(axis=0) for label in classes])
    centred = found - means[np.searchsorted(classes, labels)]
    covariance = centred.T @ centred / len(found)
    size = len(covariance)
    covariance += (_RIDGE * np.trace(covariance) / size + 1e-12) * np.eye(size)
    values, vectors = np.linalg.eigh(covariance)
    whitening = vectors / np.sqrt(values)
    return means @ whitening, whitening


def _of(bare: Familiarity, net: Network, prepared: Prepared, pictures: np.ndarray) -> np.ndarray:
    return distances(bare, features(net, prepared.info, pictures))


def _junk(
    info: DatasetInfo, others: Mapping[str, np.ndarray], seed: int
) -> Iterator[tuple[str, np.ndarray]]:
    yield SCRIBBLES, scribbles(JUNK_COUNT, info.in_size, seed)
    yield NOISE, noise(JUNK_COUNT, info.in_size, seed)
    for name, pictures in others.items():
        yield name, pictures[:JUNK_COUNT]


def _parts(pictures: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(pictures), _BATCH):
        yield pictures[start : start + _BATCH]
