"""The two browser parts of Inspect: many small pictures on one canvas, one value in numbers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import streamlit as st

from cnnlib.ui.common.urls import LOADER, script

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cnnlib.records.probe import Arithmetic

_grid = st.components.v2.component("cnnlab_tile_grid", js=LOADER)
_window = st.components.v2.component("cnnlab_window", js=LOADER)

MOST_EXACT_VALUES = 2**17  # as float32 half a megabyte; beyond it a byte each
LONGEST_SIDE = 96  # pixels of a tile that are sent
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
    """Many small pictures on one canvas, with their numbers under the pointer.

    Args:
        tiles: N x H x W, or N x 3 x H x W for colour, of any range.
        names: One for each tile.
        span: The range of the colours: each tile's own, all tiles' together, or a given largest
            absolute value. Where some value is negative it is symmetric about zero.
        silent: Tiles to be crossed out once: one value everywhere.
        dead: Tiles to be crossed out twice: the same on many pictures.
        selected: The tile that is framed; None where there is nothing to pick.
        on_pick: Is called with the tile that was clicked, before the page runs again.
        tile: Pixels that a tile is wide on the screen, about.
    """
    data = grid_data(tiles, span) | {
        "script": script("common/grid.js"),
        "title": title,
        "names": list(names),
        "silent": [int(each) for each in silent],
        "dead": [int(each) for each in dead],
        "selected": selected,
        "tile": tile,
        "hint": "Point at a tile to read its numbers."
        + ("" if selected is None else " Click one to choose it."),
    }

    def picked() -> None:
        choice = st.session_state[key].get("picked")
        if on_pick is not None and isinstance(choice, int) and 0 <= choice < len(tiles):
            on_pick(choice)

    _grid(key=key, data=data, on_picked_change=picked)


def grid_data(tiles: np.ndarray, span: Span | float) -> dict[str, Any]:
    """Values and colour limits as the script takes them."""
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
        "limits": _limits(flat, span, signed),
        **_packed(flat),
    }


def _limits(flat: np.ndarray, span: Span | float, signed: bool) -> list[list[float]]:
    """Lowest and highest value of the colours, per tile or once for all."""
    if span == "each":
        most = np.abs(flat).max(axis=1)
    else:
        most = np.array([np.abs(flat).max() if span == "together" else span])
    return [[-float(each) if signed else 0.0, float(each)] for each in most]


def _packed(flat: np.ndarray) -> Mapping[str, Any]:
    """N x values as base64: exact where they are few, else a byte each between a tile's limits."""
    if flat.size <= MOST_EXACT_VALUES:
        return {"exact": True, "values": encoded(flat), "lows": [], "highs": []}
    lows, highs = flat.min(axis=1), flat.max(axis=1)
    range_ = np.where(highs > lows, highs - lows, 1)[:, None]
    levels = np.round((flat - lows[:, None]) / range_ * 255).astype(np.uint8)
    text = base64.b64encode(levels.tobytes()).decode()
    return {"exact": False, "values": text, "lows": lows.tolist(), "highs": highs.tolist()}


def window_view(shown: Arithmetic, *, key: str, teller: str = "The network") -> None:
    """One output value, number by number; the browser moves the window without asking.

    Args:
        teller: Who computed the output that the numbers are compared with.
    """
    data = {"script": script("common/window.js"), "teller": teller, **window_data(shown)}
    _window(key=key, data=data)


def window_data(shown: Arithmetic) -> dict[str, Any]:
    """An `Arithmetic` as the script takes it."""
    count, height, width = shown.inputs.shape
    return {
        "layer": shown.layer,
        "count": count,
        "height": height,
        "width": width,
        "kernel_height": shown.kernel.shape[1],
        "kernel_width": shown.kernel.shape[2],
        "rows": shown.output.shape[0],
        "columns": shown.output.shape[1],
        "stride": shown.stride,
        "padding": shown.padding,
        "dilation": shown.dilation,
        "reduce": shown.reduce,
        "bias": shown.bias,
        "names": [_headed(name) for name in shown.input_names],
        "inputs": encoded(shown.inputs),
        "kernel": encoded(shown.kernel),
        "output": encoded(shown.output),
        "after": [{"name": name, "values": encoded(values)} for name, values in shown.after],
    }


def _headed(name: str) -> str:
    """With a capital, unless it begins with the name of a module."""
    return name if "." in name else name[:1].upper() + name[1:]


def encoded(values: np.ndarray) -> str:
    """Base64 of little-endian float32."""
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()
