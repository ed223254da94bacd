"""The attribution panel: a map of the score of a class, with two sanity checks."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.design.cost import cost
from cnnlib.figures.inspect import deletion_figure
from cnnlib.probe.attribution.result import forward_passes, read_explanation
from cnnlib.ui.common.components import tile_grid
from cnnlib.ui.common.job_status import job_result
from cnnlib.ui.common.viewer import attribution_map, layer_outputs, sanity_checks
from cnnlib.vocabulary.entry import labels
from cnnlib.vocabulary.inspection import ATTRIBUTION_METHODS

if TYPE_CHECKING:
    import numpy as np

    from cnnlib.records.probe import DeletionCurve, RandomisedWeights
    from cnnlib.ui.inspect.selection import Subject

MOST_MACS = 6_000_000_000  # a second or two on one thread
CHECK_PASSES = 66  # forward passes of the deletion curves


def attribution_panel(subject: Subject) -> None:
    """Show the map of one method beside the picture, and the results of the two checks."""
    method = st.segmented_control(
        "Method",
        list(ATTRIBUTION_METHODS),
        key="inspect_method",
        default="saliency",
        required=True,
        format_func=labels(ATTRIBUTION_METHODS).__getitem__,
        help="An attribution method estimates how much each pixel contributes to the score of a "
        "class. "
        + " ".join(f"{each.label}: {each.help}." for each in ATTRIBUTION_METHODS.values()),
    )
    target = _choose_target(subject)
    if _is_slow(subject, method):
        _show_job_result(subject, method, target)
        return
    asked = (subject.saved_step, subject.picture, subject.info, target, method)
    _show_map(subject, attribution_map(*asked), method)
    with st.spinner("Running the sanity checks."):
        checks = sanity_checks(*asked)
    _show_sanity_checks(*checks)


def _show_sanity_checks(weights: RandomisedWeights, curve: DeletionCurve) -> None:
    """Show the results of the two sanity checks."""
    st.header(
        "Sanity checks",
        help="First check: is the map different from the map of the same network with random "
        "weights? Second check: does the probability of the class fall faster when the most "
        "important pixels are deleted first than when random pixels are deleted?",
    )
    for check, is_good in ((weights, not weights.fires), (curve, curve.is_informative)):
        icon = ":material/check_circle:" if is_good else ":material/warning:"
        st.markdown(f"{icon} {check.sentence}")
    st.plotly_chart(deletion_figure(curve), key="inspect_deletion")


def _show_job_result(subject: Subject, method: str, target: int) -> None:
    """Show the map and the checks of a job, or a button to queue it, for large networks."""
    args = {"run": subject.run.id, "step": subject.saved_step.step, "method": method}
    pixels = base64.b64encode(subject.picture.pixels.tobytes()).decode()
    result = job_result(
        "explain",
        args | {"target": target, "pixels": pixels},
        label=f"Compute {ATTRIBUTION_METHODS[method].label} (takes some seconds for this network)",
        key="inspect_explain",
    )
    if result is not None:
        found, weights, curve = read_explanation(result)
        _show_map(subject, found, method)
        _show_sanity_checks(weights, curve)


def _choose_target(subject: Subject) -> int:
    """Show a menu of the explained class; the initial choice is the predicted class."""
    names = subject.info.classes
    outputs = layer_outputs(subject.saved_step, subject.picture, subject.info)
    predicted = names[int(outputs[subject.plan.layers[-1].name][0].argmax())]
    options = ["predicted class", *names]
    chosen = st.selectbox(
        "Class to explain",
        options,
        key="inspect_target",
        format_func=lambda each: f"predicted class ({predicted})" if each == options[0] else each,
        help="The map shows which pixels the score (logit) of this class depends on.",
    )
    return names.index(predicted if chosen == options[0] else chosen)


def _is_slow(subject: Subject, method: str) -> bool:
    """Return whether the computation takes more than a few seconds of the page's thread."""
    passes = 2 * forward_passes(method, *subject.info.in_size[1:]) + CHECK_PASSES
    return passes * cost(subject.plan).macs > MOST_MACS


def _show_map(subject: Subject, found: np.ndarray, method: str) -> None:
    """Show the picture and its attribution map side by side."""
    name = ATTRIBUTION_METHODS[method].label
    pixels = subject.picture.pixels
    with st.container(horizontal=True, gap="large"):
        tile_grid(
            pixels[:1] if len(pixels) == 1 else pixels[None],
            key="inspect_reason_picture",
            title="The picture that is explained",
            names=["Pixel"],
            span=255.0,
            tile=224,
        )
        tile_grid(
            found.sum(axis=0, keepdims=True),
            key="inspect_reason_map",
            title=name,
            names=[name if len(found) == 1 else f"{name}, sum over the colour channels"],
            tile=224,
        )
    height, width = found.shape[-2:]
    st.caption(
        f"The map has {height} × {width} values, the picture {pixels.shape[1]} × "
        f"{pixels.shape[2]} pixels. "
        f"{ATTRIBUTION_METHODS[method].legend}"
    )
