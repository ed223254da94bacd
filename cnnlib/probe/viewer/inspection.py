"""What pages show of the inside of a saved network: outputs, gradients, attribution maps.

All functions take the source of a saved network, the metadata of the dataset of its training, and
uint8 pictures. They return numpy arrays and records.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.probe import dead_channels as dead
from cnnlib.probe import gradients as probe_gradients
from cnnlib.probe.attribution.methods import METHODS, explain
from cnnlib.probe.attribution.sanity_checks import deletion, randomised_weights
from cnnlib.probe.forward import activations
from cnnlib.probe.gradient_sizes import by_layer
from cnnlib.probe.viewer.sources import normalised, saved_network_of

if TYPE_CHECKING:
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.maps import NetworkSource
    from cnnlib.records.probe import DeletionCurve, Gradients, LayerGradient, RandomisedWeights


def layer_outputs(
    source: NetworkSource, info: DatasetInfo, pixels: np.ndarray
) -> dict[str, np.ndarray]:
    """Compute the output of every layer for a picture.

    Args:
        pixels: C x H x W, uint8.

    Returns:
        Outputs by name in forward order, 1 x C x H x W or 1 x features, float32; the first,
        ``input``, is the normalised picture.

    Raises:
        ProbeError: The weights cannot be read or do not fit.
    """
    return activations(saved_network_of(source), _input(info, pixels)[None])


def dead_channels(
    source: NetworkSource, info: DatasetInfo, pictures: np.ndarray
) -> dict[str, np.ndarray]:
    """Find the channels of each layer with equal output on all pictures.

    Args:
        pictures: N x C x H x W, uint8.

    Returns:
        A mask of the channels (bool) for each layer.

    Raises:
        ProbeError: The weights cannot be read or do not fit.
    """
    return dead.dead_channels(saved_network_of(source), normalised(info, pictures).numpy())


def gradients(
    source: NetworkSource, info: DatasetInfo, pixels: np.ndarray, label: int
) -> Gradients:
    """Compute the gradients of the loss on a picture (C x H x W, uint8).

    Raises:
        ProbeError: The weights cannot be read or do not fit.
    """
    image = _input(info, pixels)
    return _gradients(source, image.tobytes(), image.shape, label)


def layer_gradients(
    source: NetworkSource, info: DatasetInfo, pixels: np.ndarray, label: int
) -> list[LayerGradient]:
    """Compute the size of the gradient of each layer's weights, for a picture as in `gradients`.

    Raises:
        ProbeError: The weights cannot be read or do not fit.
    """
    weights = saved_network_of(source).state_dict()
    found = gradients(source, info, pixels, label)
    return by_layer(found, {name: value.numpy() for name, value in weights.items()})


def attribution_map(
    source: NetworkSource, info: DatasetInfo, pixels: np.ndarray, target: int, method: str
) -> np.ndarray:
    """Compute the attribution map of a method for the score of a class.

    Args:
        pixels: C x H x W, uint8.
        target: Index of the class.

    Returns:
        C x H x W, float32, or 1 x h x w for Grad-CAM.

    Raises:
        ProbeError: The weights cannot be read, or the method does not apply to the network.
    """
    return explain(saved_network_of(source), _input(info, pixels), target, method)


def sanity_checks(
    source: NetworkSource,
    info: DatasetInfo,
    pixels: np.ndarray,
    target: int,
    method: str,
    attribution: np.ndarray,
) -> tuple[RandomisedWeights, DeletionCurve]:
    """Check an attribution map with random weights, and with deleted pixels.

    Args:
        attribution: Result of `attribution_map` for the same arguments.

    Raises:
        ProbeError: The weights cannot be read, or the method does not apply to the network.
    """
    net, image = saved_network_of(source), _input(info, pixels)
    return (
        randomised_weights(METHODS[method], net, image, target),
        deletion(net, image, target, attribution),
    )


@lru_cache(maxsize=2)  # a panel shows them and their sizes
def _gradients(
    source: NetworkSource, image: bytes, shape: tuple[int, ...], label: int
) -> Gradients:
    values = np.frombuffer(image, np.float32).reshape(shape).copy()
    return probe_gradients.gradients(saved_network_of(source), values, label)


def _input(info: DatasetInfo, pixels: np.ndarray) -> np.ndarray:
    """Normalise a picture (C x H x W, uint8) to the network's input (float32)."""
    return normalised(info, pixels[None]).numpy()[0]
