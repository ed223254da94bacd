"""Activation maximisation: the picture that maximises a channel or a class's score.

Gradient ascent from seeded noise (Olah, Mordvintsev and Schubert, "Feature visualization", Distill
2017). For regularisation, the picture is shifted by up to two pixels before each step, smoothed
after it, and clipped to the range of pictures.
"""

from __future__ import annotations

import base64
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from cnnlib.data.batches import Normaliser
from cnnlib.errors import ProbeError
from cnnlib.nets.evaluate import evaluating
from cnnlib.probe.forward import check_finite, trace
from cnnlib.probe.graph import step_named
from cnnlib.probe.pictures import run_pictures
from cnnlib.probe.weights import network, run_at
from cnnlib.records.job import Progress

if TYPE_CHECKING:
    from cnnlib.nets.model import Network
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.folders import Folders

STEPS = 160
_RATE = 0.08  # step size, as a fraction of the range from black to white
_SHIFT = 2  # pixels
_SMOOTHING = 0.12  # weight of the four neighbours


def maximise_activation(
    net: Network, info: DatasetInfo, layer: str, channel: int, seed: int = 0
) -> Generator[Progress, None, tuple[np.ndarray, float, float]]:
    """Find the picture that maximises a channel (or a score of the last layer).

    Returns:
        The picture (C x H x W, uint8), and the mean activation of the channel for it and for the
        initial noise.

    Raises:
        ProbeError: There is no such layer or channel, or its activation is not finite.
    """
    step = step_named(net.plan, layer)
    if not 0 <= channel < step.out_shape[0]:
        raise ProbeError(
            f"{layer} has no channel {channel}. Choose one from 0 to {step.out_shape[0] - 1}."
        )
    random = np.random.default_rng(seed)
    normalise = Normaliser(info, "cpu")
    noise = random.normal(0.5, 0.08, (1, *info.in_size)).clip(0, 1)
    picture = torch.from_numpy(noise).float()  # 0..1
    activations = []
    with evaluating(net):
        for done in range(STEPS):
            shift = tuple(int(by) for by in random.integers(-_SHIFT, _SHIFT + 1, 2))
            activation, gradient = _activation_and_gradient(
                net, normalise, picture.roll(shift, (2, 3)), step.name, channel
            )
            activations.append(activation)
            gradient = gradient.roll((-shift[0], -shift[1]), (2, 3))
            picture = picture + _RATE * gradient / gradient.abs().max().clamp(min=1e-12)
            picture = _smooth(picture).clamp(0, 1)
            yield Progress((done + 1) / STEPS, f"step {done + 1} of {STEPS}")
        last, _ = _activation_and_gradient(net, normalise, picture, step.name, channel)
    pixels = (picture[0] * 255).round().to(torch.uint8).numpy()
    return pixels, last, activations[0]


def maximise_activation_job(
    args: Mapping[str, Any], folders: Folders
) -> Generator[Progress, None, dict[str, Any]]:
    """Run the job ``dream``: ``{"run", "step", "layer", "channel", "seed"}``.

    Returns:
        ``{"shape": [C, H, W], "pixels": base64 of uint8, "answer", "began"}``; the last two are
        the final and the initial activation.

    Raises:
        CnnlibError: The run, its weights or its dataset are missing.
    """
    run, _, weights = run_at(folders, args["run"], args["step"])
    info = run_pictures(run, folders).info
    net = network(run.request.spec, weights)
    pixels, final, initial = yield from maximise_activation(
        net, info, args["layer"], args["channel"], args["seed"]
    )
    text = base64.b64encode(pixels.tobytes()).decode()
    return {"shape": list(pixels.shape), "pixels": text, "answer": final, "began": initial}


def _activation_and_gradient(
    net: Network, normalise: Normaliser, picture: Tensor, layer: str, channel: int
) -> tuple[float, Tensor]:
    """Compute the mean of a channel, and its gradient with respect to the picture."""
    picture = picture.detach().requires_grad_()
    with torch.enable_grad():
        normalised = picture * (255 * normalise.scale) + normalise.offset
        value = trace(net, normalised)[layer][0, channel].mean()
        check_finite(value.detach())
        (gradient,) = torch.autograd.grad(value, picture)
    check_finite(gradient, "The gradients of this network")
    return value.item(), gradient


def _smooth(picture: Tensor) -> Tensor:
    """Blend each pixel with its four neighbours."""
    side, middle = _SMOOTHING / 4, 1 - _SMOOTHING
    kernel = torch.tensor([[0, side, 0], [side, middle, side], [0, side, 0]])
    channels = picture.shape[1]
    bordered = pad(picture, (1, 1, 1, 1), mode="replicate")
    return conv2d(bordered, kernel.expand(channels, 1, 3, 3), groups=channels)
