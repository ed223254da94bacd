"""Drawings: their preparation for a network, and the predictions of networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cnnlib.design.checks import check_fields
from cnnlib.records.record import Record, checks

if TYPE_CHECKING:
    import numpy as np

MOST_BLUR = 3.0


@dataclass(frozen=True)
class Preparation(Record):
    """The steps that convert a drawing to the form of MNIST's pictures.

    Args:
        fit: Resize the ink to the size of MNIST's digits, keeping its aspect; otherwise the whole
            pad is resized.
        antialias: Average over all pixels that become one pixel; otherwise take one of them.
        centre: Move the centre of mass of the ink to the centre of the picture.
        blur: Standard deviation of a Gaussian, in pixels of the network's input; 0 is none.
        invert: Make the ink dark and the ground light, for networks that were trained on such
            pictures.
    """

    fit: bool = True
    antialias: bool = True
    centre: bool = True
    blur: float = 0.0
    invert: bool = False

    def __post_init__(self) -> None:
        flags = dict.fromkeys(("fit", "antialias", "centre", "invert"), checks.flag)
        check_fields(self, {**flags, "blur": checks.number(0, MOST_BLUR)})


@dataclass(frozen=True, eq=False)
class DrawingStep:
    """A drawing after one step of its preparation.

    Args:
        name: A short text for a caption.
        picture: C x H x W, uint8.
    """

    name: str
    picture: np.ndarray


@dataclass(frozen=True, eq=False)
class PreparedDrawing:
    """A drawing as the input of a network.

    Args:
        steps: The drawing itself, then the picture after each step.
    """

    steps: tuple[DrawingStep, ...]

    @property
    def picture(self) -> np.ndarray:
        """The last picture, C x H x W, uint8, like the pictures of the dataset."""
        return self.steps[-1].picture

    @property
    def is_empty(self) -> bool:
        """Whether nothing was drawn."""
        return not self.steps[0].picture.any()


Range = tuple[float, float]


@dataclass(frozen=True)
class InkStatistics:
    """What the training pictures of a dataset have in common, if they are ink on an even ground.

    Each range is from the lowest to the highest value, without the most extreme 0.1 % at each end.

    Args:
        has_light_ink: Whether the ink is lighter than the ground.
        ground: Brightness of the ground, 0..1.
        row, column: Centre of mass of the ink, as a fraction of the picture's height and width.
        extent: Longer side of the ink's bounding box, as a fraction of the picture's side.
        thickness: Mean width of the strokes, as a fraction of the picture's side.
        drawings: Most drawings in one picture that are apart from each other.
    """

    has_light_ink: bool
    ground: Range
    row: Range
    column: Range
    extent: Range
    thickness: Range
    drawings: int


InkDifferenceKind = Literal["ink", "ground", "position", "size", "thickness", "drawings"]


@dataclass(frozen=True)
class InkDifference:
    """How a picture differs from the training pictures of a network.

    Args:
        sentence: What differs, for a person.
    """

    kind: InkDifferenceKind
    sentence: str

    @property
    def is_mended_by_preparation(self) -> bool:
        """Whether the picture has it no more after `cnnlib.probe.drawing.prepare_drawing`."""
        return self.kind in ("ink", "ground", "position", "size")


@dataclass(frozen=True)
class Answer:
    """The prediction of one network for a picture.

    Args:
        title: Title of the network's run.
        classes: Class names, in the order of the probabilities.
        probabilities: One per class; they sum to 1.
    """

    run_id: str
    title: str
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]

    @property
    def label(self) -> int:
        """Index of the most likely class."""
        return max(range(len(self.probabilities)), key=self.probabilities.__getitem__)

    @property
    def name(self) -> str:
        """Name of the most likely class."""
        return self.classes[self.label]

    @property
    def probability(self) -> float:
        """Probability of the most likely class."""
        return self.probabilities[self.label]


ChangeKind = Literal["right", "down", "turn", "thickness"]


@dataclass(frozen=True)
class Change:
    """A small change to the input of a network.

    Args:
        amount: Pixels to the right or down; clockwise degrees; or thickness, where 1 is one pixel
            more on each side of a stroke and negative values are thinner.
    """

    kind: ChangeKind
    amount: float


@dataclass(frozen=True)
class ChangedAnswer:
    """The prediction of a network after a change.

    Args:
        name: The most likely class after the change.
        probability: Probability of the class that was most likely before the change.
    """

    change: Change
    name: str
    probability: float


@dataclass(frozen=True)
class Robustness:
    """The predictions of a network under small changes of its input.

    Args:
        changed: Sorted by kind, then by amount; the change by 0 is the answer itself.
    """

    answer: Answer
    changed: tuple[ChangedAnswer, ...]

    @property
    def kept(self) -> int:
        """Number of real changes after which the most likely class is the same."""
        return sum(each.name == self.answer.name for each in self.real_changes)

    @property
    def real_changes(self) -> tuple[ChangedAnswer, ...]:
        """All changes except those by 0."""
        return tuple(each for each in self.changed if each.change.amount)
