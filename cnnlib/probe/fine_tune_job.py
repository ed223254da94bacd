"""What a lesson was worth: gained on the drawings, forgotten on the test split. A job."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from cnnlib.data.labelled_drawings import labelled_drawings
from cnnlib.errors import ProbeError
from cnnlib.nets.model import Network
from cnnlib.probe.answer import class_probabilities
from cnnlib.probe.pictures import run_pictures
from cnnlib.probe.weights import network, run_at
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.job import Progress
from cnnlib.runs import RunStore

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    import numpy as np

    from cnnlib.records.folders import Folders
    from cnnlib.records.run import Run

_BATCH = 500
_Known = tuple[Network, DatasetInfo]  # a network, and the dataset whose mean it subtracts


def measure_fine_tune(
    args: Mapping[str, Any], folders: Folders
) -> Generator[Progress, None, Mapping[str, Any]]:
    """Compare a run that was taught with the one that it started from: ``{"run": ...}``.

    Returns:
        For "trained on" (drawings), "kept apart" (drawings) and "test" (of the dataset before):
        ``{"count": ..., "before": accuracy, "after": accuracy}``, accuracies None without pictures.

    Raises:
        CnnlibError: A run, its weights or its dataset are not there.
    """
    with closing(RunStore(folders)) as store:
        run = store.run(args["run"])
    origin = run.request.origin
    if origin is None or not origin.weights_only:
        raise ProbeError(
            f"{run.title} was not taught: it did not start from another's weights. Choose a run on "
            "a lesson."
        )
    before_run, before = _net(folders, origin.run_id, origin.step)
    _, after = _net(folders, run.id, None)
    known = run_pictures(before_run, folders)
    lesson = run_pictures(run, folders)
    nets = (before, known.info), (after, lesson.info)
    result = {}
    for split, name in (("train", "trained on"), ("test", "kept apart")):
        drawings = labelled_drawings(lesson.info.name, known.info, folders, split)
        result[name] = yield from _compared(nets, drawings.pictures, drawings.labels)
    result["test"] = yield from _compared(nets, known.test_images, known.test_labels)
    return result


def _net(folders: Folders, run_id: str, step: int | None) -> tuple[Run, Network]:
    """A run and its network; at its last saved step where none is named."""
    run, _, weights = run_at(folders, run_id, step)
    return run, network(run.request.spec, weights)


def _compared(
    nets: tuple[_Known, _Known], pictures: np.ndarray, labels: np.ndarray
) -> Generator[Progress, None, Mapping[str, Any]]:
    """Accuracy of both networks on the same pictures."""
    right = [0, 0]
    for start in range(0, len(labels), _BATCH):
        yield Progress(start / len(labels), f"looking at {len(labels):,} pictures")
        part, truth = pictures[start : start + _BATCH], labels[start : start + _BATCH]
        for number, (net, info) in enumerate(nets):
            found = class_probabilities(net, info, part).argmax(axis=1)
            right[number] += int((found == truth).sum())
    count = len(labels)
    before, after = (each / count if count else None for each in right)
    return {"count": count, "before": before, "after": after}
