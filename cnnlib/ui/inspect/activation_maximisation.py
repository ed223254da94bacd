"""The activation panel: test patches and an optimised picture that maximise one channel."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from cnnlib.probe.graph import step_named
from cnnlib.probe.receptive_field import crop_patch, receptive_field
from cnnlib.ui.common.components import tile_grid
from cnnlib.ui.common.job_status import job_result
from cnnlib.ui.inspect.selection import Subject, choose_layer
from cnnlib.units import plural

if TYPE_CHECKING:
    from collections.abc import Mapping

PICTURES = 1000


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
        {**args, "count": PICTURES, "seed": 0},
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
        f"feature map depends on {field.size} × {field.size} pixels (its receptive field)."
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
