"""Python interface to runs: train one in a notebook, load any run with its weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from cnnlib.data.prepared import is_prepared, load_prepared
from cnnlib.design.presets import preset
from cnnlib.errors import TrainError
from cnnlib.probe.weights import network, read_arrays
from cnnlib.records.dataset import dataset_title
from cnnlib.records.events import (
    EpochEnd,
    Event,
    Phase,
    RunEnd,
    SampleScore,
    SplitResult,
    Started,
    StepMetrics,
)
from cnnlib.records.folders import Folders
from cnnlib.records.recipe_presets import default_recipe
from cnnlib.records.run import Run, RunRequest
from cnnlib.runs import RunStore
from cnnlib.runs.saved_steps import saved_weights
from cnnlib.train.control import Control, interrupted_by_signals
from cnnlib.train.worker.execute_run import execute_run
from cnnlib.units import percent

if TYPE_CHECKING:
    from cnnlib.design.spec import CNNSpec
    from cnnlib.nets.model import Network
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.recipe import Recipe

_POLL_SECONDS = 0.2


@dataclass(frozen=True, eq=False)
class History:
    """The recorded metrics of a whole run.

    Args:
        steps: Columns of equal length: step, loss, lr, grad_norm, images_per_second, seconds.
        epochs: One entry per epoch, by step.
        test: Result on the test split; None if it was not measured.
    """

    steps: dict[str, list[Any]]
    epochs: list[EpochEnd]
    test: SplitResult | None


@dataclass(frozen=True, eq=False)
class LoadedRun:
    """A run with its trained network.

    Args:
        net: The network with the weights of ``step``, on the CPU, in evaluation mode.
    """

    run: Run
    net: Network
    step: int
    history: History

    @property
    def spec(self) -> CNNSpec:
        """The design that was trained."""
        return self.run.request.spec


def load_run(run_id: str, step: int | None = None, *, folders: Folders | None = None) -> LoadedRun:
    """Load a run: its network, its design and its recorded metrics.

    Args:
        step: A step with saved weights; None is the one that early stopping restored, or else
            the last.

    Raises:
        StoreError: The run does not exist, or has no saved weights at that step.
        ProbeError: The file with the weights is damaged.

    ::

        trained = load_run("1kzqg3s4v0ab")
        trained.net(images), trained.run.summary["last_val_accuracy"]
    """
    folders = folders or Folders.from_environment()
    with closing(RunStore(folders)) as store:
        run, history = store.run(run_id), _read_history(store, run_id)
        weights = read_arrays(
            store.weights_file(run_id, saved := saved_weights(store, run_id, step))
        )
    return LoadedRun(run, network(run.request.spec, weights), saved.step, history)


def fit(
    design: CNNSpec | str,
    dataset: str = "digits",
    recipe: Recipe | None = None,
    *,
    seed: int = 0,
    name: str = "",
    device: str = "auto",
    validation: float = 0.1,
    train_limit: int | None = None,
    progress: bool | None = None,
    listen: Callable[[Event], None] = lambda event: None,
    folders: Folders | None = None,
) -> LoadedRun:
    """Train a network in this process and return it; the run is stored like any other.

    Args:
        design: A spec that fits the dataset, or the name of a preset, which is adapted to it.
        recipe: None takes the default recipe of the design and the dataset.
        progress: Show a progress bar with an ETA; None shows it in a terminal or a notebook.
        listen: Called with each event of the run, to print or to plot.

    Raises:
        KeyboardInterrupt: Ctrl-C ended the run, as "interrupted" and with a checkpoint.
        CnnlibError: The request is invalid.
        TrainError: The run did not finish; the message has the reason.

    ::

        trained = fit("lenet5", "digits", Recipe(epochs=20))
        trained.history.test.accuracy
    """
    folders = folders or Folders.from_environment()
    with closing(ProgressBar(progress)) as bar:
        info = _prepare_dataset(dataset, folders, bar)
        if isinstance(design, str):
            spec = preset(design).adapt(info.in_size, len(info.classes))
        else:
            spec = design
        request = RunRequest(
            spec=spec,
            recipe=recipe or default_recipe(spec, info.name, info.train_count),
            dataset=dataset,
            seed=seed,
            validation=validation,
            train_limit=train_limit,
            device=device,
            name=name,
            preset=design if isinstance(design, str) else "",
        )

        def show(event: Event) -> None:
            bar.update(event)
            listen(event)

        with closing(RunStore(folders)) as store:
            run = _submit_and_train(store, request, show)
    if run.state != "finished":
        raise TrainError(f"The run {run.id} ended as {run.state}. {run.reason}".rstrip())
    return load_run(run.id, folders=folders)


def _prepare_dataset(dataset: str, folders: Folders, bar: ProgressBar) -> DatasetInfo:
    """Return the record of a dataset; prepare the dataset first if needed."""
    if not is_prepared(dataset, folders):
        from cnnlib.data.prepare import prepare

        for step in prepare(dataset, folders):
            share = percent(step.fraction, 0)
            bar.describe(f"preparing {dataset_title(dataset)}: {step.text}, {share}")
    return load_prepared(dataset, folders).info


def _submit_and_train(store: RunStore, request: RunRequest, listen: Callable[[Event], None]) -> Run:
    """Submit a run and wait for its end; train it here unless a worker claimed it first."""
    control = Control()
    with store.workers.registered("runs") as worker_id:
        run_id = store.submit(request, now=True)
        run = store.claim(worker_id, run_id)
        if run is not None:
            with interrupted_by_signals(control):
                execute_run(run, store, worker_id, control, listen)
    if control.interrupted:
        raise KeyboardInterrupt
    while (run := store.run(run_id)).is_live:
        store.reap_if_due()
        time.sleep(_POLL_SECONDS)
    return run


def _read_history(store: RunStore, run_id: str) -> History:
    """Read all steps, page by page, all epochs and the test result."""
    steps = more = store.steps_after(run_id)
    while more["step"]:
        more = store.steps_after(run_id, steps["step"][-1])
        steps = {name: column + more[name] for name, column in steps.items()}
    return History(steps, store.epochs(run_id), store.result(run_id))


class ProgressBar:
    """Shows the events of a run as a bar over its steps, until it is closed.

    Args:
        shown: False shows nothing; None shows it in a terminal or a notebook only.
    """

    def __init__(self, shown: bool | None = None) -> None:
        self._bar = tqdm(
            disable=None if shown is None else not shown, unit=" steps", dynamic_ncols=True
        )
        self._numbers: dict[str, str] = {}

    def close(self) -> None:
        """Leave the bar as it is, and begin a new line."""
        self._bar.close()

    def describe(self, text: str) -> None:
        """Show what is going on, in front of the bar."""
        self._bar.set_description(text)

    def update(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Started():
                self._bar.reset(total=event.total_steps)
                self.describe("training")
            case StepMetrics():
                self._numbers["loss"] = f"{event.loss:.4f}"
                self._bar.update(event.step - self._bar.n)
            case SampleScore():
                share = percent(event.correct / event.count, 1)
                self._show_number("sample", f"{share} ({event.correct} of {event.count})")
            case EpochEnd() if event.val_accuracy is not None:
                self._show_number("validation", percent(event.val_accuracy))
            case Phase():
                self.describe(event.text or event.state)
            case RunEnd():
                if event.validation is not None:
                    self._numbers["validation"] = percent(event.validation.accuracy)
                if event.test is not None:
                    self._numbers["test"] = percent(event.test.accuracy)
                self.describe(event.state)
                self._bar.set_postfix(self._numbers)

    def _show_number(self, name: str, text: str) -> None:
        self._numbers[name] = text
        self._bar.set_postfix(self._numbers, refresh=False)
