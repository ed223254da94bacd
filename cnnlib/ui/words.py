"""Numbers and states as pages write them."""

from __future__ import annotations

from math import isfinite

from cnnlib.compare.explained import time_words
from cnnlib.records.recipe import Recipe

STATE_WORDS = {
    "queued": "Waiting",
    "starting": "Starting",
    "running": "Training",
    "paused": "Paused",
    "finished": "Finished",
    "stopped": "Stopped",
    "interrupted": "Interrupted",
    "diverged": "Diverged",
    "failed": "Failed",
    "lost": "Lost",
}


def plain(name: str) -> str:
    """A name, which anybody may have given, in which nothing is Markdown."""
    return "".join(f"\\{letter}" if letter in _MARKDOWN else letter for letter in name)


_MARKDOWN = frozenset(r"\`*_[]<>#$:~|!")


def percent(fraction: float | None, digits: int = 2) -> str:
    """``97.25 %``; a dash where it is not known."""
    return "–" if fraction is None else f"{100 * fraction:.{digits}f} %"


def count(value: int | None) -> str:
    """``44,426``; a dash where it is not known."""
    return "–" if value is None else f"{value:,}"


def short_count(value: float | None) -> str:
    """``44.4 K``, ``1.66 M``: three digits and a unit."""
    if value is None:
        return "–"
    for unit, size in (("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f}"


def duration(seconds: float | None) -> str:
    """``48 s``, ``3 min 20 s``, ``2 h 5 min``; a dash where it is not known."""
    if seconds is None or not isfinite(seconds):
        return "–"
    whole = round(seconds)
    return f"{whole} s" if whole < 10 else time_words(whole)


def ago(seconds: float) -> str:
    """``just now``, ``3 min ago``, ``2 h ago``, ``5 days ago``."""
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 86_400:
        return f"{seconds // 3600:.0f} h ago"
    days = int(seconds // 86_400)
    return f"{days} day{'s' if days > 1 else ''} ago"


def size(shape: tuple[int, int, int]) -> str:
    """``1 x 28 x 28``, as channels, height and width."""
    return " × ".join(str(side) for side in shape)


def describe_recipe(recipe: Recipe) -> str:
    """``AdamW, learning rate 0.002, one cycle, 3 epochs, batch 128``."""
    schedule = "" if recipe.schedule == "constant" else f", {recipe.schedule.replace('_', ' ')}"
    epochs = f"{recipe.epochs} epoch{'' if recipe.epochs == 1 else 's'}"
    name = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}.get(
        recipe.optimizer, recipe.optimizer.capitalize()
    )
    return f"{name}, learning rate {recipe.lr:g}{schedule}, {epochs}, batch {recipe.batch_size}"
