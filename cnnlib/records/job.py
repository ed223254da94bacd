"""A job: longer work than a page may do, with progress, a Stop and a stored result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cnnlib.records.record import Record

JobState = Literal["queued", "running", "done", "failed", "stopped"]
LIVE_JOB_STATES: tuple[str, ...] = ("queued", "running")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is.

    Args:
        fraction: 0..1 of the work.
        text: What it does now, in words: "downloading, 12 of 63 MB".
    """

    fraction: float
    text: str = ""


@dataclass(frozen=True)
class Job(Record):
    """What the store knows about a job.

    Args:
        kind: What is to be done: a name in ``cnnlib.train.worker.job_kinds.KINDS``.
        args: What it is done with; plain JSON values.
        progress: 0..1; text: what it does now, in words.
        eta_seconds: Forecast of what is left, from its progress so far; None while unknown.
        result: What it found; plain JSON values; empty until it is done.
        reason: Why it failed, as a sentence.
        created, started, ended: Seconds since 1970; None until it happened.
        owner: Who may stop it, in class mode; "" is the operator.
    """

    id: str
    kind: str
    args: Mapping[str, Any]
    state: JobState
    progress: float
    text: str
    eta_seconds: float | None
    reason: str
    created: float
    started: float | None = None
    ended: float | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    owner: str = ""

    @property
    def is_live(self) -> bool:
        """It waits or is at work."""
        return self.state in LIVE_JOB_STATES
