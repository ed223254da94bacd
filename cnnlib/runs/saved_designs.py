"""A person's saved designs, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cnnlib.design.spec import CNNSpec
from cnnlib.errors import SpecError, StoreError
from cnnlib.runs.tables import saved_designs
from cnnlib.units import plural

if TYPE_CHECKING:
    from cnnlib.runs.access.store_access import StoreAccess

NAME_LIMIT = 60
MOST_DESIGNS = 500


@dataclass(frozen=True)
class SavedDesign:
    """A design with the name that a person chose."""

    name: str
    spec: CNNSpec


class SavedDesigns:
    """The saved designs of the person of a store; outside class mode, of all.

    Raises:
        StoreError: (all methods) The store cannot be read or written.
    """

    def __init__(self, store: StoreAccess) -> None:
        self._store = store
        self._is_own = saved_designs.c.owner == store.owner

    def designs(self) -> list[SavedDesign]:
        """All designs, sorted by name; those that this version cannot read are skipped."""
        wanted = sa.select(saved_designs.c.name, saved_designs.c.spec).where(self._is_own)
        with self._store.database.read() as connection:
            read = [_read(row.name, row.spec) for row in connection.execute(wanted)]
        return sorted((design for design in read if design), key=lambda d: d.name.casefold())

    def save(self, name: str, spec: CNNSpec) -> str:
        """Save a design, replacing one of the same name; returns the cleaned name.

        Raises:
            StoreError: The name is empty or too long, or there are too many designs.
        """
        name = _clean_name(name)
        store = self._store
        count = sa.select(sa.func.count()).select_from(saved_designs).where(self._is_own)
        with store.database.write() as connection:
            store.database.lock(connection)
            connection.execute(self._removal(name))
            if (connection.scalar(count) or 0) >= MOST_DESIGNS:
                raise StoreError(
                    f"There are {MOST_DESIGNS} saved designs, the maximum. Remove one first."
                )
            values = {"owner": store.owner, "name": name, "spec": spec.to_dict()}
            connection.execute(sa.insert(saved_designs).values(**values))
        return name

    def remove(self, name: str) -> None:
        """Remove a design; a missing one is no error."""
        with self._store.database.write() as connection:
            connection.execute(self._removal(name))

    def _removal(self, name: str) -> sa.Delete:
        return sa.delete(saved_designs).where(self._is_own, saved_designs.c.name == name)


def _clean_name(name: str) -> str:
    """The name with single blanks inside and none around it.

    Raises:
        StoreError: It is empty or too long.
    """
    name = " ".join(name.split())
    if not name or len(name) > NAME_LIMIT:
        raise StoreError(
            f"The name has {plural(len(name), 'character')}, but it needs 1 to {NAME_LIMIT}. "
            f"{'Enter a name.' if not name else 'Shorten it.'}"
        )
    return name


def _read(name: str, values: Any) -> SavedDesign | None:
    """Return a design; None if the values are not those of one."""
    try:
        return SavedDesign(name, CNNSpec.from_dict(values))
    except (ValueError, TypeError, KeyError, SpecError):
        return None
