"""Browser components, and pictures as HTML: tiles, one output value, the live chart."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import streamlit as st

from cnnlib.data.drawings import png
from cnnlib.design.layer_words import layer_in_words
from cnnlib.records.probe import Arithmetic, encode_float32, encode_uint8
from cnnlib.records.run import Run
from cnnlib.ui.common.browser_component import Component
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import RUNS_ADDRESS, at_root

_grid = Component("tile_grid", "common/grid.js")
_window = Component("window", "common/window.js")

MOST_EXACT_VALUES = 2**17  # half a megabyte as float32; larger grids are sent as one byte per value
LONGEST_SIDE = 96  # pixels; larger tiles are subsampled before they are sent
Span = Literal["each", "together"]


def tile_grid(
    tiles: np.ndarray,
    *,
    key: str,
    title: str,
    names: Sequence[str],
    span: Span | float = "together",
    silent: Sequence[int] | np.ndarray = (),
    dead: Sequence[int] | np.ndarray = (),
    selected: int | None = None,
    on_pick: Callable[[int], None] | None = None,
    tile: int = 56,
) -> None:
    """Draw many small pictures on one canvas; the values under the pointer are shown as text.

    Args:
        tiles: N x H x W, or N x 3 x H x W for colour; values of any range.
        names: One name per tile.
        span: Range of the colours: per tile, over all tiles, or a given largest absolute value. It
            is symmetric about zero if any value is negative.
        silent: Indices of tiles to cross out once: one value everywhere.
        dead: Indices of tiles to cross out twice: the same value on many pictures.
        selected: Index of the framed tile; None if tiles cannot be picked.
        on_pick: Called with the index of the clicked tile before the page reruns.
        tile: Approximate width of a tile on the screen, in pixels.
    """
    data = grid_data(tiles, span) | {
        "title": title,
        "names": list(names),
        "silent": [int(each) for each in silent],
        "dead": [int(each) for each in dead],
        "selected": selected,
        "tile": tile,
        "hint": "Move the pointer over a picture to read its values."
        + ("" if selected is None else " Click a picture to choose it."),
    }

    def handle_pick() -> None:
        index = st.session_state[key].get("picked")
        if on_pick is not None and isinstance(index, int) and 0 <= index < len(tiles):
            on_pick(index)

    _grid(key=key, data=data, on_picked_change=handle_pick)


def grid_data(tiles: np.ndarray, span: Span | float) -> dict[str, Any]:
    """Return the values and colour limits in the form that common/grid.js reads."""
    tiles = np.nan_to_num(tiles.astype(np.float32), posinf=0, neginf=0)
    stride = -(-max(tiles.shape[-2:]) // LONGEST_SIDE)
    tiles = np.ascontiguousarray(tiles[..., ::stride, ::stride])
    flat = tiles.reshape(len(tiles), -1)
    signed = bool((tiles < 0).any())
    return {
        "count": len(tiles),
        "height": tiles.shape[-2],
        "width": tiles.shape[-1],
        "channels": tiles.shape[1] if tiles.ndim == 4 else 1,
        "size": flat.shape[1],
        "signed": signed,
        "limits": _colour_limits(flat, span, signed),
        **_pack_values(flat),
    }


def _colour_limits(flat: np.ndarray, span: Span | float, signed: bool) -> list[list[float]]:
    """Return [lowest, highest] value of the colours, per tile or once for all tiles."""
    if span == "each":
        largest = np.abs(flat).max(axis=1)
    else:
        largest = np.array([np.abs(flat).max() if span == "together" else span])
    return [[-float(each) if signed else 0.0, float(each)] for each in largest]


def _pack_values(flat: np.ndarray) -> Mapping[str, Any]:
    """Encode N x values as base64: float32 if few, else one byte each between a tile's limits."""
    if flat.size <= MOST_EXACT_VALUES:
        return {"exact": True, "values": encode_float32(flat), "lows": [], "highs": []}
    lows, highs = flat.min(axis=1), flat.max(axis=1)
    range_ = np.where(highs > lows, highs - lows, 1)[:, None]
    levels = np.round((flat - lows[:, None]) / range_ * 255).astype(np.uint8)
    text = encode_uint8(levels)
    return {"exact": False, "values": text, "lows": lows.tolist(), "highs": highs.tolist()}


def window_view(shown: Arithmetic, *, key: str, source: str = "the network's own value") -> None:
    """Show the arithmetic of one output value; the browser moves the window without a rerun.

    Args:
        source: Name of the value that the sum is compared with.
    """
    _window({"source": source, **window_data(shown)}, key=key)


def window_data(shown: Arithmetic) -> dict[str, Any]:
    """Return an `Arithmetic` in the form that common/window.js reads."""
    return shown.packed() | {
        "layer": shown.layer,
        "bias": shown.bias,
        "names": [_capitalise_name(name) for name in shown.input_names],
        "after": [
            {"name": layer_in_words(name), "values": encode_float32(values)}
            for name, values in shown.after
        ],
    }


def _capitalise_name(name: str) -> str:
    """Capitalise a name, unless it contains a module path such as ``features.conv1``."""
    return name if "." in name else name[:1].upper() + name[1:]


_document = Component("document", "common/document.js")


def document(html: str, *, key: str) -> None:
    """Show HTML with drawings and styles of its own, which `st.html` would remove.

    Args:
        html: Written by this program, with all names escaped.
    """
    _document({"html": html}, key=key)


_confusion = Component("confusion", "common/confusion.bundle.js")


def confusion_table(
    counts: np.ndarray,
    classes: Sequence[str],
    *,
    key: str,
    chosen: tuple[int, int] | None = None,
    shares: bool = False,
    on_pick: Callable[[int, int], None] | None = None,
) -> None:
    """Show a confusion matrix; the diagonal, which is right, stands out.

    Args:
        counts: Classes x classes counts (row: true, column: predicted).
        chosen: The framed cell; None if cells cannot be picked.
        shares: Whether to show percentages of the true class.
        on_pick: Called with row and column of the clicked cell before the page reruns.
    """

    def handle_pick() -> None:
        cell = st.session_state[key].get("picked")
        if on_pick is not None and cell and all(0 <= each < len(classes) for each in cell):
            on_pick(*cell)

    data = {
        "counts": counts.tolist(),
        "classes": list(classes),
        "chosen": chosen,
        "shares": shares,
    }
    _confusion(key=key, data=data, on_picked_change=handle_pick)


_live_chart = Component("live_chart", "common/live/live.bundle.js")


def live_chart(
    runs: Sequence[Run],
    *,
    key: str,
    status: bool = True,
    outcomes: Mapping[str, str] | None = None,
    colours: Mapping[str, int] | None = None,
) -> None:
    """Show the curves of runs in shared charts.

    The page reruns when a run changes its state, its name or a setting, or was deleted.

    Args:
        runs: The runs as last read by the page.
        status: Whether to show the state and numbers of each run; otherwise only its name.
        outcomes: Sentence on the result of each ended run, by run id; shown beside its state.
        colours: Number of the colour of each run, by run id; None: each has its own.
    """
    _live_chart(
        key=key,
        data={
            "runs_address": at_root(RUNS_ADDRESS),
            "runs": [
                {
                    "id": run.id,
                    "name": run.title,
                    "state": run.state,
                    "changes": len(run_store().interventions(run.id)),
                    "training_loss_terms": run.request.recipe.training_loss_terms,
                    "outcome": (outcomes or {}).get(run.id, ""),
                    "colour": (colours or {}).get(run.id),
                }
                for run in runs
            ],
            "status": status,
        },
        on_changed_change=lambda: None,
    )


CLASSES_SHOWN = 12


def first_of_each_class(labels: np.ndarray, class_count: int) -> list[int]:
    """Return the index of the first picture of each class; classes without pictures are omitted."""
    found = []
    for label in range(class_count):
        matches = labels == label
        if matches.any():
            found.append(int(matches.argmax()))
    return found


def data_uri(image: np.ndarray) -> str:
    """Encode a picture (C x H x W, uint8, one or three channels) as a PNG data URI."""
    return "data:image/png;base64," + base64.b64encode(png(image)).decode()


def strip_html(
    images: Sequence[np.ndarray], names: Sequence[str], *, in_one_row: bool = False
) -> str:
    """Return the HTML of a row of pictures, unsmoothed, with names below.

    Args:
        in_one_row: The pictures become small instead of wrapping.
    """
    figures = "".join(_figure_html(image, name) for image, name in zip(images, names, strict=True))
    row = " row" if in_one_row else ""
    return f'<div class="strip{row}">{figures}</div>'


def _figure_html(image: np.ndarray, name: str) -> str:
    name = html.escape(name)
    return (
        f'<figure><img src="{data_uri(image)}" alt="Example of class {name}">'
        f"<figcaption>{name}</figcaption></figure>"
    )
