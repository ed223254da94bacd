"""A drawing on its way to a network, and what networks say about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cnnlib.records.checks import check_flag, check_number
from cnnlib.records.record import Record

if TYPE_CHECKING:
    import numpy as np

MOST_BLUR = 3.0


@dataclass(frozen=True)
class Preparation(Record):
    """Which steps bring a drawing to the form of MNIST's pictures.

    Args:
        fit: Bring the ink to the size that digits have, keeping its aspect; otherwise the whole pad
            is resized.
        antialias: Average over all pixels that become one; otherwise take one of them.
        centre: Move the centre of mass of the ink to the centre of the picture.
        blur: Standard deviation of a Gaussian, in pixels of the network's input; 0 is none.
    """

    fit: bool = True
    antialias: bool = True
    centre: bool = True
    blur: float = 0.0

    def __post_init__(self) -> None:
        for name in ("fit", "antialias", "centre"):
            check_flag(name, getattr(self, name))
        check_number("blur", self.blur, 0.0, MOST_BLUR)


@dataclass(frozen=True, eq=False)
class DrawingStep:
    """What a drawing looks like after one step.

    Args:
        name: In a few words, for a caption.
        picture: C x H x W, uint8.
    """

    name: str
    picture: np.ndarray


@dataclass(frozen=True, eq=False)
class PreparedDrawing:
    """A drawing as a network is fed with it.

    Args:
        steps: The drawing itself, then the picture after every step that was carried out.
    """

    steps: tuple[DrawingStep, ...]

    @property
    def picture(self) -> np.ndarray:
        """C x H x W, uint8, as the pictures of the dataset are."""
        return self.steps[-1].picture

    @property
    def is_empty(self) -> bool:
        """Nothing was drawn."""
        return not self.steps[0].picture.any()


@dataclass(frozen=True)
class Answer:
    """What one network says about a picture.

    Args:
        title: Of its run.
        classes: Names, in the order of the probabilities.
        probabilities: One per class; they sum to 1.
    """

    run_id: str
    title: str
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]

    @property
    def label(self) -> int:
        """Number of the most likely class."""
        return max(range(len(self.probabilities)), key=self.probabilities.__getitem__)

    @property
    def name(self) -> str:
        """The most likely class."""
        return self.classes[self.label]

    @property
    def probability(self) -> float:
        """Of the most likely class."""
        return self.probabilities[self.label]


ChangeKind = Literal["right", "down", "turn", "thickness"]


@dataclass(frozen=True)
class Change:
    """A small change to what a network sees.

    Args:
        amount: Pixels to the right or down; degrees, with the clock; thickness: 1 is one pixel
            more on every side of a stroke, negative is thinner.
    """

    kind: ChangeKind
    amount: float


@dataclass(frozen=True)
class ChangedAnswer:
    """What a network says after a change.

    Args:
        name: The class that is the most likely one now.
        probability: Of the class that was the most likely one before the change.
    """

    change: Change
    name: str
    probability: float


@dataclass(frozen=True)
class Robustness:
    """How an answer moves under small changes.

    Args:
        changed: By kind, then by amount; the change by 0 is the answer itself.
    """

    answer: Answer
    changed: tuple[ChangedAnswer, ...]

    @property
    def kept(self) -> int:
        """After how many changes the answer is the same class."""
        return sum(each.name == self.answer.name for each in self.real_changes)

    @property
    def real_changes(self) -> tuple[ChangedAnswer, ...]:
        """All but the changes by 0."""
        return tuple(each for each in self.changed if each.change.amount)
