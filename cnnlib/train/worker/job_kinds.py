"""Jobs: what a worker can be asked to do beside training, and how it carries one out."""

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
    """Download a dataset if need be, and write the copy that runs read: ``{"name": ...}``.

    For a person's own pictures ``size`` and ``channels`` may say how they are brought to one size.
    """
    from cnnlib.data.image_folder.sources import FolderOptions
    from cnnlib.data.prepare import prepare  # torchvision is slow to import

    chosen = {name: args[name] for name in ("size", "channels") if name in args}
    yield from prepare(args["name"], folders, options=FolderOptions(**chosen) if chosen else None)
    return {"name": args["name"]}


def measure_ood(args: Mapping[str, Any], folders: Folders) -> Generator[Progress, None, Result]:
    """Measure what a run calls strange: ``{"run": ...}``."""
    from cnnlib.probe.ood.job import measure_ood  # scipy and torch

    return (yield from measure_ood(args, folders))


def ablate(args: Mapping[str, Any], folders: Folders) -> Generator[Progress, None, Result]:
    """Mute or reset each filter of a layer in turn: see `cnnlib.probe.ablation.ablate`."""
    from cnnlib.probe.ablation import ablate  # torch

    return (yield from ablate(args, folders))


def maximise_activation_job(
    args: Mapping[str, Any], folders: Folders
) -> Generator[Progress, None, Result]:
    """Activation maximisation of a channel, as a job (`cnnlib.probe.activation_maximisation`)."""
    from cnnlib.probe.activation_maximisation import maximise_activation_job  # torch

    return (yield from maximise_activation_job(args, folders))


def measure_fine_tune(
    args: Mapping[str, Any], folders: Folders
) -> Generator[Progress, None, Result]:
    """Measure what a lesson was worth: ``{"run": ...}``."""
    from cnnlib.probe.fine_tune_job import measure_fine_tune  # torch

    return (yield from measure_fine_tune(args, folders))


def find_patches(args: Mapping[str, Any], folders: Folders) -> Generator[Progress, None, Result]:
    """Find what excites each filter of a layer: see `cnnlib.probe.patches.find_patches`."""
    from cnnlib.probe.patches import find_patches  # torch

    return (yield from find_patches(args, folders))


def explain_answer(args: Mapping[str, Any], folders: Folders) -> Generator[Progress, None, Result]:
    """Explain an answer and check the map: see `cnnlib.probe.attribution.job.explain_answer`."""
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
    job: Job, store: RunStore, worker_id: str, is_to_end: Callable[[], bool] = lambda: False
) -> None:
    """Do a job and write down how it goes and how it ended.

    Args:
        is_to_end: Asked between two pieces of progress: the app is being shut down.
    """
    try:
        state, reason, result = _execute(job, store, worker_id, is_to_end)
    except CnnlibError as error:
        state, reason, result = "failed", str(error), {}
    except Exception as error:
        state, reason, result = "failed", _why(error), {}
    store.end_job(job.id, worker_id, state, reason, result)


def _why(error: Exception) -> str:
    """Why a job failed, as a sentence; the trace of what is a bug goes to the worker's log."""
    if is_full_disk(error):
        return "The disk is full. Make room, then start it again."
    traceback.print_exc(file=sys.stderr)
    return f"The lab itself made an error: {type(error).__name__}: {error}. Its log has more."


def _execute(
    job: Job, store: RunStore, worker_id: str, is_to_end: Callable[[], bool]
) -> tuple[str, str, Result]:
    """State, reason and result at the job's end."""
    if job.kind not in KINDS:
        return "failed", f"{job.kind!r} is no job. Choose one of: {', '.join(KINDS)}.", {}
    work = KINDS[job.kind](job.args, store.folders)
    began = told = time.monotonic()
    while True:
        try:
            progress = next(work)
        except StopIteration as end:
            return "done", "", end.value or {}
        if is_to_end():
            work.close()
            return "stopped", "The app was shut down. Start it again.", {}
        now = time.monotonic()
        if now - told < PROGRESS_SECONDS and told > began:
            continue
        told = now
        if not store.report_progress(job.id, worker_id, progress, _eta(progress, now - began)):
            work.close()
            return "stopped", "", {}


def _eta(progress: Progress, seconds: float) -> float | None:
    """Seconds that are left if the rest goes as fast as what is done; None at the beginning."""
    if progress.fraction < 0.02:
        return None
    return seconds * (1 - progress.fraction) / progress.fraction
