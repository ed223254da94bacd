"""The kinds of jobs that a worker executes beside training, and their execution."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

from cnnlib.errors import CnnlibError
from cnnlib.records.folders import Folders
from cnnlib.records.job import Job, Progress
from cnnlib.train.execution.host import is_full_disk

if TYPE_CHECKING:
    from cnnlib.runs import RunStore

PROGRESS_SECONDS = 0.1
Result = Mapping[str, Any]
JobKind = Callable[[Mapping[str, Any], Folders], Generator[Progress, None, Result]]


def prepare_dataset(args: Mapping[str, Any], folders: Folders) -> Generator[Progress, None, Result]:
    """Download a dataset if needed, and write its prepared copy: ``{"name": ...}``.

    For a folder of pictures ``size`` and ``channels`` set the size and channels to convert to.
    """
    from cnnlib.data.image_folder.sources import FolderOptions
    from cnnlib.data.prepare import prepare

    options = {name: args[name] for name in ("size", "channels") if name in args}
    yield from prepare(args["name"], folders, options=FolderOptions(**options) if options else None)
    return {"name": args["name"]}


def measure_ood(args: Mapping[str, Any], folders: Folders) -> Generator[Progress, None, Result]:
    """Measure the out-of-distribution detection of a run: ``{"run": ...}``."""
    from cnnlib.probe.ood.job import measure_ood  # scipy and torch

    return (yield from measure_ood(args, folders))


def ablate(args: Mapping[str, Any], folders: Folders) -> Generator[Progress, None, Result]:
    """Ablate each filter of a layer in turn: see `cnnlib.probe.ablation.ablate`."""
    from cnnlib.probe.ablation import ablate  # torch

    return (yield from ablate(args, folders))


def maximise_activation_job(
    args: Mapping[str, Any], folders: Folders
) -> Generator[Progress, None, Result]:
    """Maximise the activation of a channel: see `cnnlib.probe.activation_maximisation`."""
    from cnnlib.probe.activation_maximisation import maximise_activation_job  # torch

    return (yield from maximise_activation_job(args, folders))


def measure_fine_tune(
    args: Mapping[str, Any], folders: Folders
) -> Generator[Progress, None, Result]:
    """Compare a fine-tuned run with the run that it started from: ``{"run": ...}``."""
    from cnnlib.probe.fine_tune_job import measure_fine_tune  # torch

    return (yield from measure_fine_tune(args, folders))


def find_patches(args: Mapping[str, Any], folders: Folders) -> Generator[Progress, None, Result]:
    """Find the patches with the highest activations: see `cnnlib.probe.patches.find_patches`."""
    from cnnlib.probe.patches import find_patches  # torch

    return (yield from find_patches(args, folders))


def explain_answer(args: Mapping[str, Any], folders: Folders) -> Generator[Progress, None, Result]:
    """Attribute a prediction to its pixels: see `cnnlib.probe.attribution.job.explain_answer`."""
    from cnnlib.probe.attribution.job import explain_answer  # torch

    return (yield from explain_answer(args, folders))


KINDS: dict[str, JobKind] = {
    "prepare": prepare_dataset,
    "unfamiliar": measure_ood,
    "taught": measure_fine_tune,
    "surgery": ablate,
    "dream": maximise_activation_job,
    "patches": find_patches,
    "explain": explain_answer,
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
    store.jobs.end(job.id, worker_id, state, reason, result)


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
        if not store.jobs.report_progress(job.id, worker_id, progress, _eta(progress, now - began)):
            steps.close()
            return "stopped", "", {}


def _eta(progress: Progress, seconds: float) -> float | None:
    """Return the remaining seconds, extrapolated linearly; None below 2 % of progress."""
    if progress.fraction < 0.02:
        return None
    return seconds * (1 - progress.fraction) / progress.fraction
