"""Description of a dataset, available without opening its pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cnnlib.records.record import Record
from cnnlib.units import plural
from cnnlib.vocabulary.datasets import BUILTIN, CROP, FITS

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
        warnings: Sentences on what makes a result worth less, such as a class without a training
            picture.
        question: What a person has to decide before it can be prepared, and how; "" if nothing.
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
    warnings: tuple[str, ...] = ()
    question: str = ""

    @property
    def remarks(self) -> tuple[str, ...]:
        """All sentences about it: what is to be decided, warnings, note."""
        return tuple(filter(None, (self.question, *self.warnings, self.note)))

    @property
    def fitted_count(self) -> int:
        """Number of training pictures without the dataset's own validation split."""
        return self.train_count - self.validation_count

    @property
    def counts_text(self) -> str:
        """Number of pictures of each split; "" while they are not known.

        Example:
            >>> DatasetInfo("mnist", "MNIST", (1, 28, 28), (), 60_000, 10_000).counts_text
            '60,000 training pictures, 10,000 test pictures'
        """
        if not self.train_count and not self.test_count:
            return ""
        return counts_text(self.fitted_count, self.validation_count, self.test_count)

    @property
    def state_label(self) -> str:
        """Its state in words, for lists."""
        return _STATES[self.state] if self.classes else "cannot be used"

    @property
    def fit(self) -> str:
        """How its pictures that were not square were fitted, a name of `FITS`."""
        fit = self.source.get("fit")
        return fit if fit in FITS else CROP  # older copies were cropped


def counts_text(train: int, validation: int, test: int) -> str:
    """Return the number of pictures of each split; a dataset may have no validation split.

    Example:
        >>> counts_text(1, 0, 0)
        '1 training picture, 0 test pictures'
    """
    parts = [plural(train, "training picture"), plural(test, "test picture")]
    if validation:
        parts.insert(1, plural(validation, "validation picture"))
    return ", ".join(parts)


def dataset_title(name: str) -> str:
    """Return the title of a dataset from its name alone: ``MNIST``, ``your drawings, set 1``.

    Example:
        >>> dataset_title("mnist"), dataset_title("folder:pets")
        ('MNIST', 'pets')
    """
    if name in BUILTIN:
        return BUILTIN[name].title
    return drawings_title(name) or name.removeprefix("folder:")


def drawings_title(name: str) -> str:
    """Return the title of a dataset that is made of drawings; "" for any other dataset.

    Example:
        >>> drawings_title("folder:lesson 1 for mnist"), drawings_title("mnist")
        ('your drawings, set 1', '')
    """
    if found := _FINE_TUNE_DATASET.fullmatch(name):
        return f"your drawings, set {found['number']}"
    if found := _COLLECTION.fullmatch(name):
        return f"your drawings for {dataset_title(found['dataset'])}"
    return ""


# The names that `cnnlib.data.labelled_drawings` and `cnnlib.data.drawings` give.
_FINE_TUNE_DATASET = re.compile(r"folder:lesson (?P<number>[0-9]+) for .+")
_COLLECTION = re.compile(r"folder:drawings for (?P<dataset>.+?)(?: \([0-9a-z]{1,6}\))?")
