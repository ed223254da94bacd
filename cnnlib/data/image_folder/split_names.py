"""Names of folders that people give to the splits of a dataset."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)

_WORDS = {
    TRAIN: ("train", "training", "trn"),
    VALIDATION: ("val", "valid", "validation", "validate", "valn"),
    TEST: ("test", "testing", "tst"),
}
_SPLIT_OF = {word: split for split, words in _WORDS.items() for word in words}
# Words beside "train" or "test" that say nothing more.
_FILLERS = frozenset(
    "set data dataset datas images image imgs img pictures pics photos split splits folder dir "
    "samples files the my".split()
)
_UNLABELLED = frozenset(
    "pred predict prediction predictions unlabeled unlabelled nolabel nolabels unknownlabel".split()
)
_GENERIC = _FILLERS | frozenset("jpegimages jpg jpeg png all class classes jpgs pngs".split())
_TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+|[^\W\d_]+")


def split_names(names: Iterable[str]) -> dict[str, str]:
    """Return the split of each folder that is called like one, of folders side by side.

    ``train``, ``Training``, ``training_set``, ``test-images`` and ``ValidationData`` are names of
    splits by themselves; ``seg_train`` and ``coco_val2017`` are if another folder has the same
    words with another split. ``test_tube`` is not.

    Example:
        >>> split_names(["seg_train", "seg_test", "seg_pred", "test_tube"])
        {'seg_train': 'train', 'seg_test': 'test'}
    """
    parsed = {name: found for name in names if (found := _parse(name)) is not None}
    splits_by_rest: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for split, rest in parsed.values():
        splits_by_rest[rest].add(split)
    return {
        name: split
        for name, (split, rest) in parsed.items()
        if split and (not rest or len(splits_by_rest[rest]) > 1)
    }


def may_be_split_name(name: str) -> bool:
    """Return whether a folder's name has one word for a split, whatever else it has."""
    found = _parse(name)
    return found is not None and bool(found[0])


def is_unlabelled_name(name: str) -> bool:
    """Return whether a folder's name says that its pictures have no label, such as seg_pred."""
    return not _UNLABELLED.isdisjoint(_tokens(name))


def is_generic_name(name: str) -> bool:
    """Return whether a folder's name says nothing about a class, such as images or data."""
    return set(_tokens(name)) <= _GENERIC


def _parse(name: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the split of a name and its other words; None if no or several words are a split.

    The split of a name for unlabelled pictures is "".
    """
    found: list[str] = []
    rest: list[str] = []
    for token in _tokens(name):
        split = _split_of(token)
        if split or token in _UNLABELLED:
            found.append(split)
        elif token not in _FILLERS:
            rest.append(token)
    return (found[0], tuple(rest)) if len(found) == 1 else None


def _split_of(token: str) -> str:
    """Return the split of a word such as train or trainset; "" for another word."""
    if token in _SPLIT_OF:
        return _SPLIT_OF[token]
    for word, split in _SPLIT_OF.items():
        if token.startswith(word) and token[len(word) :] in _FILLERS:
            return split
    return ""


def _tokens(name: str) -> list[str]:
    return [token.casefold() for token in _TOKEN.findall(name)]
