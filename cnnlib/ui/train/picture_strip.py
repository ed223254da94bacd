"""A strip of test pictures with the likeliest classes of each, marked right or wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from cnnlib.ui.common.shared import prepared as open_prepared
from cnnlib.ui.common.thumbnails import data_uri
from cnnlib.ui.common.urls import LOADER, script

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnnlib.data.prepared import Prepared
    from cnnlib.records.dataset import DatasetInfo

PICTURES = 20
MOST_MACS = 1_000_000_000  # for one update of the strip: 0.1 s on one thread
_SHOWN_CLASSES = 3

_strip = st.components.v2.component("cnnlab_live_strip", js=LOADER)


@dataclass(frozen=True)
class Strip:
    """Test pictures that are classified at each update.

    Args:
        indices: Positions in the test split.
        labels: True classes.
        uris: The pictures as data URIs.
    """

    indices: tuple[int, ...]
    labels: tuple[int, ...]
    uris: tuple[str, ...]


def strip_size(macs: int) -> int:
    """Number of pictures, 1 to `PICTURES`, for a network with this many MACs per picture."""
    return max(1, min(PICTURES, MOST_MACS // max(1, macs)))


@st.cache_data(show_spinner=False, max_entries=8)
def choose_strip(dataset: str, fingerprint: str, size: int) -> Strip:
    """Choose pictures of the test split, the classes in turn."""
    data = open_prepared(dataset, fingerprint)
    indices = class_balanced_indices(data.test_labels, len(data.info.classes), size)
    labels = tuple(int(data.test_labels[index]) for index in indices)
    return Strip(indices, labels, tuple(data_uri(data.test_images[index]) for index in indices))


def class_balanced_indices(labels: np.ndarray, classes: int, size: int) -> tuple[int, ...]:
    """Positions of the first picture of each class, then the second of each, up to ``size``."""
    of_class = [np.flatnonzero(labels == label) for label in range(classes)]
    rounds = max((len(each) for each in of_class), default=0)
    indices = (each[turn] for turn in range(rounds) for each in of_class if turn < len(each))
    return tuple(int(index) for _, index in zip(range(size), indices, strict=False))


def strip_images(data: Prepared, strip: Strip) -> np.ndarray:
    """The pictures of a strip: N x C x H x W, uint8."""
    return np.array(data.test_images[list(strip.indices)])


def build_strip_data(
    strip: Strip, probabilities: np.ndarray, info: DatasetInfo, step: int
) -> dict[str, Any]:
    """Build the data for the browser: the likeliest classes of each picture.

    Args:
        probabilities: N x classes.
    """
    cards = []
    for uri, label, row in zip(strip.uris, strip.labels, probabilities, strict=True):
        best = np.argsort(-row, kind="stable")[:_SHOWN_CLASSES]
        top = [
            {"name": info.classes[i], "share": round(float(row[i]), 4), "true": bool(i == label)}
            for i in best
        ]
        truth = info.classes[label]
        is_right = bool(best[0] == label)
        cards.append({"uri": uri, "truth": truth, "right": is_right, "predictions": top})
    return {"step": step, "cards": cards}


def show_strip(shown: dict[str, Any], key: str, on_pick: Callable[[int], None]) -> None:
    """Show the strip; the browser updates it in place, without flicker.

    Args:
        shown: From `build_strip_data`.
        on_pick: Called with the position of a picture that was clicked.
    """

    def picked() -> None:
        position = st.session_state[key].get("picked")
        if isinstance(position, int) and 0 <= position < len(shown["cards"]):
            on_pick(position)

    _strip(key=key, data=shown | {"script": script("train/strip.js")}, on_picked_change=picked)
