"""The settings that the form of an experiment offers: their labels, values and ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnlib.compare.differences import setting_label
from cnnlib.experiments.search_space import SETTINGS
from cnnlib.vocabulary.layers import ACTIVATIONS, BLOCKS, NORMS, POOLINGS
from cnnlib.vocabulary.training import OPTIMIZERS, SCHEDULES

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Choice:
    """A setting in the menu.

    Args:
        values: Values that are offered, as they are typed; the person may add others.
        chosen: The first values of these, which are chosen at first.
        range: Lowest and highest value of a search, and whether its scale is logarithmic; None
            where a search chooses among values, too.
    """

    label: str
    values: tuple[str, ...] = ()
    chosen: int = 3
    range: tuple[float, float, bool] | None = None


def _names(table: Iterable[str]) -> tuple[str, ...]:
    return tuple(table)


# The usual ones first; the others follow by their labels, and their values are typed.
_USUAL: dict[str, Choice] = {
    "lr": Choice("Learning rate", ("0.003", "0.01", "0.03", "0.001", "0.1"), 3, (1e-4, 1e-1, True)),
    "optimizer": Choice("Optimiser", _names(OPTIMIZERS), 2),
    "schedule": Choice("Learning rate schedule", _names(SCHEDULES), 2),
    "batch_size": Choice("Batch size", ("32", "64", "128", "256"), 3),
    "epochs": Choice("Epochs", ("1", "3", "10"), 2, (1, 10, False)),
    "weight_decay": Choice("Weight decay", ("0", "1e-4", "5e-4", "1e-3"), 2, (1e-6, 1e-2, True)),
    "K": Choice("Filters per convolution (K)", ("8", "16", "32", "64"), 3, (4, 64, True)),
    "L": Choice("Convolutions (L, together with K)", ("2", "4", "8"), 2, (1, 8, False)),
    "P": Choice("Convolutions between poolings (P)", ("L/4", "1", "2"), 1),
    "kernel_size": Choice("Kernel size", ("3", "5", "7"), 2),
    "block": Choice("Blocks", _names(BLOCKS), 2),
    "norm": Choice("Normalisation", _names(NORMS), 2),
    "activation": Choice("Activation", _names(ACTIVATIONS), 2),
    "pooling": Choice("Pooling", _names(POOLINGS), 2),
    "dropout": Choice("Dropout of channels", ("0", "0.1", "0.25"), 2, (0.0, 0.5, False)),
    "hidden_dropout": Choice("Dropout of hidden units", ("0", "0.25", "0.5"), 2, (0.0, 0.7, False)),
    "label_smoothing": Choice("Label smoothing", ("0", "0.05", "0.1"), 2, (0.0, 0.2, False)),
    "flip": Choice("Mirror pictures", ("no", "yes"), 2),
    "shift": Choice("Shift pictures by up to (pixels)", ("0", "2", "4"), 2),
    "cutout": Choice("Cut out squares (pixels)", ("0", "4", "8"), 2),
}


def _all_choices() -> dict[str, Choice]:
    """Return the choices of all settings by name, with distinct labels."""
    found = dict(_USUAL)
    taken = {each.label for each in found.values()}
    for name in SETTINGS:
        if name not in found and name not in _OF_THE_DATA:
            label = setting_label(name)
            found[name] = Choice(label if label not in taken else f"{label} ({name})")
            taken.add(found[name].label)
    return found


_OF_THE_DATA = ("in_size", "out_classes")  # given by the dataset
CHOICES = _all_choices()
