"""Description of a dataset, available without opening its pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cnnlib.records.record import Record
from cnnlib.vocabulary.datasets import CROP, FITS

_STATES = {"prepared": "ready", "here": "not prepared yet", "download": "not downloaded yet"}


@dataclass(frozen=True)
class DatasetInfo(Record):
    """One entry of the dataset catalogue.

    Args:
        name: ``mnist``, ``digits``, ``folder:<name>``...
        in_size: Channels, height, width.
        classes: Names of the classes, in the order of their labels.
        train_count, test_count: Numbers of pictures; 0 while unknown before preparation.
        validation_count: The last so many training pictures are the dataset's own validation split;
            0 if each run divides the training pictures.
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
    validation_count: int = 0

    @property
    def state_label(self) -> str:
        """Its state in words, for lists."""
        return _STATES[self.state] if self.classes else "cannot be used"

    @property
    def fit(self) -> str:
        """How its pictures that were not square were fitted, a name of `FITS`."""
        fit = self.source.get("fit")
        return fit if fit in FITS else CROP  # older copies were cropped


def drawings_title(name: str) -> str:
    """Return the title of a dataset that is made of drawings; "" for any other dataset.

    Example:
        >>> drawings_title("folder:lesson 1 for mnist"), drawings_title("mnist")
        ('your drawings, set 1', '')
    """
    if found := _FINE_TUNE_DATASET.fullmatch(name):
        return f"your drawings, set {found['number']}"
    if found := _COLLECTION.fullmatch(name):
        return f"your drawings for {found['dataset']}"
    return ""


# The names that `cnnlib.data.labelled_drawings` and `cnnlib.data.drawings` give.
_FINE_TUNE_DATASET = re.compile(r"folder:lesson (?P<number>[0-9]+) for .+")
_COLLECTION = re.compile(r"folder:drawings for (?P<dataset>.+?)(?: \([0-9a-z]{1,6}\))?")
