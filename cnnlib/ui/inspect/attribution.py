"""The attribution panel: a map of the score of a class, with its sanity check."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.design.cost import cost
from cnnlib.figures.inspect import deletion_figure
from cnnlib.probe.attribution.result import (
    CONTROLS,
    check_passes,
    forward_passes,
    read_explanation,
)
from cnnlib.ui.common.components import tile_grid
from cnnlib.ui.common.job_status import job_result
from cnnlib.ui.common.viewer import attribution_map, completeness, layer_outputs, sanity_check
from cnnlib.vocabulary.entry import labels
from cnnlib.vocabulary.inspection import ATTRIBUTION_METHODS

if TYPE_CHECKING:
    import numpy as np

    from cnnlib.records.probe import Completeness, SanityCheck
    from cnnlib.ui.inspect.selection import Subject

# On MNIST and CIFAR-10 maps of these methods pass the check most often (see docs/numbers.md).
_PASS_MOST_OFTEN = ("integrated", "occlusion")
MOST_MACS = 15_000_000_000  # a second or two on one thread


def attribution_panel(subject: Subject) -> None:
    """Show the map of one method beside the picture, and the result of the check."""
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
    size = subject.info.in_size[1:]
    if _is_slow(subject, forward_passes(method, *size)):
        _show_job_result(subject, method, target)
        return
    asked = (subject.saved_step, subject.picture, subject.info, target, method)
    _show_map(subject, attribution_map(*asked), completeness(*asked), method)
    if _is_slow(subject, check_passes(method, *size)):
        _show_job_result(subject, method, target, map_is_shown=True)
        return
    with st.spinner("Computing the sanity check."):
        check = sanity_check(*asked)
    _show_sanity_check(check, method)


def _show_sanity_check(check: SanityCheck, method: str) -> None:
    """Show the result of the sanity check; where a map fails it, another method is one press."""
    st.header(
        "Sanity check",
        help="Pixels are deleted, the most important ones first. The probability of the class "
        "must fall faster than in the orders of two kinds of maps that know nothing of what the "
        "network learned: copies of this map that are shifted, turned and mirrored, and maps of "
        "the same network with random weights. A map that is no better than them passes in at "
        "most 5 of 100 cases.",
    )
    icon = ":material/check_circle:" if check.is_informative else ":material/warning:"
    st.markdown(f"{icon} {check.sentence}", help=check.details)
    other = next(name for name in _PASS_MOST_OFTEN if name != method)
    if not check.is_informative:
        st.button(
            f"Try {ATTRIBUTION_METHODS[other].label}",
            key="inspect_other_method",
            on_click=lambda: st.session_state.update({"inspect_method": other}),
            help="Of all methods its maps pass this check most often.",
        )
    st.plotly_chart(deletion_figure(check), key="inspect_deletion")


def _show_job_result(
    subject: Subject, method: str, target: int, *, map_is_shown: bool = False
) -> None:
    """Show the map and the check of a job, or a button to queue it, for large networks."""
    args = {"run": subject.run.id, "step": subject.saved_step.step, "method": method}
    args["controls"] = CONTROLS  # results of earlier versions, whose check was another, lack it
    pixels = base64.b64encode(subject.picture.pixels.tobytes()).decode()
    result = job_result(
        "explain",
        args | {"target": target, "pixels": pixels},
        label=f"{'Check' if map_is_shown else 'Compute'} {ATTRIBUTION_METHODS[method].label} "
        "(takes some seconds for this network)",
        key="inspect_explain",
    )
    if result is not None:
        found, total, check = read_explanation(result)
        if not map_is_shown:
            _show_map(subject, found, total, method)
        _show_sanity_check(check, method)


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


def _is_slow(subject: Subject, passes: int) -> bool:
    """Return whether these forward passes take more than a few seconds of the viewer."""
    return passes * cost(subject.plan).macs > MOST_MACS


_MAP_WIDTH = 260  # pixels


def _show_map(subject: Subject, found: np.ndarray, total: Completeness | None, method: str) -> None:
    """Show the picture and its attribution map side by side."""
    name = ATTRIBUTION_METHODS[method].label
    pixels = subject.picture.pixels
    with st.container(horizontal=True, gap="large", key="inspect_reason"):
        with st.container(width=_MAP_WIDTH):
            st.caption("Picture")
            tile_grid(
                pixels[:1] if len(pixels) == 1 else pixels[None],
                key="inspect_reason_picture",
                title="The picture that is explained",
                names=["Pixel"],
                span=255.0,
                tile=224,
            )
        with st.container(width=_MAP_WIDTH):
            st.caption(name)
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
        f"{ATTRIBUTION_METHODS[method].legend}{f' {total.sentence}' if total else ''}"
    )
