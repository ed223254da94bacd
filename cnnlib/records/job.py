"""A job: a task too long for a page, with progress and a stored result; it can be stopped."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from cnnlib.records.record import Record

T = TypeVar("T")
JobState = Literal["queued", "running", "done", "failed", "stopped"]
LIVE_JOB_STATES: tuple[str, ...] = ("queued", "running")


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a job.

    Args:
        fraction: Finished part, 0..1.
        text: Current activity: "downloading, 12 of 63 MB".
    """

    fraction: float
    text: str = ""


def run_job(job: Generator[Progress, None, T]) -> T:
    """Run a job's generator to its end; returns its result and drops its progress."""
    while True:
        try:
            next(job)
        except StopIteration as end:
            return end.value


@dataclass(frozen=True)
class Job(Record):
    """The stored state of a job.

    Args:
        kind: A name in ``cnnlib.train.worker.job_kinds.KINDS``.
        args: Its arguments, plain JSON values.
        progress: 0..1; text: current activity.
        eta_seconds: Forecast of the remaining time, from its progress; None while unknown.
        result: Its result, plain JSON values; empty until it is done.
        reason: Why it failed, as a sentence.
        created, started, ended: Seconds since 1970; None before the event.
        owner: The person who may stop it, in class mode; "" is the operator.
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
        """Whether it waits or runs."""
        return self.state in LIVE_JOB_STATES
