"""How long a study will take: the forecasts of its runs, of which several train at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cnnlib.data.catalogue import dataset_info
from cnnlib.experiments.study import settled_mode
from cnnlib.runs.capacity import default_runs
from cnnlib.train.execution.forecast import forecast, train_count
from cnnlib.train.schedule import step_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cnnlib.records.folders import Folders
    from cnnlib.records.run import RunRequest

# Of a run besides its steps: the data and the network are made ready, and the end is written.
_START_SECONDS = 0.7
# An evaluation has no backward pass, which is two thirds of the operations of a training step.
_EVALUATION_SHARE = 1 / 3


@dataclass(frozen=True)
class Duration:
    """The expected time of a study.

    Args:
        seconds: From its start to the end of its last run, with nothing else in the queue.
        runs: Number of runs.
        is_measured: Whether each design was timed on this machine; otherwise it is an estimate.
    """

    seconds: float
    runs: int
    is_measured: bool


def duration_of(
    requests: Iterable[RunRequest],
    folders: Folders,
    time_step: Callable[[RunRequest], float] | None = None,
) -> Duration:
    """Forecast the time of runs that are queued together.

    Args:
        requests: One per run; they may differ in their seeds only.
        time_step: Measures the seconds of a training step, for designs that were not timed yet (see
            `cnnlib.train.execution.speed.training_step_seconds`); None: they are estimated.

    Raises:
        DataError: The dataset is missing.
        SpecError: A design is invalid.
    """
    counts = Counter(replace(request, seed=0) for request in requests)
    runs = sum(counts.values())
    if not runs:
        return Duration(0.0, 0, is_measured=True)
    mode = settled_mode([*counts.elements()])
    seconds, is_measured = 0.0, True
    for request, count in counts.items():
        own, is_timed = _seconds_of_run(replace(request, mode=mode), folders, time_step)
        seconds += own * count
        is_measured = is_measured and is_timed
    return Duration(seconds / min(runs, default_runs()), runs, is_measured)


def _seconds_of_run(
    request: RunRequest, folders: Folders, time_step: Callable[[RunRequest], float] | None
) -> tuple[float, bool]:
    """Return the seconds of one run, its evaluations included, and whether they were measured."""
    info, recipe = dataset_info(request.dataset, folders), request.recipe
    expected = forecast(request, info, folders)
    is_timed = expected.basis == "this design"
    training, epoch = expected.seconds, expected.seconds_per_epoch
    steps = step_count(train_count(request, info), recipe.batch_size, 1)
    if not is_timed and time_step is not None and steps:
        ratio = time_step(request) * steps / epoch
        training, epoch, is_timed = ratio * training, ratio * epoch, True
    trained = request.train_limit or info.train_count
    validation = request.validation
    share = validation if validation < 1 else validation / max(1, info.train_count)
    evaluated = share * info.train_count * recipe.epochs + info.test_count
    seconds = training + _EVALUATION_SHARE * epoch / max(1, trained) * evaluated
    return seconds + _START_SECONDS, is_timed
