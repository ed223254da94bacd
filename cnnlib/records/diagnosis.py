"""Diagnoses of a training, derived from its recorded metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cnnlib.records.record import Record

DiagnosisKind = Literal["diverging", "not learning", "dead units", "over-fitting"]


@dataclass(frozen=True)
class Check(Record):
    """A common cause, compared with the metrics of a run.

    Args:
        question: The cause, as a question.
        fits: Whether the metrics support it.
        sentence: The metrics, and advice if they support it.
    """

    question: str
    fits: bool
    sentence: str


@dataclass(frozen=True)
class Diagnosis(Record):
    """A problem of a training.

    Args:
        title: A short text: "Over-fitting since epoch 4".
        sentence: The metrics that show it, and advice.
        checks: Possible causes; empty where the sentence is sufficient.
    """

    kind: DiagnosisKind
    title: str
    sentence: str
    checks: tuple[Check, ...] = ()


def diagnosis_lines(diagnosis: Diagnosis) -> list[str]:
    """Lines of text for a diagnosis: its title and sentence, and a line for each cause."""
    lines = [f"{diagnosis.title}: {diagnosis.sentence}"]
    return lines + [f"  - {check.question} {check.sentence}" for check in diagnosis.checks]
