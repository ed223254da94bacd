"""The odd pictures of a dataset: duplicates, likely wrong labels, and outliers.

Likely wrong labels are found by confident learning (Northcutt, Jiang and Chuang, "Confident
learning: estimating uncertainty in dataset labels", JAIR 2021), from the probabilities of a trained
network. Outliers are the pictures of a class with the largest distance to their k-th nearest
neighbour (Ramaswamy, Rastogi and Shim, "Efficient algorithms for mining outliers from large data
sets", SIGMOD 2000), in the network's features before its last layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cnnlib.data.image_folder.split_names import SPLITS
from cnnlib.data.prepared import load_prepared
from cnnlib.data.statistics import duplicates
from cnnlib.errors import ProbeError
from cnnlib.probe.pictures import run_pictures
from cnnlib.probe.weights import network, run_at
from cnnlib.records.dataset import dataset_title
from cnnlib.records.job import Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from cnnlib.data.prepared import Prepared
    from cnnlib.nets.model import Network
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.folders import Folders
    from cnnlib.records.run import Run
    from cnnlib.runs import RunStore

T = TypeVar("T")
NEIGHBOUR = 5  # k
OUTLIERS_PER_CLASS = 6  # the farthest, of each split
MOST_LABELS = MOST_DUPLICATES = 500  # of a dataset, in the result
_BATCH = 250
_BLOCK = 1_000  # rows whose distances are computed at once


def find_odd_pictures(
    args: Mapping[str, Any], folders: Folders
) -> Generator[Progress, None, Mapping[str, Any]]:
    """Find the odd pictures of a prepared dataset: ``{"dataset": ..., "run": id}``.

    Without a run ("") only duplicates are found. Probabilities of pictures that the run was trained
    on tell less of wrong labels than those of other pictures: it may have learned them by heart.

    Returns:
        ``{"run": ..., "title": ..., "counts": {kind: all that were found}, "pictures": [...]}``,
        the likely wrong labels first, then duplicates and outliers. Each picture has ``kind``,
        ``split``, ``index`` in that split, ``label``, and ``sentence`` on what is odd; a likely
        wrong label has the class ``suggested``.

    Raises:
        CnnlibError: The dataset or the run is missing, or the run was trained on another dataset.
    """
    yield Progress(0.0, "comparing pixels")
    if not args.get("run"):
        prepared, run = load_prepared(args["dataset"], folders), None
    else:
        run, _, weights = run_at(folders, args["run"])
        if run.request.dataset != args["dataset"]:
            raise ProbeError(
                f"{run.title} was trained on {dataset_title(run.request.dataset)}, so it knows "
                f"nothing of the classes of {args['dataset']}. Choose a run on {args['dataset']}."
            )
        prepared = run_pictures(run, folders)
    found = {"label": [], "duplicate": _equal_pictures(prepared), "outlier": []}
    if run is not None:
        net = network(run.request.spec, weights)
        found["label"], found["outlier"] = yield from _by_network(net, prepared)
    return {
        "run": run.id if run else "",
        "title": run.title if run else "",
        "counts": {kind: len(pictures) for kind, pictures in found.items()},
        "pictures": [
            *found["label"][:MOST_LABELS],
            *found["duplicate"][:MOST_DUPLICATES],
            *found["outlier"],
        ],
    }


def best_run(store: RunStore, info: DatasetInfo) -> Run | None:
    """Return the finished run with the highest accuracy on a dataset as it is; None without one."""
    fitting = [
        run
        for run in store.runs(states=("finished",))
        if run.request.dataset == info.name and run.fingerprint == info.fingerprint
    ]
    return max(fitting, key=_accuracy, default=None)


def _accuracy(run: Run) -> float:
    return run.summary.get("test_accuracy") or run.summary.get("last_val_accuracy") or 0.0


# -- duplicates ------------------------------------------------------------------------------------


def _equal_pictures(prepared: Prepared) -> list[dict[str, Any]]:
    """List the pictures that occur twice: in both splits, or in training with two labels."""
    found, classes = duplicates(prepared), prepared.info.classes
    own = prepared.info.fitted_count
    entries = []
    for first, second in found.contradictions:
        other = classes[prepared.train_labels[first]]
        sentence = f"the same picture is also labelled {other} (training picture {first})"
        split, index = ("train", second) if second < own else ("validation", second - own)
        entries.append(_entry(prepared, "duplicate", split, index, sentence))
    for first, second in found.across:
        sentence = f"the same picture is in the training split (picture {first})"
        entries.append(_entry(prepared, "duplicate", "test", second, sentence))
    return entries


def _entry(
    prepared: Prepared, kind: str, split: str, index: int, sentence: str, **more: Any
) -> dict[str, Any]:
    label = int(prepared.split_arrays(split)[1][index])
    entry = {"kind": kind, "split": split, "index": int(index), "label": label}
    return entry | {"sentence": sentence} | more


# -- with a network --------------------------------------------------------------------------------


def _by_network(
    net: Network, prepared: Prepared
) -> Generator[Progress, None, tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Find likely wrong labels and outliers, split by split and class by class."""
    classes = prepared.info.classes
    total = len(prepared.train_labels) + len(prepared.test_labels)
    done = 0
    wrong: list[tuple[float, dict[str, Any]]] = []
    outliers = []
    for split in SPLITS:
        _, labels = prepared.split_arrays(split)
        probabilities = np.zeros((len(labels), len(classes)))
        for label, name in enumerate(classes):
            indices = np.flatnonzero(labels == label)
            read = _outputs(net, prepared, split, indices)
            rows, probabilities[indices] = yield from _counted(read, done, total)
            distances = neighbour_distances(rows, NEIGHBOUR)
            done += len(indices)
            for place in np.argsort(-distances)[:OUTLIERS_PER_CLASS]:
                sentence = f"unlike the other pictures of {name}: distance {distances[place]:.2f}"
                outliers.append(_entry(prepared, "outlier", split, indices[place], sentence))
        for index, other in likely_wrong_labels(probabilities, labels):
            own, better = probabilities[index, labels[index]], probabilities[index, other]
            sentence = f"perhaps {classes[other]}: {better:.1%} against {own:.1%}"
            entry = _entry(prepared, "label", split, index, sentence, suggested=other)
            wrong.append((float(own - better), entry))
    return [entry for _, entry in sorted(wrong, key=lambda each: each[0])], outliers


def _counted(job: Generator[int, None, T], done: int, total: int) -> Generator[Progress, None, T]:
    """Report the numbers that a part yields as progress of the whole."""
    while True:
        try:
            done += next(job)
        except StopIteration as end:
            return end.value
        yield Progress(done / total, f"reading {total:,} pictures")


def _outputs(
    net: Network, prepared: Prepared, split: str, indices: np.ndarray
) -> Generator[int, None, tuple[np.ndarray, np.ndarray]]:
    """Compute features of length 1, N x features, and probabilities, N x classes, of pictures.

    Yields the number of pictures that it has read since the last time.
    """
    from cnnlib.probe.ood.distance import features_and_probabilities

    images, info = prepared.split_arrays(split)[0], prepared.info
    if not len(indices):
        return np.zeros((0, 1), np.float32), np.zeros((0, len(info.classes)))
    parts = []
    for start in range(0, len(indices), _BATCH):
        batch = indices[start : start + _BATCH]
        parts.append(features_and_probabilities(net, info, images[batch]))
        yield len(batch)
    rows, probabilities = zip(*parts, strict=True)
    return np.concatenate(rows), np.concatenate(probabilities)


def neighbour_distances(rows: np.ndarray, neighbour: int) -> np.ndarray:
    """Compute the distance of each row to its k-th nearest other row; of few rows, the farthest.

    Args:
        rows: N x features, each of length 1.
        neighbour: k, at least 1.
    """
    rank = min(neighbour, len(rows) - 1)  # rank 0 is the row itself
    found = [
        np.partition(-(rows[start : start + _BLOCK] @ rows.T), rank, axis=1)[:, rank]
        for start in range(0, len(rows), _BLOCK)
    ]
    # |a - b|^2 = 2 - 2 a.b for vectors of length 1; rounding can make it negative.
    return np.sqrt(np.maximum(2 + 2 * np.concatenate([*found, np.zeros(0)]), 0))


def likely_wrong_labels(probabilities: np.ndarray, labels: np.ndarray) -> list[tuple[int, int]]:
    """Find labels that are likely wrong, by confident learning, the likeliest first.

    A picture is confidently in a class if its probability is at least the mean probability of that
    class over all pictures labelled so. It is listed if the likeliest of these classes is not its
    label, and ranked by the probability of its label minus that of this class (Northcutt et al.,
    section 3.1 and "normalized margin").

    Args:
        probabilities: N x classes; best of a network that was not trained on these pictures.
        labels: N, integers.

    Returns:
        Index and suggested label of each.
    """
    means = [
        probabilities[labels == label, label].mean() if (labels == label).any() else np.inf
        for label in range(probabilities.shape[1])
    ]
    confident = np.where(probabilities >= means, probabilities, -1.0)
    suggested = confident.argmax(axis=1)
    rows = np.arange(len(labels))
    is_listed = (confident[rows, suggested] >= 0) & (suggested != labels)
    margins = probabilities[rows, labels] - probabilities[rows, suggested]
    ranked = sorted(np.flatnonzero(is_listed), key=lambda index: margins[index])
    return [(int(index), int(suggested[index])) for index in ranked]
