"""How long a study will take: the forecasts of its runs, of which several train at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cnnlib.data.catalogue import dataset_info
from cnnlib.data.split import validation_size
from cnnlib.experiments.study import settled_mode
from cnnlib.runs.capacity import default_runs
from cnnlib.train.execution.forecast import forecast, train_count
from cnnlib.train.schedule import step_count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
    requests: Sequence[RunRequest],
    times: int,
    folders: Folders,
    time_step: Callable[[RunRequest], float] | None = None,
) -> Duration:
    """Forecast the time of runs that are queued together.

    Args:
        times: How often each of them is trained, with other seeds.
        time_step: Measures the seconds of a training step, for designs that were not timed yet (see
            `cnnlib.train.execution.speed.training_step_seconds`); None: they are estimated.

    Raises:
        DataError: The dataset is missing.
        SpecError: A design is invalid.
    """
    runs = len(requests) * times
    if not runs:
        return Duration(0.0, 0, is_measured=True)
    at_once = min(runs, default_runs())
    mode = settled_mode([*requests] * min(times, at_once))
    own = [_seconds_of_run(replace(each, mode=mode), folders, time_step) for each in requests]
    total = times * sum(seconds for seconds, _ in own)
    return Duration(total / at_once, runs, all(is_timed for _, is_timed in own))


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
    pictures = train_count(request, info)
    evaluated = validation_size(info, request.validation) * recipe.epochs + info.test_count
    seconds = training + _EVALUATION_SHARE * epoch / max(1, pictures) * evaluated
    return seconds + _START_SECONDS, is_timed
