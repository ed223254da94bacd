"""Queries of the run store over many runs at once, for the results table."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cnnlib.records.events import EpochEnd
from cnnlib.runs.queue import IS_RECORDED
from cnnlib.runs.tables import epochs, meta, runs

if TYPE_CHECKING:
    from cnnlib.runs.database import Database

_RENAMES = "renames"  # key in `meta` of the number of renames


def epochs_of_runs(database: Database, run_ids: Collection[str]) -> dict[str, list[EpochEnd]]:
    """The epochs of many runs, without their confusion counts, in one query."""
    found: dict[str, list[EpochEnd]] = {run_id: [] for run_id in run_ids}
    wanted = sa.select(epochs.c.run_id, epochs.c.body).order_by(epochs.c.run_id, epochs.c.epoch)
    with database.read() as connection:
        for row in connection.execute(wanted):
            if row.run_id in found:
                found[row.run_id].append(EpochEnd(**row.body))
    return found


def runs_version(database: Database) -> tuple[Any, ...]:
    """A value that changes whenever a run is added, deleted, renamed or makes progress.

    The newest run counts by its id: SQLite gives the number of a deleted run again.
    """
    renames = sa.select(meta.c.value).where(meta.c.key == _RENAMES).scalar_subquery()
    wanted = sa.select(
        *(sa.func.count(), sa.func.max(runs.c.id), sa.func.sum(runs.c.step)),
        *(sa.func.sum(runs.c.epoch), sa.func.sum(runs.c.attempt), sa.func.max(runs.c.ended)),
        *(sa.func.sum(sa.func.length(runs.c.state)), renames),
    ).where(IS_RECORDED)
    with database.read() as connection:
        return tuple(connection.execute(wanted).one())


def count_rename(connection: sa.Connection) -> None:
    """Count a rename, so that `runs_version` changes even if the new name is as long."""
    row = meta.c.key == _RENAMES
    count = connection.scalar(sa.select(meta.c.value).where(row))
    if count is None:
        connection.execute(sa.insert(meta).values(key=_RENAMES, value="1"))
    else:
        connection.execute(sa.update(meta).where(row).values(value=str(int(count) + 1)))
