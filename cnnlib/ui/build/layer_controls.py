"""Which control of the Build page sets a layer. No streamlit."""

from __future__ import annotations

from cnnlib.design.layers import Residual
from cnnlib.design.plan import Plan
from cnnlib.ui.build.controls import CONTROLS

_BY_KIND = {
    "norm": "norm",
    "activation": "activation",
    "pool": "downsample",
    "global_avg_pool": "head",
    "flatten": "head",
    "pad_channels": "shortcut",
}


def control_of(plan: Plan, name: str) -> str:
    """Return the name of the control that sets a layer of the picture.

    Args:
        name: Of a layer or a block, of the sum at the end of a block, or "input".

    Example:
        >>> from cnnlib import CNNSpec, plan
        >>> control_of(plan(CNNSpec(channels=(6,))), "features.conv1")
        'channels'
    """
    if name == "input":
        return "dataset"
    if name.endswith(".sum"):
        return "block"
    control = _control(plan, name)
    return control if CONTROLS[control].shown(plan.spec) else "channels"


def _control(plan: Plan, name: str) -> str:
    layer = plan.layer(name)
    is_stem = plan.spec.stem is not None and "stem" in name
    if isinstance(layer, Residual):
        return "block"
    if is_stem and layer.kind == "conv2d":
        return "stem_channels"
    if layer.kind == "dropout":
        return "dropout" if name.startswith("features.") else "hidden_dropout"
    if layer.kind == "linear":
        return "hidden_dims" if plan.spec.hidden_dims else "head"
    return _BY_KIND.get(layer.kind, "channels")
