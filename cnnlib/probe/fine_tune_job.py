"""The job that measures a fine-tuned run: accuracy before and after, on drawings and test split."""

from __future__ import annotations

from collections.abc import Generator, Mapping
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
from cnnlib.units import plural

if TYPE_CHECKING:
    import numpy as np

    from cnnlib.records.folders import Folders
    from cnnlib.records.run import Run

_BATCH = 500
_Classifier = tuple[Network, DatasetInfo]  # a network, and the dataset of its normalisation


def measure_fine_tune(
    args: Mapping[str, Any], folders: Folders
) -> Generator[Progress, None, Mapping[str, Any]]:
    """Compare a fine-tuned run with the run that it started from: ``{"run": ...}``.

    Returns:
        For "trained on" (drawings), "kept apart" (held-out drawings) and "test" (test split of the
        original dataset): ``{"count": ..., "before": accuracy, "after": accuracy}``, with None as
        accuracy if there are no pictures.

    Raises:
        CnnlibError: A run, its weights or its dataset are missing, or the run was not fine-tuned.
    """
    with closing(RunStore(folders)) as store:
        run = store.run(args["run"])
    origin = run.request.origin
    if origin is None or not origin.weights_only:
        raise ProbeError(
            f"{run.title} was not fine-tuned: it did not start from the weights of another run. "
            "Choose a run that was fine-tuned on drawings."
        )
    original_run, before = _load_network(folders, origin.run_id, origin.step)
    _, after = _load_network(folders, run.id, None)
    original = run_pictures(original_run, folders)
    fine_tuned = run_pictures(run, folders)
    classifiers = (before, original.info), (after, fine_tuned.info)
    result = {}
    for split, name in (("train", "trained on"), ("test", "kept apart")):
        drawings = labelled_drawings(fine_tuned.info.name, original.info, folders, split)
        result[name] = yield from _compare(classifiers, drawings.pictures, drawings.labels)
    result["test"] = yield from _compare(classifiers, original.test_images, original.test_labels)
    return result


def _load_network(folders: Folders, run_id: str, step: int | None) -> tuple[Run, Network]:
    """Load a run and its network at a step; None as in `run_at`."""
    run, _, weights = run_at(folders, run_id, step)
    return run, network(run.request.spec, weights)


def _compare(
    classifiers: tuple[_Classifier, _Classifier], pictures: np.ndarray, labels: np.ndarray
) -> Generator[Progress, None, Mapping[str, Any]]:
    """Measure the accuracy of both networks on the same pictures."""
    correct = [0, 0]
    for start in range(0, len(labels), _BATCH):
        yield Progress(start / len(labels), f"classifying {plural(len(labels), 'picture')}")
        batch, batch_labels = pictures[start : start + _BATCH], labels[start : start + _BATCH]
        for number, (net, info) in enumerate(classifiers):
            predicted = class_probabilities(net, info, batch).argmax(axis=1)
            correct[number] += int((predicted == batch_labels).sum())
    count = len(labels)
    before, after = (each / count if count else None for each in correct)
    return {"count": count, "before": before, "after": after}
