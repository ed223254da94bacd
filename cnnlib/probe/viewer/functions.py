"""The functions that pages may call in the viewer process, by name.

Pages name a network by the source of its saved step, and send pictures as uint8 with the metadata
of the dataset of its training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cnnlib.data.augment import augment
from cnnlib.data.batches import Normaliser
from cnnlib.errors import ProbeError
from cnnlib.probe.answer import answer, class_probabilities, robustness
from cnnlib.probe.attribution.methods import completeness, explain
from cnnlib.probe.attribution.sanity_checks import check_ranking, ranking_of
from cnnlib.probe.filters import by_layer
from cnnlib.probe.forward import dead_channels, finite_activations, gradients
from cnnlib.probe.ood.detector_file import read_ood_detector
from cnnlib.probe.ood.distance import distance
from cnnlib.probe.viewer.lens import lens
from cnnlib.probe.viewer.maps import maps
from cnnlib.probe.viewer.sources import normalised, saved_network_of
from cnnlib.records.job import run_job

if TYPE_CHECKING:
    from cnnlib.nets.model import Network
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.maps import NetworkSource
    from cnnlib.records.probe import (
        Gradients,
        LayerGradient,
        OodDetector,
        SanityCheck,
    )
    from cnnlib.records.recipe import Augmentation


def _of_source(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function of a network take the source of a saved one.

    Raises:
        ProbeError: The weights cannot be read or do not fit.
    """

    def call(source: NetworkSource, *arguments: Any) -> Any:
        return function(saved_network_of(source), *arguments)

    return call


def _of_pixels(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function of a network and normalised pictures take metadata and uint8 pictures.

    The pictures are N x C x H x W, or one of C x H x W.
    """

    def call(source: NetworkSource, info: DatasetInfo, pixels: np.ndarray, *arguments: Any) -> Any:
        inputs = normalised(info, pixels.reshape(-1, *pixels.shape[-3:])).numpy()
        return function(saved_network_of(source), inputs.reshape(pixels.shape), *arguments)

    return call


def _gradients(
    source: NetworkSource, info: DatasetInfo, pixels: np.ndarray, label: int
) -> Gradients:
    image = normalised(info, pixels[None]).numpy()[0]
    return _gradients_of(source, image.tobytes(), image.shape, label)


def _layer_gradients(
    source: NetworkSource, info: DatasetInfo, pixels: np.ndarray, label: int
) -> list[LayerGradient]:
    """Compute the size of the gradient of each layer's weights, for one picture."""
    weights = saved_network_of(source).state_dict()
    found = _gradients(source, info, pixels, label)
    return by_layer(found, {name: value.numpy() for name, value in weights.items()})


@lru_cache(maxsize=2)  # a panel shows them and their sizes
def _gradients_of(
    source: NetworkSource, image: bytes, shape: tuple[int, ...], label: int
) -> Gradients:
    values = np.frombuffer(image, np.float32).reshape(shape).copy()
    return gradients(saved_network_of(source), values, label)


def _sanity_check(net: Network, image: np.ndarray, target: int, method: str) -> SanityCheck:
    """Check the attribution map of a method."""
    return run_job(check_ranking(ranking_of(method), net, image, target))


def _ood_distance(
    net: Network, info: DatasetInfo, file: Path, written: int, picture: np.ndarray
) -> float:
    """Compute the distance of a picture to the nearest training picture.

    Args:
        file: Of the network's measured detector.
        written: Its modification time, nanoseconds since 1970: distinguishes versions.
    """
    return distance(_detector(file, written), net, info, picture)


@lru_cache(maxsize=8)
def _detector(file: Path, written: int) -> OodDetector:
    detector = read_ood_detector(file)
    if detector is None:
        raise ProbeError(
            f"The file {file.name} of the out-of-distribution check cannot be read. It was deleted "
            "or damaged. Measure the check again."
        )
    return detector


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


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "answer": _of_source(answer),
    "attribution_map": _of_pixels(explain),
    "augmented": augmented,
    "class_probabilities": _of_source(class_probabilities),
    "completeness": _of_pixels(completeness),
    "dead_channels": _of_pixels(dead_channels),
    "gradients": _gradients,
    "layer_gradients": _layer_gradients,
    "layer_outputs": _of_pixels(lambda net, image: finite_activations(net, image[None])),
    "lens": lens,
    "maps": maps,
    "ood_distance": _of_source(_ood_distance),
    "robustness": _of_source(robustness),
    "sanity_check": _of_pixels(_sanity_check),
}
