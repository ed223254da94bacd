"""Lessons: drawings that a person named, with pictures that the network knows, to train it on.

The collection of drawings grows; a lesson is a copy of it that never changes, so that a run that
was taught with it can be repeated. A lesson also holds pictures of the dataset that the network
knows: without them it would forget what it is not shown (rehearsal; Robins, "Catastrophic
forgetting, rehearsal and pseudorehearsal", 1995).
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.data.drawings import (
    DRAWING,
    Drawings,
    class_folders,
    folder_of,
    options_file,
    png,
    read_drawings,
    saved_drawings,
    short_name,
    write_options,
)
from cnnlib.data.paths import UPLOADS
from cnnlib.errors import DataError
from cnnlib.records.recipe import Augmentation, Recipe
from cnnlib.records.run import Origin, Run, RunRequest

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from cnnlib.data.prepared import Prepared
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.folders import Folders

REHEARSED = 30  # pictures of each class that is known, to train; a third of that to test
KEPT_APART = 4  # every so manieth drawing of a class is not trained on
_MOST_COPIES = 40  # of one drawing


def make_fine_tune_dataset(
    prepared: Prepared, folders: Folders, seed: int = 0, owner: str = ""
) -> str:
    """Write a lesson from the collection; returns its name as a dataset.

    Every fourth drawing of a class is kept apart, in the test split. The others are repeated until
    they are about a quarter of what is trained on.

    Raises:
        DataError: Nothing was collected yet, or it cannot be written.
    """
    info = prepared.info
    drawings = saved_drawings(info, folders, owner)
    if not len(drawings):
        raise DataError(
            f"No drawing was kept for {info.title} yet, so there is nothing to teach. Draw "
            "something, name its class, and keep it."
        )
    try:
        name = _reserve_name(info, folders)
        with _replacing(folder_of(name, folders)) as unfinished:
            _write_known(unfinished, prepared, seed)
            _write_drawings(unfinished, drawings, info)
    except OSError as error:
        raise DataError(
            f"The lesson could not be written to {folders.runs / UPLOADS} ({error}). Make room "
            "there, and try again."
        ) from error
    return name


def labelled_drawings(name: str, info: DatasetInfo, folders: Folders, split: str) -> Drawings:
    """The drawings of a lesson, each once.

    Args:
        info: Of the dataset that the network knew before.
        split: "train", or "test" for those that were kept apart.
    """
    return read_drawings(folder_of(name, folders) / split, info)


def _write_known(root: Path, prepared: Prepared, seed: int) -> None:
    """Pictures of every class that is known, drawn by seed."""
    rng = np.random.default_rng(seed)
    names = class_folders(prepared.info.classes)
    splits = {
        "train": (prepared.train_images, prepared.train_labels, REHEARSED),
        "test": (prepared.test_images, prepared.test_labels, REHEARSED // 3),
    }
    for split, (images, labels, most) in splits.items():
        for label, name in enumerate(names):
            folder = root / split / name
            folder.mkdir(parents=True)
            its = np.flatnonzero(labels == label)
            for index in rng.permutation(its)[:most]:
                (folder / f"known-{index:06}.png").write_bytes(png(images[index]))


def _write_drawings(root: Path, drawings: Drawings, info: DatasetInfo) -> None:
    """Each drawing once where it is kept apart, else so often that it counts."""
    names = class_folders(info.classes)
    copies = -(-REHEARSED * len(names) // 3 // len(drawings))
    copies = max(1, min(_MOST_COPIES, copies))
    seen = dict.fromkeys(range(len(names)), 0)
    for picture, label in zip(drawings.pictures, drawings.labels, strict=True):
        seen[int(label)] += 1
        number, content = seen[int(label)], png(picture)
        split = "test" if number % KEPT_APART == 0 else "train"
        folder = root / split / names[label]
        (folder / f"{DRAWING}{number:04}.png").write_bytes(content)
        for copy in range(1, copies if split == "train" else 1):
            (folder / f"again-{number:04}-{copy:02}.png").write_bytes(content)


@contextmanager
def _replacing(root: Path) -> Generator[Path]:
    """A folder that gets the name of `root` once it is whole; nothing is left where that fails."""
    unfinished = root.with_name(f".{root.name}")
    try:
        yield unfinished
        os.replace(unfinished, root)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        options_file(root).unlink(missing_ok=True)
        raise


def _reserve_name(info: DatasetInfo, folders: Folders) -> str:
    """The first free name of a lesson; whoever makes one at the same time finds it taken."""
    number = 1
    while True:
        name = f"folder:lesson {number} for {short_name(info.name)}"
        root = folder_of(name, folders)
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


def fine_tune_request(
    run: Run, step: int, dataset: str, recipe: Recipe = FINE_TUNE_RECIPE
) -> RunRequest:
    """A run that goes on from another one's weights, on a lesson.

    Args:
        step: Of the weights.
        dataset: Name of the lesson.
    """
    return RunRequest(
        spec=run.request.spec,
        recipe=recipe,
        dataset=dataset,
        seed=run.request.seed,
        validation=0.0,
        name=f"{run.request.name or run.request.preset or 'own design'}, taught",
        preset=run.request.preset,
        origin=Origin(run.id, step, weights_only=True),
    )
