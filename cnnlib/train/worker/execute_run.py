"""What a worker does with a run that it took: get its pictures, train, write down how it ended."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TYPE_CHECKING

from cnnlib.errors import CnnlibError, TrainError
from cnnlib.records.events import Event, Phase, RunEnd, StepMetrics
from cnnlib.records.files import remove_folder
from cnnlib.runs.event_writer import RunReassigned
from cnnlib.train.execution.host import is_full_disk
from cnnlib.train.worker.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.records.run import Run
    from cnnlib.runs import RunStore
    from cnnlib.train.control import Control

LOG = "worker.log"  # in the run's folder: the trace of an error of the lab itself
Listener = Callable[[Event], None]


def execute_run(
    run: Run,
    store: RunStore,
    worker_id: str,
    control: Control,
    listen: Listener = lambda event: None,
) -> None:
    """Train a claimed run to its end, whatever the end is; all that it tells goes to the store.

    Args:
        control: Brings orders to the loop; ``control.interrupt()`` makes it end with a checkpoint.
        listen: Is told each event too, in this thread.

    Raises:
        StoreError: The end could not be written, or the run was taken away from this worker.
    """
    last = LastStep()
    try:
        with (
            Recorder(store, run.id, worker_id, control) as recorder,
            closing(_events(run, store, control)) as events,
        ):
            for event in events:
                recorder.record(event)
                last.note(event)
                listen(event)
    except RunReassigned:
        raise
    except CnnlibError as error:
        end = last.failure(str(error))
    except Exception as error:
        end = last.failure(_why(error, store.folders.run(run.id)))
    else:
        return
    store.record_events(run.id, worker_id, [end])
    listen(end)


class LastStep:
    """How far a run came, for the record of its failure."""

    def __init__(self) -> None:
        self._step: StepMetrics | None = None

    def note(self, event: Event) -> None:
        """Remember the event if it is a step."""
        if isinstance(event, StepMetrics):
            self._step = event

    def failure(self, reason: str) -> RunEnd:
        """The end of a run that an error ended."""
        if self._step is None:
            return RunEnd("failed", reason)
        return RunEnd("failed", reason, self._step.step, self._step.seconds)


def _events(run: Run, store: RunStore, control: Control) -> Generator[Event]:
    """All that a run tells, from the preparation of its pictures to its end."""
    dataset = run.request.dataset
    if (end := (yield from _prepare(dataset, store, control))) is not None:
        yield end
        return
    from cnnlib.data.prepared import load_prepared
    from cnnlib.train.loop import train

    folder = store.folders.run(run.id)
    resume, told = _go_back(run, store, folder)
    yield from told
    prepared = load_prepared(dataset, store.folders)
    yield from train(run.request, prepared, folder=folder, control=control, resume=resume)


def _prepare(
    dataset: str, store: RunStore, control: Control
) -> Generator[Event, None, RunEnd | None]:
    """Make the prepared copy where there is none; returns the run's end if it was ended here."""
    from cnnlib.data.prepared import is_prepared

    if is_prepared(dataset, store.folders):
        return None
    from cnnlib.data.prepare import prepare  # torchvision is slow to import

    yield Phase("starting", f"preparing {dataset}")
    with closing(prepare(dataset, store.folders)) as work:
        for progress in work:
            yield Phase(
                "starting", f"preparing {dataset}: {progress.text}, {progress.fraction:.0%}"
            )
            if control.interrupted:
                return RunEnd("interrupted", "The app was shut down before the first step.")
            if _stop_is_ordered(control):
                return RunEnd("stopped", "Stopped before the first step.")
    return None


def _stop_is_ordered(control: Control) -> bool:
    """Somebody pressed Stop; all other orders stay for the loop."""
    orders = []
    while (order := control.take()) is not None:
        orders.append(order)
    for order in orders:
        control.put(order)
    return any(order.kind == "stop" for order in orders)


def _go_back(run: Run, store: RunStore, folder: Path) -> tuple[Path | None, list[Event]]:
    """Where a run goes on: its newest whole checkpoint whose steps are all in the store.

    A checkpoint is told of after everything that came before it, so one that is in the store has
    its steps there too. What was told after it is forgotten, and will be told again.

    Returns:
        The checkpoint's file, None for a run that begins anew; and what the store is told of it.
    """
    for saved in reversed(store.saved_weights(run.id)):
        if saved.what == "checkpoint" and _is_whole(folder / saved.file):
            store.rewind(run, saved.step)
            return folder / saved.file, [saved]
    store.rewind(run, 0)
    remove_folder(folder)
    folder.mkdir(parents=True)
    return None, []


def _is_whole(path: Path) -> bool:
    """A checkpoint can be read to its end; a file that was cut is passed over."""
    from cnnlib.train.checkpoint import read_checkpoint

    try:
        read_checkpoint(path)
    except TrainError:
        return False
    return True


def _why(error: Exception, folder: Path) -> str:
    """Why a run failed, as a sentence; the trace of what is a bug is kept in the run's folder."""
    if is_full_disk(error):
        return f"The disk that holds {folder} is full. Make room, then resume the run."
    found = f"The lab itself made an error ({type(error).__name__}: {error})."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOG).open("a") as file:
            traceback.print_exc(file=file)
    except OSError:  # then at least where the worker's own words go
        traceback.print_exc()
        return f"{found} Its trace is in the worker's log."
    return f"{found} Its trace is in {folder / LOG}."
