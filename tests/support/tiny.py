"""A dataset that a very small network learns in a second, and helpers to train on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from cnnlib.data.prepared import Prepared
from cnnlib.design.spec import CNNSpec
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.train.control import Control
from cnnlib.train.loop import train

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cnnlib.records.events import Event

T = TypeVar("T")
SPEC = CNNSpec(in_size=(1, 8, 8), out_classes=3, channels=(4, 6), norm="batch")


def tiny_prepared(train_count: int = 90, test_count: int = 30, classes: int = 3) -> Prepared:
    """Pictures of noise (0..99) with one brighter quarter (+150) per class; 1 x 8 x 8."""
    rng = np.random.default_rng(7)

    def pictures(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count, dtype=np.int64) % classes
        images = rng.integers(0, 100, (count, 1, 8, 8), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            row, column = divmod(int(label) % 4, 2)
            image[0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 150
        return images, labels

    train_images, train_labels = pictures(train_count)
    test_images, test_labels = pictures(test_count)
    info = DatasetInfo(
        name="folder:tiny",
        title="Tiny",
        in_size=(1, 8, 8),
        classes=tuple(f"class {number}" for number in range(classes)),
        train_count=train_count,
        test_count=test_count,
        state="prepared",
        fingerprint=f"tiny-{train_count}-{test_count}-{classes}",
        mean=(0.35,),
        std=(0.28,),
    )
    return Prepared(info, train_images, train_labels, test_images, test_labels, Path())


def tiny_request(spec: CNNSpec = SPEC, **recipe: object) -> RunRequest:
    """A request with four steps per epoch (81 pictures, batches of 24), in a fixed CPU mode."""
    settings = {"epochs": 3, "batch_size": 24, "optimizer": "adamw", "lr": 0.02} | recipe
    return RunRequest(spec, Recipe(**settings), "folder:tiny", device="cpu", mode="t1-nhwc-fp32")


def run_folder(tmp_path: Path, name: str = "a") -> Path:
    """Create the folder of a run in the lab's layout."""
    folder = tmp_path / "runs" / "files" / name
    folder.mkdir(parents=True)
    return folder


def collect_events(
    request: RunRequest, prepared: Prepared | None = None, **arguments: object
) -> list[Event]:
    """Train and return all events of the run."""
    return list(train(request, prepared or tiny_prepared(), **arguments))


def of_kind(events: Iterable[Event], kind: type[T]) -> list[T]:
    """The events of one class."""
    return [event for event in events if isinstance(event, kind)]


def train_with_control(
    request: RunRequest,
    at_step: Callable[[Control, int], None],
    **arguments: object,
) -> list[Event]:
    """Train with a call of ``at_step(control, step)`` after each step; return all events."""
    control, events = Control(), []
    for event in train(request, tiny_prepared(), control=control, **arguments):
        events.append(event)
        if event.kind == "step":
            at_step(control, event.step)
    return events


def with_recipe(request: RunRequest, **changes: object) -> RunRequest:
    """The same request with some fields of its recipe changed."""
    return replace(request, recipe=replace(request.recipe, **changes))
