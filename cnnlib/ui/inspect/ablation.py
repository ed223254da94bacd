"""The ablation panel: accuracy without each filter of a layer, measured by a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from cnnlib.errors import ProbeError
from cnnlib.figures.inspect import ablation_figure
from cnnlib.probe.filters import convolutions
from cnnlib.ui.common.format import count
from cnnlib.ui.common.job_status import job_result
from cnnlib.ui.inspect.selection import Subject, choose_layer
from cnnlib.units import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

PICTURES = 500
_HOW_LABELS = {"mute": "Mute: set to 0", "reset": "Reset: first saved weights"}


def ablation_panel(subject: Subject) -> None:
    """Show the loss of accuracy when each filter of a layer is muted or reset."""
    if not convolutions(subject.plan):
        raise ProbeError(
            "This network has no convolution, and ablation changes the filters of convolutions. "
            "Choose a run of a network with a convolution."
        )
    layer = choose_layer(subject.plan, kinds=("conv2d",))
    how = st.segmented_control(
        "Change of each filter",
        list(_HOW_LABELS),
        key="inspect_how",
        default="mute",
        required=True,
        format_func=_HOW_LABELS.__getitem__,
        help="Mute sets the weights and the bias of the filter to 0, so its feature map is "
        "constant. Reset gives the filter back the weights of the first saved step.",
    )
    st.caption(
        "Ablation changes one filter at a time and measures the accuracy again: the more accuracy "
        f"is lost, the more the network needs the filter. A random sample of at most {PICTURES} "
        "validation pictures is used (training pictures if the run has no validation split), "
        "never the test split."
    )
    args = {"run": subject.run.id, "step": subject.saved_step.step, "layer": layer, "how": how}
    result = job_result(
        "surgery",
        args | {"count": PICTURES, "seed": 0},
        label="Test each filter of this layer",
        key="inspect_ablation",
    )
    if result is not None:
        _show_ablation(subject, result)


def _show_ablation(subject: Subject, result: Mapping[str, Any]) -> None:
    """Show the filters by their loss of accuracy, and one of them class by class."""
    loss = result["before"] - np.array(result["after"])
    order = np.argsort(-loss, kind="stable")
    correct = round(result["before"] * result["count"])
    st.markdown(
        f"Accuracy without a change: {percent(result['before'])} correct ({count(correct)} of "
        f"{count(result['count'])} {result['split']} pictures)."
    )
    options = [int(each) for each in order]
    chosen = st.selectbox(
        "Filter (largest loss of accuracy first)",
        options,
        key=f"inspect_ablation_filter_{len(options)}",
        format_func=lambda each: (
            f"filter {each}: accuracy {-100 * loss[each]:+.1f} percentage points"
        ),
    )
    figure = ablation_figure(
        result["classes_before"], result["classes_after"][chosen], subject.info.classes, chosen
    )
    st.plotly_chart(figure, key="inspect_ablation_classes")
