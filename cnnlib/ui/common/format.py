"""Text for numbers, states, recipes and predictions on pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from cnnlib.records.dataset import DatasetInfo, dataset_title, drawings_title
from cnnlib.units import UNKNOWN, format_time, percent, plural
from cnnlib.vocabulary.training import OPTIMIZERS

if TYPE_CHECKING:
    import numpy as np

    from cnnlib.records.recipe import Recipe

STATE_LABELS = {
    "queued": "Waiting",
    "starting": "Starting",
    "running": "Training",
    "paused": "Paused",
    "finished": "Finished",
    "stopped": "Stopped",
    "pruned": "Pruned",
    "interrupted": "Interrupted",
    "diverged": "Diverged",
    "failed": "Failed",
    "lost": "Lost",
}


def escape_markdown(text: object) -> str:
    """Escape text so that Markdown shows it literally.

    A URL in it stays clickable; it is shown in full.
    """
    whole = _SHORTCODE.sub(f":{_JOINER}", str(text))
    return _MARKDOWN.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", whole)


# Characters with a meaning anywhere, or at the start of a line; the last one of each is escaped.
_MARKDOWN = re.compile(
    r"[\\`*_\[\]<>#$~|!&]|:(?=\S)|^\s*[-+=]|^\s*[0-9]+[.)](?=\s|$)", re.MULTILINE
)
# Streamlit replaces :smile: and :material/home: after removing the escapes.
_SHORTCODE = re.compile(r":(?=[a-z+-][\w+/-]*:)", re.IGNORECASE)
_JOINER = "\u2060"  # word joiner: invisible, and prevents a line break


def count(value: int | None) -> str:
    """Format an integer as ``44,426``; a dash if it is None."""
    return UNKNOWN if value is None else f"{value:,}"


def duration(seconds: float | None) -> str:
    """Format seconds as ``48 s``, ``3 min 20 s``, ``2 h 5 min``; a dash if None or not finite."""
    if seconds is None or not isfinite(seconds):
        return UNKNOWN
    whole = round(seconds)
    return f"{whole} s" if whole < 10 else format_time(whole)


def size(shape: Sequence[int]) -> str:
    """Format a shape as ``1 × 28 × 28`` (channels, height, width)."""
    return " × ".join(str(side) for side in shape)


def dataset_label(name: str, title: str = "") -> str:
    """Return the text for a dataset on a page: ``your drawings, set 1``, ``MNIST``.

    Args:
        name: As stored, for example ``folder:lesson 1 for mnist``.
        title: Its title in the catalogue; the stored name stands in for an unknown one.
    """
    return drawings_title(name) or title or dataset_title(name)


def dataset_menu(infos: Iterable[DatasetInfo]) -> dict[str, str]:
    """Return a distinct label for each dataset of a menu, by name."""
    return distinct({info.name: dataset_label(info.name, info.title) for info in infos})


def distinct(labels: Mapping[str, str]) -> dict[str, str]:
    """Make the labels of a menu unique: the option is appended to labels that occur twice.

    Streamlit's menus distinguish options only by their labels, so of two runs with the same title
    only one could be chosen.
    """
    times = Counter(labels.values())
    return {
        option: label if times[label] == 1 else f"{label} ({option})"
        for option, label in labels.items()
    }


def describe_answer(
    shares: Sequence[float] | np.ndarray, classes: Sequence[str], label: int | None
) -> str:
    """Format a prediction as Markdown: ``**7 (97.1 %), 9 (2.0 %), 4 (0.4 %)**. Correct.``

    Args:
        shares: Probability of each class.
        label: The true class; None if unknown.
    """
    best = sorted(range(len(shares)), key=lambda each: -shares[each])[:3]
    top_classes = escape_markdown(
        ", ".join(f"{classes[i]} ({percent(float(shares[i]), 1)})" for i in best)
    )
    if label is None:
        return f"**{top_classes}**."
    verdict = (
        "Correct."
        if best[0] == label
        else escape_markdown(f"Wrong: the true class is {classes[label]}.")
    )
    return f"**{top_classes}**. {verdict}"


def describe_recipe(recipe: Recipe, epochs: str = "") -> str:
    """Format a recipe as ``AdamW, learning rate 0.002, one cycle, 3 epochs, batch 128``.

    Args:
        epochs: Those that a run was trained for, as ``12 of 30 epochs``; "" are the recipe's.
    """
    schedule = "" if recipe.schedule == "constant" else f", {recipe.schedule.replace('_', ' ')}"
    epochs = epochs or plural(recipe.epochs, "epoch")
    name = OPTIMIZERS[recipe.optimizer].label
    balance = {"weights": ", class weights", "sampling": ", balanced sampling"}
    return (
        f"{name}, learning rate {recipe.lr:g}{schedule}, {epochs}, batch {recipe.batch_size}"
        f"{balance.get(recipe.class_balance, '')}"
    )


def pixels(size: float) -> str:
    """Format a length in pixels as ``14 px``."""
    return f"{size:,.0f} px"
