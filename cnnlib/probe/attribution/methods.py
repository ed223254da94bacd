"""Five attribution methods: maps of the pixels that a score depends on.

==================  ==============================================================================
``saliency``        gradient of the score (Simonyan, Vedaldi and Zisserman, 2014)
``integrated``      gradients integrated along a path from a grey picture (Sundararajan et al.,
                    2017)
``occlusion``       decrease of the score when a patch is covered (Zeiler and Fergus, 2014)
``grad_cam``        feature maps weighted by their mean gradients (Selvaraju et al., 2017)
``guided``          gradient, with negative gradients at ReLUs set to 0 (Springenberg et al.,
                    2015)
==================  ==============================================================================

The input is one picture, C x H x W, float32, normalised; scores are logits. "Grey" is 0, the mean
colour of the training pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from cnnlib.design.layers import Activation
from cnnlib.design.plan import Plan
from cnnlib.errors import ProbeError
from cnnlib.nets.evaluate import evaluating
from cnnlib.nets.model import Network
from cnnlib.probe.attribution.result import INTEGRATION_STEPS, OCCLUSION_WINDOW, patch_corners
from cnnlib.probe.forward import check_finite, finite_activations, plain_activation, trace
from cnnlib.probe.graph import steps
from cnnlib.records.probe import Completeness
from cnnlib.vocabulary.inspection import ATTRIBUTION_METHODS

Method = Callable[[Network, np.ndarray, int], np.ndarray]
_BATCH = 32


def saliency(net: Network, image: np.ndarray, target: int) -> np.ndarray:
    """Compute the gradient of a class's score with respect to the picture: C x H x W."""
    return _input_gradients(net, torch.from_numpy(image)[None], target)[0].numpy()


def integrated(net: Network, image: np.ndarray, target: int) -> np.ndarray:
    """Integrate the gradients on the line from grey to the picture, times the picture: C x H x W.

    The values sum to the score minus the score of the grey picture, approximately: Gauss-Legendre
    quadrature with `INTEGRATION_STEPS` points. `completeness` measures the error.
    """
    points, weights = np.polynomial.legendre.leggauss(INTEGRATION_STEPS)
    picture = torch.from_numpy(image)
    total = torch.zeros_like(picture, dtype=torch.float64)
    batches = zip(_split((1 + points) / 2), _split(weights / 2), strict=True)
    for scales, batch_weights in batches:
        gradients = _input_gradients(net, scales.float().view(-1, 1, 1, 1) * picture, target)
        total += (gradients * batch_weights.view(-1, 1, 1, 1)).sum(dim=0)
    return (total * picture).float().numpy()


def occlusion(net: Network, image: np.ndarray, target: int) -> np.ndarray:
    """Compute the mean decrease of the score by the grey patches over a pixel: C x H x W."""
    picture = torch.from_numpy(image)
    _, height, width = picture.shape
    masks = torch.stack(
        [_mask(height, width, *corner) for corner in patch_corners(height, width)]
    )  # P x H x W
    with evaluating(net), torch.inference_mode():
        score = net(picture[None])[0, target]
        occluded = [net(picture * ~part[:, None])[:, target] for part in masks.split(_BATCH)]
        decrease = score - torch.cat(occluded)
    covered = masks.sum(dim=0).clamp(min=1)
    mean_decrease = (masks * decrease.view(-1, 1, 1)).sum(dim=0) / covered
    return mean_decrease.expand_as(picture).numpy().copy()


def grad_cam(net: Network, image: np.ndarray, target: int) -> np.ndarray:
    """Sum the feature maps of `cam_layer`, weighted by their mean gradients: 1 x h x w.

    Raises:
        ProbeError: The network has no feature maps.
    """
    layer = cam_layer(net.plan)
    with evaluating(net), torch.enable_grad():
        outputs = trace(net, torch.from_numpy(image)[None])
        (gradient,) = torch.autograd.grad(_score(outputs, target), outputs[layer])
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return relu((weights * outputs[layer]).sum(dim=1)).detach().numpy()


def guided(net: Network, image: np.ndarray, target: int) -> np.ndarray:
    """Compute the gradient, with negative gradients at ReLUs set to 0: C x H x W.

    Raises:
        ProbeError: An activation is not a ReLU.
    """
    others = {a.activation for a in net.plan.walk() if isinstance(a, Activation)} - {"relu"}
    if others:
        raise ProbeError(
            "Guided backprop is defined for networks with ReLU activations only, and this network "
            f"has {', '.join(sorted(others))}. Choose saliency or integrated gradients."
        )
    return _input_gradients(net, torch.from_numpy(image)[None], target, _guided_relu)[0].numpy()


_FUNCTIONS = {each.__name__: each for each in (saliency, integrated, occlusion, grad_cam, guided)}
METHODS: dict[str, Method] = {
    name: _FUNCTIONS[method.function] for name, method in ATTRIBUTION_METHODS.items()
}


def explain(net: Network, image: np.ndarray, target: int, method: str) -> np.ndarray:
    """Compute the map of the method with this name.

    Raises:
        ProbeError: There is no such method or class, it does not apply to the network, or the
            network's outputs are not finite.
    """
    if method not in METHODS:
        raise ProbeError(
            f"{method[:40]!r} is not an attribution method. Choose one of: {', '.join(METHODS)}."
        )
    if not 0 <= target < net.plan.spec.out_classes:
        last = net.plan.spec.out_classes - 1
        raise ProbeError(f"There is no class {target}. Choose one from 0 to {last}.")
    picture = np.ascontiguousarray(image, np.float32)
    finite_activations(net, picture[None])
    attribution = METHODS[method](net, picture, target)
    check_finite(attribution, "The values of this attribution map")
    return attribution


def completeness(
    net: Network, image: np.ndarray, target: int, method: str, attribution: np.ndarray
) -> Completeness | None:
    """Compare the sum of a map with the score minus that of the grey picture.

    Returns:
        None for methods that do not promise that both are equal.
    """
    if not ATTRIBUTION_METHODS[method].is_complete:
        return None
    picture = torch.from_numpy(image)
    with evaluating(net), torch.inference_mode():
        score, grey = net(torch.stack([picture, torch.zeros_like(picture)]))[:, target].tolist()
    return Completeness(float(attribution.sum(dtype=float)), score - grey, INTEGRATION_STEPS)


def cam_layer(plan: Plan) -> str:
    """Return the last layer with feature maps, before global pooling or flattening.

    Raises:
        ProbeError: There is none.
    """
    with_maps = [
        step.name
        for step in steps(plan)
        if len(step.out_shape) == 3 and step.kind != "global_avg_pool"
    ]
    if (not plan.spec.channels and not plan.spec.stem) or not with_maps:
        raise ProbeError(
            "Grad-CAM needs feature maps, and this network has none, because it has no convolution"
            ". Choose saliency or integrated gradients."
        )
    return with_maps[-1]


def _input_gradients(
    net: Network,
    images: Tensor,
    target: int,
    activate: Callable[[nn.Module, Tensor], Tensor] = plain_activation,
) -> Tensor:
    """Compute the gradients of the inputs: N x C x H x W; ``grad`` of the weights is unchanged."""
    with evaluating(net), torch.enable_grad():
        images = images.detach().requires_grad_()
        score = _score(trace(net, images, activate), target)
        return torch.autograd.grad(score, images)[0]


def _score(outputs: dict[str, Tensor], target: int) -> Tensor:
    return list(outputs.values())[-1][:, target].sum()


class _GuidedReLU(torch.autograd.Function):
    """ReLU with negative gradients set to 0 in the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return relu(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return relu(gradient) * (x > 0)


def _guided_relu(module: nn.Module, x: Tensor) -> Tensor:
    return _GuidedReLU.apply(x)


def _mask(height: int, width: int, row: int, column: int) -> Tensor:
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[row : row + OCCLUSION_WINDOW, column : column + OCCLUSION_WINDOW] = True
    return mask


def _split(values: np.ndarray) -> tuple[Tensor, ...]:
    return torch.from_numpy(values).split(_BATCH)
