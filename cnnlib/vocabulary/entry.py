"""The base of all entries, and the table that holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a person can choose.

    Args:
        name: As it is stored, sent, and written on the command line; it never changes.
        label: As it is shown.
    """

    name: str
    label: str


AnyEntry = TypeVar("AnyEntry", bound=Entry)


def table(*entries: AnyEntry) -> dict[str, AnyEntry]:
    """Return entries by name, in this order, which is the order of menus."""
    return {entry.name: entry for entry in entries}


def labels(entries: dict[str, AnyEntry]) -> dict[str, str]:
    """Return the label of each name, in the order of the table."""
    return {name: entry.label for name, entry in entries.items()}
