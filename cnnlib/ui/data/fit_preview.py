"""Preview of the fit: a few pictures of an own dataset, fitted into a square in each way."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.data.image_folder.fit_preview import FitExample, fit_examples
from cnnlib.data.image_folder.sources import FolderSource, folder_source
from cnnlib.ui.common.components import data_uri
from cnnlib.ui.common.messages import errors_shown
from cnnlib.ui.common.shared import folders
from cnnlib.vocabulary.datasets import FITS

if TYPE_CHECKING:
    from collections.abc import Sequence

FIT_HELP = "How pictures that are not square are made square. " + " ".join(
    f"{fit.label}: {fit.help}." for fit in FITS.values()
)


def fit_preview(name: str, size: int, channels: int) -> None:
    """Show a few pictures of a dataset that are not square, with the three fits side by side."""
    source = folder_source(name, folders())
    if source is None:  # removed in the meantime
        return
    with errors_shown():
        examples = _examples(source, json.dumps(source.state()), size, channels)
        if not examples:
            st.caption("The pictures are square, so crop, pad and stretch give the same.")
            return
        st.caption("Pictures that are not square, as a network sees them with each fit:")
        st.html(preview_html(examples))


@st.cache_data(show_spinner="Opening a few pictures", max_entries=16)
def _examples(_source: FolderSource, state: str, size: int, channels: int) -> list[FitExample]:
    return fit_examples(_source, size, channels)


def preview_html(examples: Sequence[FitExample]) -> str:
    """Build a table: a row per picture, a column per fit."""
    titles = [*(fit.label for fit in FITS.values()), "File"]
    heads = "".join(f'<th scope="col">{title}</th>' for title in titles)
    rows = "".join(_row_html(example) for example in examples)
    return f'<table class="fits" style="{_TABLE}"><tr>{heads}</tr>{rows}</table>'


_TABLE = "border-spacing:0.5rem;margin-left:-0.5rem;text-align:left;font-size:0.875rem"
_PICTURE = (
    "width:clamp(56px,18vw,96px);aspect-ratio:1;image-rendering:pixelated;display:block;"
    "border-radius:3px"
)


def _row_html(example: FitExample) -> str:
    path = html.escape(example.path.encode("utf-8", "replace").decode())
    cells = "".join(
        f'<td><img src="{data_uri(example.fitted[name])}" alt="{path}, {fit.label}" '
        f'style="{_PICTURE}"></td>'
        for name, fit in FITS.items()
    )
    size = f"{example.width:,} × {example.height:,}"
    return f'<tr>{cells}<td style="overflow-wrap:anywhere">{path}<br>{size} pixels</td></tr>'
