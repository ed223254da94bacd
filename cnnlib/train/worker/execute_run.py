"""Execution of a claimed run: prepare the dataset, train, record the events and the end."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cnnlib.errors import CnnlibError, FileMissing, TrainError
from cnnlib.records.dataset import dataset_title
from cnnlib.records.events import Event, Phase, RunEnd, StepMetrics
from cnnlib.runs.database import StoreUnreachable
from cnnlib.runs.event_writer import RunReassigned
from cnnlib.runs.saved_steps import KEPT, changed_settings, saved_weights
from cnnlib.train.control import INTERRUPTED, Control
from cnnlib.train.execution.host import is_full_disk
from cnnlib.train.worker.recorder import Recorder
from cnnlib.train.worker.retry import until_reachable
from cnnlib.units import percent

if TYPE_CHECKING:
    from cnnlib.records.run import Run, RunState
    from cnnlib.runs import RunStore

_BEFORE_FIRST_STEP = "The run was interrupted before its first step. Resume it to train it."
LOG = "worker.log"  # in the run's folder: the traceback of an unexpected error
Listener = Callable[[Event], None]


def execute_run(
    run: Run,
    store: RunStore,
    worker_id: str,
    control: Control,
    listen: Listener = lambda event: None,
    *,
    is_sketch: bool = False,
) -> None:
    """Train a claimed run to its end and write its events to the store.

    Args:
        control: The queue of commands; ``control.interrupt()`` ends the run with a checkpoint.
        listen: Called with each event, in this thread.
        is_sketch: The run is a sketch, as `train` takes it.

    Raises:
        StoreError: The end could not be written, or the run was reassigned to another worker.
    """
    last = _LastStep()
    try:
        with (
            Recorder(store, run.id, worker_id, control) as recorder,
            closing(_events(run, store, control, is_sketch)) as events,
        ):
            for event in events:
                recorder.record(event)
                last.update(event)
                listen(event)
    except RunReassigned:
        raise
    except KeyboardInterrupt:
        store.record_events(run.id, worker_id, [last.end("interrupted", INTERRUPTED)])
        raise
    except StoreUnreachable:  # the run has not failed: it can be resumed
        raise
    except CnnlibError as error:
        end = last.end("failed", str(error))
    except Exception as error:
        end = last.end("failed", _failure_reason(error, store.folders.run(run.id)))
    else:
        return
    until_reachable(store.record_events, run.id, worker_id, [end])
    listen(end)


class _LastStep:
    """The last step of a run, for the `RunEnd` of a failed run."""

    def __init__(self) -> None:
        self._step: StepMetrics | None = None

    def update(self, event: Event) -> None:
        """Store the event if it is a step."""
        if isinstance(event, StepMetrics):
            self._step = event

    def end(self, state: RunState, reason: str) -> RunEnd:
        """Return the end of a run after an exception."""
        if self._step is None:
            return RunEnd(state, reason)
        return RunEnd(state, reason, self._step.step, self._step.seconds)


def _events(run: Run, store: RunStore, control: Control, is_sketch: bool) -> Generator[Event]:
    """Yield all events of a run, from the preparation of its dataset to its end."""
    dataset = run.request.dataset
    if (end := (yield from _prepare(dataset, store, control))) is not None:
        yield end
        return
    from cnnlib.data.prepared import load_prepared
    from cnnlib.train.loop import train
    from cnnlib.train.saver import Attempt

    folder = store.folders.run(run.id)
    resume, events = _rewind_to_checkpoint(run, store)
    yield from events
    folder.mkdir(parents=True, exist_ok=True)
    prepared = load_prepared(dataset, store.folders)
    # The checkpoint may be older than a change.
    settings = until_reachable(changed_settings, store, run.id)
    yield from train(
        run.request,
        prepared,
        folder=folder,
        control=control,
        resume=resume,
        settings=settings,
        threads=run.threads or None,
        is_sketch=is_sketch,
        attempt=Attempt(
            run.attempt,
            store.saved_weights(run.id),
            partial(store.weights_file, run.id),
            None if resume else _origin_file(run, store),
        ),
    )


def _origin_file(run: Run, store: RunStore) -> Path | None:
    """Return the file with the weights that a run starts from; None without."""
    origin = run.request.origin
    if origin is None:
        return None
    kinds = KEPT if origin.weights_only else ("checkpoint",)
    saved = saved_weights(store, origin.run_id, origin.step, kinds)
    return store.weights_file(origin.run_id, saved)


def _prepare(
    dataset: str, store: RunStore, control: Control
) -> Generator[Event, None, RunEnd | None]:
    """Prepare the dataset if needed; return the run's end if it was stopped meanwhile."""
    from cnnlib.data.prepared import is_prepared

    if is_prepared(dataset, store.folders) and not store.files.is_remote:
        return None
    from cnnlib.data.prepare import prepare

    title = dataset_title(dataset)
    yield Phase("starting", f"preparing {title}")
    with closing(prepare(dataset, store.folders)) as steps:
        for progress in steps:
            share = percent(progress.fraction, 0)
            yield Phase("starting", f"preparing {title}: {progress.text}, {share}")
            if control.interrupted:
                return RunEnd("interrupted", _BEFORE_FIRST_STEP)
            if _is_stop_requested(control):
                return RunEnd("stopped", "Stopped before the first step.")
    return None


def _is_stop_requested(control: Control) -> bool:
    """Return whether there is a stop command; all commands stay in the queue for the loop."""
    commands = []
    while (command := control.take()) is not None:
        commands.append(command)
    for command in commands:
        control.put(command)
    return any(command.kind == "stop" for command in commands)


def _rewind_to_checkpoint(run: Run, store: RunStore) -> tuple[Path | None, list[Event]]:
    """Rewind a run to its newest readable checkpoint whose steps are all in the store.

    The event of a checkpoint is recorded after all events before it, so the steps of a checkpoint
    in the store are there too. Later events are deleted from the store; the run emits them again.

    Returns:
        The checkpoint's file, None for a run that starts from the beginning; and the events to
        record for it.

    Raises:
        StoreError: The files of the store cannot be reached, so it is not known which there are.
    """
    for saved in reversed(until_reachable(store.saved_weights, run.id)):
        if saved.what != "checkpoint":
            continue
        with suppress(FileMissing):
            path = store.weights_file(run.id, saved)
            if _is_readable(path):
                until_reachable(store.rewind, run, saved.step)
                return path, [saved]
    store.check_files()
    until_reachable(store.rewind, run, None)
    return None, []


def _is_readable(path: Path) -> bool:
    """Return whether a checkpoint can be read to its end (a truncated file cannot)."""
    from cnnlib.train.checkpoint import read_checkpoint

    try:
        read_checkpoint(path)
    except TrainError:
        return False
    return True


def _failure_reason(error: Exception, folder: Path) -> str:
    """Return the reason of a failure; log the traceback of a bug in the run's folder."""
    if is_full_disk(error):
        return f"The disk that holds {folder} is full. Free some space, then resume the run."
    reason = f"CNN Lab has an internal error ({type(error).__name__}: {error})."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOG).open("a") as file:
            traceback.print_exc(file=file)
    except OSError:  # fall back to the worker's stderr
        traceback.print_exc()
        return f"{reason} Details are in the worker's log."
    return f"{reason} Details are in {folder / LOG}."
