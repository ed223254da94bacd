"""The settings that the form of an experiment offers: their labels, values and ranges."""

from __future__ import annotations

from dataclasses import dataclass

from cnnlib.experiments.search_space import SETTINGS
from cnnlib.vocabulary.layers import ACTIVATIONS, BLOCKS, NORMS, POOLINGS
from cnnlib.vocabulary.training import OPTIMIZERS, SCHEDULES


@dataclass(frozen=True)
class Choice:
    """A setting in the menu.

    Args:
        values: Values that are offered, as they are typed; the person may add others.
        chosen: The first values of these, which are chosen at first.
        range: Lowest and highest value of a search, and whether its scale is logarithmic; None
            where a search chooses among values, too.
    """

    values: tuple[str, ...] = ()
    chosen: int = 3
    range: tuple[float, float, bool] | None = None


# The usual ones first; the others follow by their labels, and their values are typed.
_USUAL: dict[str, Choice] = {
    "lr": Choice(("0.003", "0.01", "0.03", "0.001", "0.1"), 3, (1e-4, 1e-1, True)),
    "optimizer": Choice(tuple(OPTIMIZERS), 2),
    "schedule": Choice(tuple(SCHEDULES), 2),
    "batch_size": Choice(("32", "64", "128", "256"), 3),
    "epochs": Choice(("1", "3", "10"), 2, (1, 10, False)),
    "weight_decay": Choice(("0", "1e-4", "5e-4", "1e-3"), 2, (1e-6, 1e-2, True)),
    "K": Choice(("8", "16", "32", "64"), 3, (4, 64, True)),
    "L": Choice(("2", "4", "8"), 2, (1, 8, False)),
    "P": Choice(("L/4", "1", "2"), 1),
    "kernel_size": Choice(("3", "5", "7"), 2),
    "block": Choice(tuple(BLOCKS), 2),
    "norm": Choice(tuple(NORMS), 2),
    "activation": Choice(tuple(ACTIVATIONS), 2),
    "pooling": Choice(tuple(POOLINGS), 2),
    "dropout": Choice(("0", "0.1", "0.25"), 2, (0.0, 0.5, False)),
    "hidden_dropout": Choice(("0", "0.25", "0.5"), 2, (0.0, 0.7, False)),
    "label_smoothing": Choice(("0", "0.05", "0.1"), 2, (0.0, 0.2, False)),
    "flip": Choice(("no", "yes"), 2),
    "shift": Choice(("0", "2", "4"), 2),
    "cutout": Choice(("0", "4", "8"), 2),
}

_OF_THE_DATA = ("in_size", "out_classes")  # given by the dataset
CHOICES = {
    **_USUAL,
    **{name: Choice() for name in SETTINGS if name not in (*_USUAL, *_OF_THE_DATA)},
}
