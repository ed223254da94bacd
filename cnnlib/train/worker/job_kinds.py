"""The kinds of jobs that a worker executes beside training, and their execution."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Generator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cnnlib.errors import CnnlibError
from cnnlib.records.folders import Folders
from cnnlib.records.job import Job, Progress
from cnnlib.runs.database import StoreUnreachable
from cnnlib.train.execution.host import is_full_disk
from cnnlib.train.worker.retry import until_reachable

if TYPE_CHECKING:
    from cnnlib.runs import RunStore

PROGRESS_SECONDS = 0.1
Result = Mapping[str, Any]
JobKind = Callable[[Mapping[str, Any], Folders], Generator[Progress, None, Result]]


def prepare_dataset(args: Mapping[str, Any], folders: Folders) -> Generator[Progress, None, Result]:
    """Download a dataset if needed, and write its prepared copy: ``{"name": ...}``.

    The other arguments change the options of a user's own dataset; see ``FolderOptions``.
    """
    from cnnlib.data.prepare import prepare
    from cnnlib.data.prepared import changed_options

    changes = {name: value for name, value in args.items() if name != "name"}
    options = changed_options(args["name"], changes, folders) if changes else None
    yield from prepare(args["name"], folders, options=options)
    return {"name": args["name"]}


def _imported_late(module: str, function: str) -> JobKind:
    """Return a function of another module, which is imported when a job needs it, with torch."""

    def execute(args: Mapping[str, Any], folders: Folders) -> Generator[Progress, None, Result]:
        return (
            yield from getattr(import_module(f"cnnlib.probe.{module}"), function)(args, folders)
        )

    return execute


KINDS: dict[str, JobKind] = {
    "prepare": prepare_dataset,
    "unfamiliar": _imported_late("ood.distance", "measure_ood"),
    "taught": _imported_late("fine_tune_job", "measure_fine_tune"),
    "surgery": _imported_late("ablation", "ablate"),
    "dream": _imported_late("activation_maximisation", "maximise_activation_job"),
    "patches": _imported_late("patches", "find_patches"),
    "odd": _imported_late("odd", "find_odd_pictures"),
    "explain": _imported_late("attribution.sanity_checks", "explain_answer"),
}


def execute_job(
    job: Job, store: RunStore, worker_id: str, is_interrupted: Callable[[], bool] = lambda: False
) -> None:
    """Execute a job; record its progress and its end.

    Args:
        is_interrupted: Called after each piece of progress; True ends the job, as the app shuts
            down.
    """
    try:
        state, reason, result = _execute(job, store, worker_id, is_interrupted)
    except CnnlibError as error:
        state, reason, result = "failed", str(error), {}
    except Exception as error:
        state, reason, result = "failed", _failure_reason(error), {}
    until_reachable(store.jobs.end, job.id, worker_id, state, reason, result)


def _failure_reason(error: Exception) -> str:
    """Return the reason of a failure; write the traceback of a bug to the worker's log."""
    if is_full_disk(error):
        return "The disk is full. Free some space, then start the job again."
    traceback.print_exc(file=sys.stderr)
    return f"CNN Lab has an internal error: {type(error).__name__}: {error}. The log has details."


def _execute(
    job: Job, store: RunStore, worker_id: str, is_interrupted: Callable[[], bool]
) -> tuple[str, str, Result]:
    """Execute a job; return its final state, reason and result."""
    if job.kind not in KINDS:
        known = ", ".join(KINDS)
        return "failed", f"{job.kind!r} is not a kind of job. Choose one of: {known}.", {}
    steps = KINDS[job.kind](job.args, store.folders)
    began = reported = time.monotonic()
    while True:
        try:
            progress = next(steps)
        except StopIteration as end:
            return "done", "", end.value or {}
        if is_interrupted():
            steps.close()
            return "stopped", "The app was shut down. Start the job again.", {}
        now = time.monotonic()
        if now - reported < PROGRESS_SECONDS and reported > began:
            continue
        reported = now
        eta_seconds = _eta(progress, now - began)
        if not _continues(store, job.id, worker_id, progress, eta_seconds):
            steps.close()
            return "stopped", "", {}


def _continues(
    store: RunStore, job_id: str, worker_id: str, progress: Progress, eta_seconds: float | None
) -> bool:
    """Report progress; return whether to continue, as while the database cannot be reached."""
    try:
        return store.jobs.report_progress(job_id, worker_id, progress, eta_seconds)
    except StoreUnreachable:
        return True


def _eta(progress: Progress, seconds: float) -> float | None:
    """Return the remaining seconds, extrapolated linearly; None below 2 % of progress."""
    if progress.fraction < 0.02:
        return None
    return seconds * (1 - progress.fraction) / progress.fraction
