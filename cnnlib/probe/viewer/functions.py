"""The functions of the viewer that pages may call, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnlib.probe.viewer import inspection, predictions
from cnnlib.probe.viewer.augmentation import augmented
from cnnlib.probe.viewer.lens import lens
from cnnlib.probe.viewer.maps import maps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "answer": predictions.answer,
    "attribution_map": inspection.attribution_map,
    "augmented": augmented,
    "class_probabilities": predictions.class_probabilities,
    "dead_channels": inspection.dead_channels,
    "gradients": inspection.gradients,
    "layer_gradients": inspection.layer_gradients,
    "layer_outputs": inspection.layer_outputs,
    "lens": lens,
    "maps": maps,
    "ood_distance": predictions.ood_distance,
    "robustness": predictions.robustness,
    "sanity_checks": inspection.sanity_checks,
}
