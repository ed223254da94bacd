"""The recorded steps of a run, reduced for its diagnosis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

BLOCKS = 12  # parts of a curve, each reduced to its median


@dataclass(frozen=True)
class Curve:
    """Recorded steps, or an even sample of them, without steps that have missing values."""

    step: tuple[int, ...]
    loss: tuple[float, ...]
    lr: tuple[float, ...]
    grad_norm: tuple[float, ...]

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Any]]) -> Curve:
        """Build a curve from columns of the run store."""
        names = tuple(cls.__dataclass_fields__)
        rows = zip(*(columns[name] for name in names), strict=True)
        complete = [row for row in rows if None not in row]
        if not complete:
            return _EMPTY
        return cls(*(tuple(column) for column in zip(*complete, strict=True)))

    @property
    def lowest_step(self) -> int:
        """The last step of the part with the lowest median loss; 0 without a step."""
        return min(self.blocks(), key=lambda block: block[1], default=(0, 0.0))[0]

    @property
    def rose_from_start(self) -> bool:
        """Whether no part of the curve has a median loss clearly below that of the first part."""
        blocks = self.blocks()
        return not blocks or min(loss for _, loss in blocks) >= 0.95 * blocks[0][1]

    def blocks(self) -> list[tuple[int, float]]:
        """Split the curve into `BLOCKS` parts; return the last step and median loss of each."""
        count = min(BLOCKS, len(self.step))
        ends = [len(self.step) * part // count for part in range(1, count + 1)] if count else []
        starts = [0, *ends[:-1]]
        return [
            (self.step[end - 1], median(self.loss[start:end]))
            for start, end in zip(starts, ends, strict=True)
        ]


_EMPTY = Curve((), (), (), ())
