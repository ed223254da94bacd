"""Filters, feature maps and their gradients of one layer, for one picture, as they are now."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from cnnlib.data.prepared import Prepared
from cnnlib.design.plan import Plan, plan
from cnnlib.probe.filters import filter_norms, filters, silent_maps
from cnnlib.probe.graph import step_named, steps
from cnnlib.records.run import Run
from cnnlib.ui.draw_why import kept_drawing
from cnnlib.ui.inspect_parts import tile_grid
from cnnlib.ui.inspect_source import Moment, Picture, probabilities, test_picture
from cnnlib.ui.live_source import gradients_now, maps_now, weights_now
from cnnlib.ui.pictures import data_uri
from cnnlib.ui.words import percent

PICTURE = "train_look_picture"
MOST_TILES = 64
_FIRST_LAYERS = ("activation", "conv2d")  # where feature maps say most


def layers_view(
    run: Run, moment: Moment, data: Prepared, normalise: Callable[[np.ndarray], np.ndarray]
) -> None:
    """The picture with the answer on the left, the chosen layer on the right."""
    planned = plan(run.request.spec)
    left, right = st.columns([1, 3], gap="medium")
    with left:
        picture = _choose_picture(data)
        layer = _choose_layer(planned)
        wants_gradients = picture.label is not None and st.toggle(
            "Gradients", key="train_look_gradients", help="What would change the loss, instead."
        )
    image = normalise(picture.pixels)
    maps = maps_now(moment, run, image)
    with left:
        _answer(picture, maps[planned.layers[-1].name][0], data.info.classes)
    with right:
        st.caption(f"At step {moment.step:,}")
        if wants_gradients:
            found = gradients_now(moment, run, image, picture.label or 0)
            _show_filters(found.weights.get(f"{layer}.weight"), layer, run, "Gradients of the ")
            _show_maps(found.maps[layer], layer, run, "Gradients of the ")
        else:
            _show_filters(_filters(planned, moment, layer), layer, run)
            _show_maps(maps[layer][0], layer, run)


def _choose_picture(data: Prepared) -> Picture:
    """A test picture, or the drawing that the person made."""
    drawing = kept_drawing(data)
    if drawing is not None and st.toggle("My drawing", value=True, key="train_look_drawing"):
        picture = drawing
    else:
        last = len(data.test_labels) - 1
        st.session_state[PICTURE] = min(st.session_state.get(PICTURE, 0), last)
        picture = test_picture(data, st.number_input("Test picture", 0, last, key=PICTURE))
    st.html(
        f'<img src="{data_uri(picture.pixels)}" alt="The picture looked at" width="112" '
        'height="112" style="image-rendering:pixelated;border-radius:4px;display:block">'
    )
    return picture


def _choose_layer(planned: Plan) -> str:
    shapes = {step.name: (step.kind, step.out_shape) for step in steps(planned)}
    names = list(shapes)
    start = next((n for kind in _FIRST_LAYERS for n in names if shapes[n][0] == kind), names[0])

    def words(name: str) -> str:
        kind, shape = shapes[name]
        return f"{name} ({kind.replace('_', ' ')}, {' × '.join(map(str, shape))})"

    return st.selectbox(
        "Layer",
        names,
        index=names.index(start),
        key=f"train_look_layer_{hash(tuple(names))}",
        format_func=words,
    )


def _answer(picture: Picture, scores: np.ndarray, classes: tuple[str, ...]) -> None:
    """What the network says about the picture, the likeliest classes in words."""
    shares = probabilities(scores)
    best = np.argsort(-shares)[:3]
    said = ", ".join(f"{classes[i]} ({percent(float(shares[i]), 0)})" for i in best)
    verdict = ""
    if picture.label is not None:
        verdict = " Right." if best[0] == picture.label else f" It is {classes[picture.label]}."
    st.markdown(f"It says **{said}**.{verdict}")


def _filters(planned: Plan, moment: Moment, layer: str) -> np.ndarray | None:
    """The filters of a convolution; None where the layer has none."""
    if step_named(planned, layer).kind != "conv2d":
        return None
    return filters(planned, weights_now(moment), layer)


def _show_filters(found: np.ndarray | None, layer: str, run: Run, of: str = "") -> None:
    if found is None or found.ndim != 4:
        return
    shown = found[:MOST_TILES]
    norms = filter_norms(shown)
    in_colour = shown.shape[1] == 3
    _heading(f"{of}filters" if of else "Filters", len(shown), len(found), in_colour, shown.shape[1])
    tile_grid(
        shown if in_colour else shown.mean(axis=1),
        key=f"train_filters_{run.id}",
        title=f"{of}filters of {layer}",
        names=[f"filter {i}, length {norm:.3g}" for i, norm in enumerate(norms)],
        tile=40,
    )


def _heading(what: str, shown: int, count: int, in_colour: bool, depth: int) -> None:
    mean = "" if in_colour or depth == 1 else f", each the mean over its {depth} input channels"
    first = "" if shown == count else f", the first {shown} of {count}"
    st.markdown(f"**{what}**{first}{mean}")


def _show_maps(values: np.ndarray, layer: str, run: Run, of: str = "") -> None:
    """The maps of a layer; a flat layer is one row of features."""
    flat = values.ndim == 1
    shown = values[:MOST_TILES, None, None] if flat else values[:MOST_TILES]
    what = "features" if flat else "feature maps"
    quiet = np.flatnonzero(silent_maps(shown)) if not flat else np.array([], int)
    first = "" if len(shown) == len(values) else f", the first {len(shown)} of {len(values)}"
    crossed = f", {len(quiet)} silent and crossed out" if len(quiet) else ""
    st.markdown(
        f"**{of}{what}**{first}{crossed}" if of else f"**{what.capitalize()}**{first}{crossed}"
    )
    tile_grid(
        shown,
        key=f"train_maps_{run.id}",
        title=f"{of}{what} of {layer}",
        names=[f"{'feature' if flat else 'channel'} {i}" for i in range(len(shown))],
        silent=[int(i) for i in quiet],
        tile=26 if flat else 56,
    )
