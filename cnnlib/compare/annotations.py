"""Annotations: the name, note and tags that a person gives to a row of the results table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnlib.errors import StoreError
from cnnlib.records.run import NAME_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cnnlib.compare.rows import Row

NOTE_LIMIT = 2000
MOST_TAGS = 20
TAG_LIMIT = 40


@dataclass(frozen=True)
class Annotation:
    """The name, note and tags of a row.

    Args:
        name: Replaces the design's name; "" for none.
        hidden: Whether the row is left out of the table by default.
    """

    name: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    hidden: bool = False


def annotation_of(row: Row, annotations: Mapping[str, Annotation]) -> Annotation:
    """Return the annotation of a row, which an earlier version may have stored by mode."""
    if not annotations:
        return Annotation()
    known = (annotations[key] for key in (row.key, *row.earlier_keys) if key in annotations)
    return next(known, Annotation())


def check_annotation(annotation: Annotation) -> None:
    """Check the lengths that the table can show.

    Raises:
        StoreError: A length exceeds its limit.
    """
    lengths = {
        "name": (len(annotation.name), NAME_LIMIT, "characters"),
        "note": (len(annotation.note), NOTE_LIMIT, "characters"),
        "list of tags": (len(annotation.tags), MOST_TAGS, "tags"),
        "longest tag": (max(map(len, annotation.tags), default=0), TAG_LIMIT, "characters"),
    }
    for field, (length, limit, unit) in lengths.items():
        if length > limit:
            raise StoreError(
                f"The {field} has {length:,} {unit}. At most {limit:,} are allowed. Shorten it."
            )
