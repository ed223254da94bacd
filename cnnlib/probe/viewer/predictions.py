"""What pages show of the predictions of a saved network: probabilities, robustness, reliability."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from cnnlib.errors import ProbeError
from cnnlib.probe import answer as answers
from cnnlib.probe.ood.detector_file import read_ood_detector
from cnnlib.probe.ood.distance import distance
from cnnlib.probe.viewer.sources import saved_network_of

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.drawing import Answer, Robustness
    from cnnlib.records.maps import NetworkSource
    from cnnlib.records.ood import OodDetector
    from cnnlib.records.run import Run


def class_probabilities(
    source: NetworkSource, info: DatasetInfo, pictures: np.ndarray
) -> np.ndarray:
    """Compute the class probabilities of pictures (N x C x H x W, uint8): N x classes, float64.

    Raises:
        ProbeError: The weights cannot be read or do not fit.
    """
    return answers.class_probabilities(saved_network_of(source), info, pictures)


def answer(source: NetworkSource, info: DatasetInfo, run: Run, picture: np.ndarray) -> Answer:
    """Predict the class of a picture (C x H x W, uint8) with the network of a run.

    Raises:
        ProbeError: The weights cannot be read or do not fit.
    """
    return answers.answer(saved_network_of(source), info, run, picture)


def robustness(
    source: NetworkSource, info: DatasetInfo, original: Answer, picture: np.ndarray
) -> Robustness:
    """Predict the class of a picture after small changes.

    Args:
        original: Result of `answer` for the picture.
        picture: C x H x W, uint8.

    Raises:
        ProbeError: The weights cannot be read or do not fit.
    """
    return answers.robustness(saved_network_of(source), info, original, picture)


def ood_distance(
    source: NetworkSource, info: DatasetInfo, file: Path, written: int, picture: np.ndarray
) -> float:
    """Compute the distance of a picture (C x H x W, uint8) to the nearest training picture.

    Args:
        file: Of the network's measured detector.
        written: Its modification time, nanoseconds since 1970: distinguishes versions.

    Raises:
        ProbeError: A file cannot be read, or the weights do not fit.
    """
    return distance(_detector(file, written), saved_network_of(source), info, picture)


@lru_cache(maxsize=8)
def _detector(file: Path, written: int) -> OodDetector:
    detector = read_ood_detector(file)
    if detector is None:
        raise ProbeError(
            f"The file {file.name} of the out-of-distribution check cannot be read. It was deleted "
            "or damaged. Measure the check again."
        )
    return detector
