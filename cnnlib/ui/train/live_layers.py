"""Filters, feature maps and their gradients of one layer, for one picture, as they are now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cnnlib.design.plan import Plan, plan
from cnnlib.probe.filters import filter_norms, filters, silent_maps
from cnnlib.probe.graph import step_named, steps
from cnnlib.ui.common.components import tile_grid
from cnnlib.ui.common.format import describe_answer
from cnnlib.ui.common.live_weights import gradients_now, maps_now, weights_now
from cnnlib.ui.common.network_cache import SavedStep, normalised, probabilities
from cnnlib.ui.common.pickers.layer_picker import layer_menu
from cnnlib.ui.common.pickers.picture_picker import DRAW, TEST, choose_picture

if TYPE_CHECKING:
    from cnnlib.data.prepared import Prepared
    from cnnlib.records.run import Run

PAGE = "train_look"  # what the keys of the widgets begin with
MOST_TILES = 64
_FIRST_LAYERS = ("activation", "conv2d")  # where feature maps say most


def layers_view(run: Run, moment: SavedStep, data: Prepared) -> None:
    """The picture with the answer on the left, the chosen layer on the right."""
    planned = plan(run.request.spec)
    left, right = st.columns([2, 3], gap="medium")  # the pad needs its width
    with left:
        picture = choose_picture(data, PAGE, (TEST, DRAW))
        layer = _choose_layer(planned)
        wants_gradients = picture.label is not None and st.toggle(
            "Gradients", key=f"{PAGE}_gradients", help="What would change the loss, instead."
        )
    image = normalised(picture.pixels, data.info)
    maps = maps_now(moment, run, image)
    with left:
        scores = maps[planned.layers[-1].name][0]
        said = describe_answer(probabilities(scores), data.info.classes, picture.label)
        st.markdown(f"It says {said}")
    with right:
        st.caption(f"At step {moment.step:,}")
        if wants_gradients:
            found = gradients_now(moment, run, image, picture.label or 0)
            _show_filters(found.weights.get(f"{layer}.weight"), layer, run, "Gradients of the ")
            _show_maps(found.maps[layer], layer, run, "Gradients of the ")
        else:
            _show_filters(_filters(planned, moment, layer), layer, run)
            _show_maps(maps[layer][0], layer, run)


def _choose_layer(planned: Plan) -> str:
    kinds = {step.name: step.kind for step in steps(planned)}
    names = list(kinds)
    first = next((name for kind in _FIRST_LAYERS for name in names if kinds[name] == kind), "")
    return layer_menu(planned, names, first, key=f"{PAGE}_layer")


def _filters(planned: Plan, moment: SavedStep, layer: str) -> np.ndarray | None:
    """The filters of a convolution; None where the layer has none."""
    if step_named(planned, layer).kind != "conv2d":
        return None
    return filters(planned, weights_now(moment), layer)


def _show_filters(found: np.ndarray | None, layer: str, run: Run, of: str = "") -> None:
    """Filters, or what is ``of`` them; nothing where a layer has none."""
    if found is None or found.ndim != 4:
        return
    shown = found[:MOST_TILES]
    norms = filter_norms(shown)
    depth = shown.shape[1]
    mean = "" if depth in (1, 3) else f", each the mean over its {depth} input channels"
    _title(f"{of}filters", len(shown), len(found), mean)
    tile_grid(
        shown if depth == 3 else shown.mean(axis=1),
        key=f"train_filters_{run.id}",
        title=f"{of}filters of {layer}",
        names=[f"Filter {i}, length {norm:.3g}" for i, norm in enumerate(norms)],
        tile=40,
    )


def _show_maps(values: np.ndarray, layer: str, run: Run, of: str = "") -> None:
    """The maps of a layer, or what is ``of`` them; a flat layer is one row of features."""
    flat = values.ndim == 1
    shown = values[:MOST_TILES, None, None] if flat else values[:MOST_TILES]
    what = "features" if flat else "feature maps"
    quiet = np.flatnonzero(silent_maps(shown)) if not flat else np.array([], int)
    crossed = f", {len(quiet)} silent and crossed out" if len(quiet) else ""
    _title(f"{of}{what}", len(shown), len(values), crossed)
    tile_grid(
        shown,
        key=f"train_maps_{run.id}",
        title=f"{of}{what} of {layer}",
        names=[f"{'Feature' if flat else 'Channel'} {i}" for i in range(len(shown))],
        silent=quiet,
        tile=26 if flat else 56,
    )


def _title(what: str, shown: int, count: int, more: str) -> None:
    """``Feature maps, the first 64 of 128, 3 silent and crossed out``."""
    first = "" if shown == count else f", the first {shown} of {count}"
    st.markdown(f"**{what[0].upper()}{what[1:]}**{first}{more}")
