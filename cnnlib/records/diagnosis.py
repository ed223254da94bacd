"""What is wrong with a training, as far as its recorded numbers tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cnnlib.records.record import Record

DiagnosisKind = Literal["diverging", "not learning", "dead units", "over-fitting"]


@dataclass(frozen=True)
class Check(Record):
    """One of the usual reasons, held against the numbers of this run.

    Args:
        question: The reason, as a question.
        fits: The numbers speak for it.
        sentence: Which numbers, and what to do where they do.
    """

    question: str
    fits: bool
    sentence: str


@dataclass(frozen=True)
class Diagnosis(Record):
    """Something that is wrong.

    Args:
        title: In a few words: "Over-fitting since epoch 4".
        sentence: The numbers that say so, and what to do.
        checks: Reasons that were looked into; empty where the sentence says it all.
    """

    kind: DiagnosisKind
    title: str
    sentence: str
    checks: tuple[Check, ...] = ()


def diagnosis_lines(trouble: Diagnosis) -> list[str]:
    """A trouble as lines of text: its title and sentence, and a line for each reason."""
    lines = [f"{trouble.title}: {trouble.sentence}"]
    return lines + [f"  - {check.question} {check.sentence}" for check in trouble.checks]
