"""Fine-tuning datasets of labelled drawings and pictures of the original dataset.

A fine-tuning dataset ("set 1" on the pages) is a fixed copy of the collection of drawings, so that
a run on it can be repeated after more drawings were added. It also contains pictures of the dataset
that the network was trained on, to prevent catastrophic forgetting (rehearsal; Robins,
"Catastrophic forgetting, rehearsal and pseudorehearsal", 1995).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.data.drawings import (
    DRAWING,
    Drawings,
    class_folders,
    dataset_folder,
    options_file,
    png,
    read_drawings,
    saved_drawings,
    short_name,
    write_options,
)
from cnnlib.data.stored_datasets import pull_uploads, push_upload, remove_stored
from cnnlib.errors import DataError
from cnnlib.records.dataset import drawings_title
from cnnlib.records.files import replacing
from cnnlib.records.folders import UPLOADS
from cnnlib.records.recipe import Augmentation, Recipe
from cnnlib.records.run import NAME_LIMIT, Origin, Run, RunRequest

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.data.prepared import Prepared
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.folders import Folders

REHEARSAL_PER_CLASS = 30  # original training pictures per class; a third as many test pictures
HOLD_OUT_EVERY = 4  # hold out every 4th drawing per class
_MAX_COPIES = 40  # of one drawing


def make_fine_tune_dataset(
    prepared: Prepared,
    folders: Folders,
    seed: int = 0,
    owner: str = "",
    reserving: AbstractContextManager[object] | None = None,
) -> str:
    """Write a fine-tuning dataset from the collection and return its dataset name.

    Every 4th drawing per class is held out in the test split. The others are repeated until they
    are about a quarter of the training split.

    Args:
        reserving: Open while a name is chosen: it keeps other machines from choosing one.

    Raises:
        DataError: The collection is empty, or the dataset cannot be written.
    """
    info = prepared.info
    pull_uploads(folders)  # drawings of other machines
    drawings = saved_drawings(info, folders, owner)
    if not len(drawings):
        raise DataError(
            f"No drawings are saved for {info.title} yet, and fine-tuning needs at least one. Draw "
            "a picture, choose its class, and save it."
        )
    try:
        with reserving or nullcontext():
            pull_uploads(folders)  # names of other machines
            name = _reserve_name(info, folders)
            root = dataset_folder(name, folders)
            push_upload(options_file(root), folders)
        try:
            with replacing(root) as unfinished:
                _write_rehearsal(unfinished, prepared, seed)
                _write_drawings(unfinished, drawings, info)
        except BaseException:
            options_file(root).unlink(missing_ok=True)
            remove_stored(name, folders)
            raise
        push_upload(root, folders)
    except OSError as error:
        raise DataError(
            f"The dataset of your drawings could not be written to {folders.runs / UPLOADS} "
            f"({error}). Free some space, and try again."
        ) from error
    return name


def labelled_drawings(name: str, info: DatasetInfo, folders: Folders, split: str) -> Drawings:
    """Read the drawings of a fine-tuning dataset, without repetitions.

    Args:
        info: Of the original dataset.
        split: "train", or "test" for the held-out drawings.
    """
    return read_drawings(dataset_folder(name, folders) / split, info)


def _write_rehearsal(root: Path, prepared: Prepared, seed: int) -> None:
    """Write a seeded sample of the original pictures of each class."""
    rng = np.random.default_rng(seed)
    names = class_folders(prepared.info.classes)
    splits = {
        "train": (prepared.train_images, prepared.train_labels, REHEARSAL_PER_CLASS),
        "test": (prepared.test_images, prepared.test_labels, REHEARSAL_PER_CLASS // 3),
    }
    for split, (images, labels, count) in splits.items():
        for label, name in enumerate(names):
            folder = root / split / name
            folder.mkdir(parents=True)
            indices = np.flatnonzero(labels == label)
            for index in rng.permutation(indices)[:count]:
                (folder / f"known-{index:06}.png").write_bytes(png(images[index]))


def _write_drawings(root: Path, drawings: Drawings, info: DatasetInfo) -> None:
    """Write the held-out drawings once, and the others several times."""
    names = class_folders(info.classes)
    copies = -(-REHEARSAL_PER_CLASS * len(names) // 3 // len(drawings))
    copies = max(1, min(_MAX_COPIES, copies))
    counts = dict.fromkeys(range(len(names)), 0)
    for picture, label in zip(drawings.pictures, drawings.labels, strict=True):
        counts[int(label)] += 1
        number, content = counts[int(label)], png(picture)
        split = "test" if number % HOLD_OUT_EVERY == 0 else "train"
        folder = root / split / names[label]
        (folder / f"{DRAWING}{number:04}.png").write_bytes(content)
        for copy in range(1, copies if split == "train" else 1):
            (folder / f"again-{number:04}-{copy:02}.png").write_bytes(content)


def _reserve_name(info: DatasetInfo, folders: Folders) -> str:
    """Reserve and return the first free dataset name, by creating its options file."""
    number = 1
    while True:
        name = f"folder:lesson {number} for {short_name(info.name)}"
        root = dataset_folder(name, folders)
        if not root.exists():
            with suppress(FileExistsError):
                write_options(root, info, "x")
                return name
        number += 1


FINE_TUNE_RECIPE = Recipe(
    epochs=6,
    batch_size=32,
    optimizer="adamw",
    lr=0.0005,
    weight_decay=0.01,
    schedule="one_cycle",
    augmentation=Augmentation(shift=1),
)


def _name_of(run: Run) -> str:
    return run.request.name or run.request.preset or "own design"


def fine_tune_request(
    run: Run, step: int, dataset: str, recipe: Recipe = FINE_TUNE_RECIPE
) -> RunRequest:
    """Build the request of a run that fine-tunes another run's weights.

    Args:
        step: Step of the weights.
        dataset: Name of the fine-tuning dataset.
    """
    return RunRequest(
        spec=run.request.spec,
        recipe=recipe,
        dataset=dataset,
        seed=run.request.seed,
        validation=0.0,
        name=f"{_name_of(run)}, fine-tuned on {drawings_title(dataset) or dataset}"[:NAME_LIMIT],
        preset=run.request.preset,
        origin=Origin(run.id, step, weights_only=True),
    )
