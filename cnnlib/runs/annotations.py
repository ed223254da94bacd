"""Annotations in the run store: JSON bodies by subject, the key of a table row or a run's id."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cnnlib.runs.tables import row_annotations

if TYPE_CHECKING:
    from cnnlib.runs.store import RunStore


def read_annotations(store: RunStore) -> dict[str, dict[str, Any]]:
    """All bodies, by subject."""
    with store.database.read() as connection:
        return {
            row.subject: dict(row.body) for row in connection.execute(sa.select(row_annotations))
        }


def read_annotation(store: RunStore, subject: str) -> dict[str, Any]:
    """The body of one subject; empty where there is none."""
    wanted = sa.select(row_annotations.c.body).where(row_annotations.c.subject == subject)
    with store.database.read() as connection:
        return dict(connection.scalar(wanted) or {})


def write_annotation(store: RunStore, subject: str, body: Mapping[str, Any]) -> None:
    """Replace the body of a subject; an empty one removes it."""
    with store.database.write() as connection:
        connection.execute(sa.delete(row_annotations).where(row_annotations.c.subject == subject))
        if body:
            connection.execute(sa.insert(row_annotations).values(subject=subject, body=dict(body)))


def delete_annotations(store: RunStore, subjects: Collection[str]) -> None:
    """Remove the bodies of some subjects; missing ones are fine."""
    with store.database.write() as connection:
        connection.execute(
            sa.delete(row_annotations).where(row_annotations.c.subject.in_(subjects))
        )
