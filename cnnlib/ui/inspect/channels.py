"""Panels about the channels of a layer: accuracy without each one, and what activates it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from cnnlib.design.cost import larger_than_image
from cnnlib.errors import ProbeError
from cnnlib.figures.inspect import ablation_figure
from cnnlib.probe.filters import convolutions
from cnnlib.probe.graph import step_named
from cnnlib.probe.pictures import crop_patch, receptive_field
from cnnlib.ui.common.components import tile_grid
from cnnlib.ui.common.format import count
from cnnlib.ui.common.job_status import job_result
from cnnlib.ui.inspect.selection import Subject, choose_layer
from cnnlib.units import percent, plural

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


TEST_PICTURES = 1000


def activation_maximisation_panel(subject: Subject) -> None:
    """Show the inputs that maximise the activation of a channel or the score of a class."""
    layer = choose_layer(subject.plan)
    step = step_named(subject.plan, layer)
    is_last = step.name == subject.plan.layers[-1].name
    names = subject.info.classes if is_last else [str(i) for i in range(step.out_shape[0])]
    with st.container(horizontal=True):
        channel = st.selectbox(
            "Class" if is_last else "Channel",
            range(len(names)),
            key=f"inspect_maximise_{layer}",
            format_func=names.__getitem__,
        )
        seed = st.number_input(
            "Noise seed",
            0,
            999,
            key="inspect_maximise_seed",
            help="The optimised picture starts from random noise. Another seed gives other noise, "
            "and often another picture.",
        )
    args = {"run": subject.run.id, "step": subject.saved_step.step, "layer": layer}
    if len(step.out_shape) == 3 and step.kind != "global_avg_pool":
        _show_patches(subject, layer, channel, args)
    st.header(
        "Activation maximisation",
        help="Starts from noise and changes the pixels step by step so that the activation of the "
        "channel (or the score of the class) becomes as large as possible.",
    )
    result = job_result(
        "dream",
        args | {"channel": channel, "seed": seed},
        label="Find the picture with the strongest activation",
        key="inspect_maximise",
    )
    if result is not None:
        _show_optimised_picture(result, names[channel])


def _show_patches(subject: Subject, layer: str, channel: int, args: Mapping[str, Any]) -> None:
    """Show the patches of test pictures with the largest activation of a channel."""
    st.header("Parts of test pictures with the strongest activation")
    result = job_result(
        "patches",
        {**args, "count": TEST_PICTURES, "seed": 0},
        label="Search test pictures for all channels of this layer",
        key="inspect_patches",
    )
    if result is None:
        return
    field, found = receptive_field(subject.plan, layer), result["found"][channel]
    patches = np.stack([crop_patch(subject.prepared, field, each) for each in found])
    tile_grid(
        patches[:, 0] if patches.shape[1] == 1 else patches,
        key="inspect_exciting",
        title=f"Strongest activations of channel {channel} of {layer}",
        names=[f"Picture {int(each[0])}, activation {each[3]:.3g}" for each in found],
        span=255.0,
        tile=72,
    )
    st.caption(
        f"From a random sample of {plural(result['count'], 'test picture')}. One value of this "
        f"feature map depends on {field.size} × {field.size} pixels (its receptive field). "
        f"{larger_than_image(field.size, subject.plan.spec.in_size)}"
    )


def _show_optimised_picture(result: Mapping[str, Any], name: str) -> None:
    """Show the picture found by optimisation, and how far the activation rose."""
    pixels = np.frombuffer(base64.b64decode(result["pixels"]), np.uint8).reshape(result["shape"])
    tile_grid(
        pixels[:1] if len(pixels) == 1 else pixels[None],
        key="inspect_maximised",
        title=f"Picture that maximises {name}",
        names=[name],
        span=255.0,
        tile=280,
    )
    st.caption(
        f"Found by optimisation: the mean activation rose from {result['began']:.3g} (noise) to "
        f"{result['answer']:.3g}. Another seed gives another picture."
    )
