"""Surgery on filters, and the pictures that excite a filter or a class most: jobs of a worker."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from cnnlib.errors import ProbeError
from cnnlib.figures.probe_surgery import surgery_figure
from cnnlib.probe.filters import convolutions
from cnnlib.probe.graph import step_named
from cnnlib.ui.inspect_choice import Subject, choose_layer
from cnnlib.ui.inspect_jobs import job_result
from cnnlib.ui.inspect_parts import tile_grid
from cnnlib.ui.words import count, percent

PICTURES = 500
_HOW = {"mute": "Mute: set it to 0", "reset": "Reset: back to its first saved weights"}


def surgery_panel(subject: Subject) -> None:
    """What the network loses when each filter of a layer is muted or reset."""
    if not convolutions(subject.plan):
        raise ProbeError("This network has no convolution, and so no filter to operate on.")
    layer = choose_layer(subject.plan, kinds=("conv2d",))
    how = st.segmented_control(
        "What is done to each filter",
        list(_HOW),
        key="inspect_how",
        default="mute",
        required=True,
        format_func=_HOW.__getitem__,
    )
    st.caption(
        f"Measured on at most {PICTURES} pictures of the validation split, chosen by a seed; the "
        "test split is not touched."
    )
    args = {"run": subject.run.id, "step": subject.moment.step, "layer": layer, "how": how}
    result = job_result(
        "surgery",
        args | {"count": PICTURES, "seed": 0},
        label="Operate on every filter of this layer",
        key="inspect_surgery",
    )
    if result is not None:
        _costs(subject, result)


def _costs(subject: Subject, result: Mapping[str, Any]) -> None:
    """Filters by what they cost, and one of them class by class."""
    cost = result["before"] - np.array(result["after"])
    order = np.argsort(-cost, kind="stable")
    st.markdown(
        f"Untouched, {percent(result['before'])} of {count(result['count'])} {result['split']} "
        "pictures are right."
    )
    options = [int(each) for each in order]
    chosen = st.selectbox(
        "Filter, the most costly first",
        options,
        key=f"inspect_operated_{len(options)}",
        format_func=lambda each: f"filter {each}: {100 * cost[each]:+.1f} points lost",
    )
    figure = surgery_figure(
        result["classes_before"], result["classes_after"][chosen], subject.info.classes, chosen
    )
    st.plotly_chart(figure, key="inspect_surgery_classes")


def dream_panel(subject: Subject) -> None:
    """The picture that excites a channel, or a class, most."""
    layer = choose_layer(subject.plan)
    step = step_named(subject.plan, layer)
    last = step.name == subject.plan.layers[-1].name
    names = subject.info.classes if last else [str(i) for i in range(step.out_shape[0])]
    with st.container(horizontal=True):
        channel = st.selectbox(
            "Class" if last else "Channel",
            range(len(names)),
            key=f"inspect_dream_{layer}",
            format_func=names.__getitem__,
        )
        seed = st.number_input("Seed of the noise it begins as", 0, 999, key="inspect_dream_seed")
    args = {"run": subject.run.id, "step": subject.moment.step, "layer": layer}
    result = job_result(
        "dream",
        args | {"channel": channel, "seed": seed},
        label="Find the picture that excites it most",
        key="inspect_dream",
    )
    if result is not None:
        _dreamt(result, names[channel])


def _dreamt(result: Mapping[str, Any], name: str) -> None:
    pixels = np.frombuffer(base64.b64decode(result["pixels"]), np.uint8).reshape(result["shape"])
    tile_grid(
        pixels[:1] if len(pixels) == 1 else pixels[None],
        key="inspect_dreamt",
        title=f"What excites {name} most",
        names=[name],
        span=255.0,
        tile=280,
    )
    st.caption(
        f"Found by optimisation. The mean answer rose from {result['began']:.3g}, for noise, to "
        f"{result['answer']:.3g}. Other seeds find other pictures."
    )
