"""Description of a dataset, available without opening its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cnnlib.records.record import Record


@dataclass(frozen=True)
class DatasetInfo(Record):
    """One entry of the dataset catalogue.

    Args:
        name: ``mnist``, ``digits``, ``folder:<name>``...
        in_size: Channels, height, width.
        classes: Names of the classes, in the order of their labels.
        train_count, test_count: Numbers of pictures; 0 while unknown before preparation.
        state: "prepared" (ready to train), "here" (in the data folder, to be prepared on first
            use), "download" (to be downloaded on first use).
        size_bytes: Size of the prepared copy, or of the files in the data folder.
        fingerprint: Hash of the prepared content; "" before preparation.
        mean, std: Per channel of the training pictures, of values in 0..1; empty before
            preparation.
        note: A sentence for the reader ("from JPEG pictures", "test split made by
            content").
    """

    name: str
    title: str
    in_size: tuple[int, int, int]
    classes: tuple[str, ...]
    train_count: int = 0
    test_count: int = 0
    state: str = "download"
    size_bytes: int = 0
    fingerprint: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    note: str = ""
    source: Mapping[str, str] = field(default_factory=dict)
