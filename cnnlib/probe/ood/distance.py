"""Does a picture look like any of the classes? A distance, and its error rates on real junk.

The score is that of Sun et al., "Out-of-distribution detection with deep nearest neighbors" (ICML
2022): features before the last layer are brought to length 1, and a picture is as strange as its
distance to the nearest training picture. The threshold is set by real pictures alone, so that every
kind of junk is new to it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from cnnlib.data.batches import Normaliser
from cnnlib.errors import ProbeError
from cnnlib.probe.forward import evaluating
from cnnlib.probe.ood.samples import NOISE, SCRIBBLES, noise, scribbles
from cnnlib.records.files import replacing
from cnnlib.records.job import Progress
from cnnlib.records.ood import OOD_FRACTION, OodDetector, OodErrorRate
from cnnlib.runs.predictions import DAMAGED

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from cnnlib.data.prepared import Prepared
    from cnnlib.nets.model import Network
    from cnnlib.records.dataset import DatasetInfo

KNOWN, CALIBRATED_ON = 6_000, 2_000  # training pictures, at most
TESTED_ON, JUNK_COUNT = 2_000, 1_000
_BATCH = 250
_QUANTILES = 1_001


def ood_file(folder: Path, step: int) -> Path:
    """Where a run keeps what was measured at a step."""
    return folder / f"familiarity-{step}.npz"


def features(net: Network, info: DatasetInfo, pictures: np.ndarray) -> np.ndarray:
    """What the last layer is given, brought to length 1: N x features, float32.

    Args:
        pictures: N x C x H x W, uint8.
    """
    before_last = nn.Sequential(net.features, *list(net.classifier)[:-1])
    normalise = Normaliser(info, "cpu")
    found = []
    with evaluating(net), torch.inference_mode():
        for start in range(0, len(pictures), _BATCH):
            images = normalise(torch.from_numpy(np.array(pictures[start : start + _BATCH])))
            found.append(before_last(images).flatten(1).numpy())
    rows = np.concatenate(found)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def distances(known: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Of each row of ``found`` to the nearest row of ``known``; all rows have length 1."""
    nearest = [
        (found[start : start + _BATCH] @ known.T).max(axis=1)
        for start in range(0, len(found), _BATCH)
    ]
    # |a - b|^2 = 2 - 2 a.b where both have length 1; rounding may leave it below 0.
    return np.sqrt(np.maximum(2 - 2 * np.concatenate(nearest), 0))


def distance(
    familiarity: OodDetector, net: Network, info: DatasetInfo, picture: np.ndarray
) -> float:
    """Of one picture (C x H x W, uint8) to the nearest training picture."""
    return float(distances(familiarity.known, features(net, info, picture[None]))[0])


def measure_ood_detector(
    net: Network,
    prepared: Prepared,
    others: Mapping[str, np.ndarray],
    seed: int = 0,
    junk_count: int = JUNK_COUNT,
) -> Generator[Progress, None, OodDetector]:
    """Keep features of training pictures, and measure how often their distance is wrong.

    Args:
        others: Pictures of other datasets by name, as junk: N x C x H x W, uint8, of the net's
            input size.

    Raises:
        ProbeError: There are too few training pictures, or none to test on.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(prepared.train_labels))
    known = np.sort(order[: min(KNOWN, 2 * len(order) // 3)])
    calibrated = np.sort(order[len(known) :][:CALIBRATED_ON])
    tested = np.sort(rng.permutation(len(prepared.test_labels))[:TESTED_ON])
    if len(calibrated) < 20 or not len(tested):
        raise ProbeError(
            f"{prepared.info.name} has {len(order):,} pictures to train and "
            f"{len(prepared.test_labels):,} to test, and 60 and 1 are needed to say what is "
            "unlike them. Use a larger dataset."
        )
    yield Progress(0.02, "looking at training pictures")
    bank = features(net, prepared.info, prepared.train_images[known])

    def away(pictures: np.ndarray) -> np.ndarray:
        return distances(bank, features(net, prepared.info, pictures))

    yield Progress(0.5, "setting the threshold")
    usual = away(prepared.train_images[calibrated])
    threshold = float(np.quantile(usual, 1 - OOD_FRACTION))
    yield Progress(0.65, "looking at test pictures")
    alarms = float((away(prepared.test_images[tested]) > threshold).mean())
    junk = {}
    for kind, pictures in _junk(prepared.info, others, seed, junk_count):
        yield Progress(0.8, f"looking at junk: {kind}")
        junk[kind] = OodErrorRate(len(pictures), float((away(pictures) <= threshold).mean()))
    quantiles = np.quantile(usual, np.linspace(0, 1, _QUANTILES))
    return OodDetector(bank, quantiles, threshold, len(tested), alarms, junk)


def write_ood_detector(path: Path, found: OodDetector) -> None:
    """Write what was measured, whole or not at all."""
    facts = {
        "threshold": found.threshold,
        "real_count": found.real_count,
        "false_alarms": found.false_alarms,
        "junk": {kind: asdict(rate) for kind, rate in found.junk.items()},
    }
    with replacing(path) as file:
        np.savez(
            file,
            known=found.known,
            quantiles=found.quantiles,
            facts=np.frombuffer(json.dumps(facts).encode(), np.uint8),
        )


def read_ood_detector(path: Path) -> OodDetector | None:
    """What was measured; None where nothing was, or the file is damaged."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            facts = json.loads(file["facts"].tobytes())
            junk = {kind: OodErrorRate(**rate) for kind, rate in facts.pop("junk").items()}
            return OodDetector(file["known"], file["quantiles"], **facts, junk=junk)
    except DAMAGED:
        return None


def _junk(
    info: DatasetInfo, others: Mapping[str, np.ndarray], seed: int, count: int
) -> Generator[tuple[str, np.ndarray]]:
    yield SCRIBBLES, scribbles(count, info.in_size, seed)
    yield NOISE, noise(count, info.in_size, seed)
    for name, pictures in others.items():
        yield name, pictures[:count]
