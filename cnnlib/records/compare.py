"""Results of comparisons: records for tables, figures and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cnnlib.design.layers import Leaf
from cnnlib.records.record import Record

Outcome = Literal["a", "b", "same", "open", "untold"]


@dataclass(frozen=True)
class Look(Record):
    """Interim result of a duel after one more pair; all numbers are fractions, B minus A.

    Args:
        pairs: Pairs of runs so far.
        low, high: The sequential interval (see ``Verdict``); None before the first look.
    """

    pairs: int
    mean: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Forecast(Record):
    """The pairs that a duel needs to find a difference, at the spread seen so far.

    Args:
        difference: A fraction.
        pairs: Enough in four of five duels; None for more than 1,000.
    """

    difference: float
    pairs: int | None


@dataclass(frozen=True)
class Verdict(Record):
    """The current result of a duel.

    Args:
        outcome: "a" or "b" is better; "same" within ``within``; "open": more pairs may decide;
            "untold": undecided after all pairs.
        pairs, most_pairs: Pairs so far, and the largest number, fixed before the first pair.
        mean, sd: Of the differences B minus A, fractions; sd is None before the second pair.
        low, high: The sequential interval of the centre of the differences, valid at all looks
            together in ``level`` of all duels. For the outcome "same" it is that of two one-sided
            tests. None while too few pairs exclude anything.
        within: Largest difference that counts as the same, a fraction; 0 disables this outcome.
        resolution: One picture of the split, as a fraction; 0 where it is not known.
        more_pairs: Estimated number of pairs until a decision; None if there is no estimate.
        looks: Interim results, one per pair so far.
        forecast: Pairs for differences of some sizes; empty before the second pair.
        collapsed: Seeds of A and of B that collapsed; None where only differences are known.
    """

    outcome: Outcome
    pairs: int
    most_pairs: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None
    level: float
    within: float
    resolution: float = 0.0
    more_pairs: int | None = None
    looks: tuple[Look, ...] = ()
    forecast: tuple[Forecast, ...] = ()
    collapsed: tuple[int, int] | None = None

    @property
    def is_over(self) -> bool:
        """Whether no further pair is run."""
        return self.outcome != "open"


@dataclass(frozen=True)
class Speed(Record):
    """The time that a network needs to classify a picture, measured on a processor in float32.

    Args:
        alone_seconds: For one picture at a time.
        batch_seconds: For one picture of a batch: the time of the batch over its size.
    """

    alone_seconds: float
    batch_seconds: float
    batch_size: int
    threads: int
    processor: str


@dataclass(frozen=True)
class Curve:
    """A metric over epochs, with mean and band over the seeds of one design.

    Args:
        epochs: From 1.
        low, high: Smallest and largest value over the seeds.
        place: Position of the design among those in the chart, which decides its colour.
    """

    name: str
    epochs: tuple[int, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    seeds: int = 1
    place: int = 0


@dataclass(frozen=True)
class Point:
    """One design in a chart of accuracy against cost.

    Args:
        cost: Parameters, MACs or seconds.
        accuracy: Mean over seeds, a fraction; low, high: its interval, or None.
        on_frontier: True if no other design is both cheaper and better.
        place: Position of the design among those in the chart, which decides its colour.
    """

    name: str
    cost: float
    accuracy: float
    low: float | None = None
    high: float | None = None
    on_frontier: bool = False
    place: int = 0


@dataclass(frozen=True)
class SettingLine:
    """One design in parallel coordinates: its values of the varied settings, and its accuracy."""

    name: str
    values: Mapping[str, float | str | None] = field(default_factory=dict)
    accuracy: float | None = None


@dataclass(frozen=True)
class ClassScores:
    """Accuracy of one design in each class, mean over seeds; None for a class without pictures.

    Args:
        place: Position of the design among those in the chart, which decides its colour.
    """

    name: str
    accuracy: tuple[float | None, ...]
    place: int = 0


@dataclass(frozen=True)
class LayerChange:
    """One row of a design difference.

    Args:
        before, after: The layer; None where it is missing.
        what: "same", "changed", "added" or "removed".
    """

    what: Literal["same", "changed", "added", "removed"]
    before: Leaf | None
    after: Leaf | None

    @property
    def params(self) -> int:
        """Parameters, after minus before."""
        return _of(self.after, "params") - _of(self.before, "params")

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image, after minus before."""
        return _of(self.after, "macs") - _of(self.before, "macs")


def _of(layer: Leaf | None, name: str) -> int:
    return 0 if layer is None else getattr(layer, name)


@dataclass(frozen=True)
class DesignDifference:
    """Changes from one design to another, with their costs.

    Args:
        settings: Fields of spec and recipe that differ, as (before, after).
        costs: ``{"params": (before, after), "macs": ..., "training_bytes": ...,
            "receptive_field": ...}``.
    """

    settings: Mapping[str, tuple[str, str]]
    layers: tuple[LayerChange, ...]
    costs: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Effect:
    """The effect of one setting in an experiment, over its matched combinations.

    Combinations are matched where their other settings are equal, and there is one with a score
    for each value of the setting.

    Args:
        means: Mean score by value, with the value as text; empty where no combinations match.
        spread: Difference between the highest and the lowest mean; None where none match.
        matched: Number of matched combinations.
        tried: Number of combinations, those without a score included.
        reach: Half the width of the 95 % interval of each mean over seeds; None with one seed.
    """

    setting: str
    means: Mapping[str, float]
    spread: float | None
    matched: int
    tried: int
    reach: float | None = None
