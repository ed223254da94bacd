"""The live view of one layer: filters, feature maps and their gradients for one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cnnlib.design.plan import Plan, plan
from cnnlib.probe.filters import filter_norms, filters, silent_maps
from cnnlib.probe.graph import step_named, steps
from cnnlib.ui.common.components import tile_grid
from cnnlib.ui.common.format import describe_answer
from cnnlib.ui.common.pickers.layer_picker import layer_menu
from cnnlib.ui.common.pickers.picture_picker import DRAW, TEST, choose_picture
from cnnlib.ui.common.saved_steps import SavedStep, probabilities, weights_at
from cnnlib.ui.common.viewer import gradients, layer_outputs

if TYPE_CHECKING:
    from cnnlib.data.prepared import Prepared
    from cnnlib.records.run import Run

PAGE = "train_look"  # prefix of the widget keys
MOST_TILES = 64
_FIRST_LAYERS = ("activation", "conv2d")  # layer kinds that are selected at first


def layers_view(run: Run, saved_step: SavedStep, data: Prepared) -> None:
    """Show the picture and the prediction on the left, the chosen layer on the right."""
    planned = plan(run.request.spec)
    left, right = st.columns([2, 3], gap="medium")  # the pad needs its width
    with left:
        picture = choose_picture(data, PAGE, (TEST, DRAW))
        layer = _choose_layer(planned)
        wants_gradients = picture.label is not None and st.toggle(
            "Gradients", key=f"{PAGE}_gradients", help="Gradients of the loss instead of values."
        )
    maps = layer_outputs(saved_step, picture, data.info)
    with left:
        scores = maps[planned.layers[-1].name][0]
        answer = describe_answer(probabilities(scores), data.info.classes, picture.label)
        st.markdown(f"Prediction: {answer}")
    with right:
        st.caption(f"At step {saved_step.step:,}")
        if wants_gradients:
            found = gradients(saved_step, picture, data.info)
            _show_filters(found.weights.get(f"{layer}.weight"), layer, run, "Gradients of the ")
            _show_maps(found.maps[layer], layer, run, "Gradients of the ")
        else:
            _show_filters(_filters(planned, saved_step, layer), layer, run)
            _show_maps(maps[layer][0], layer, run)


def _choose_layer(planned: Plan) -> str:
    kinds = {step.name: step.kind for step in steps(planned)}
    names = list(kinds)
    default = next((name for kind in _FIRST_LAYERS for name in names if kinds[name] == kind), "")
    return layer_menu(planned, names, default, key=f"{PAGE}_layer")


def _filters(planned: Plan, saved_step: SavedStep, layer: str) -> np.ndarray | None:
    """The filters of a convolution; None for any other layer."""
    if step_named(planned, layer).kind != "conv2d":
        return None
    return filters(planned, weights_at(saved_step), layer)


def _show_filters(values: np.ndarray | None, layer: str, run: Run, prefix: str = "") -> None:
    """Show filters as tiles; nothing if the values are no filters of a convolution.

    Args:
        values: Filters x depth x height x width.
        prefix: Of the title, such as "Gradients of the ".
    """
    if values is None or values.ndim != 4:
        return
    shown = values[:MOST_TILES]
    norms = filter_norms(shown)
    depth = shown.shape[1]
    mean = "" if depth in (1, 3) else f", each the mean over its {depth} input channels"
    _title(f"{prefix}filters", len(shown), len(values), mean)
    tile_grid(
        shown if depth == 3 else shown.mean(axis=1),
        key=f"train_filters_{run.id}",
        title=f"{prefix}filters of {layer}",
        names=[f"Filter {i}, L2 norm {norm:.3g}" for i, norm in enumerate(norms)],
        tile=40,
    )


def _show_maps(values: np.ndarray, layer: str, run: Run, prefix: str = "") -> None:
    """Show the maps of a layer as tiles.

    Args:
        values: Channels x height x width, or the features of a flat layer, shown in a row.
        prefix: Of the title, such as "Gradients of the ".
    """
    flat = values.ndim == 1
    shown = values[:MOST_TILES, None, None] if flat else values[:MOST_TILES]
    what = "features" if flat else "feature maps"
    silent = np.flatnonzero(silent_maps(shown)) if not flat else np.array([], int)
    crossed = f", {len(silent)} constant (crossed out)" if len(silent) else ""
    _title(f"{prefix}{what}", len(shown), len(values), crossed)
    tile_grid(
        shown,
        key=f"train_maps_{run.id}",
        title=f"{prefix}{what} of {layer}",
        names=[f"{'Feature' if flat else 'Channel'} {i}" for i in range(len(shown))],
        silent=silent,
        tile=26 if flat else 56,
    )


def _title(what: str, shown: int, count: int, suffix: str) -> None:
    """Show a title: ``Feature maps, the first 64 of 128, 3 constant (crossed out)``."""
    limit = "" if shown == count else f", the first {shown} of {count}"
    st.markdown(f"**{what[0].upper()}{what[1:]}**{limit}{suffix}")
