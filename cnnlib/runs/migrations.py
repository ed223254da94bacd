"""Upgrades of stores that older versions wrote, one version at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from cnnlib.runs import tables


def _to_2(connection: sa.Connection) -> str:
    """Add owners to runs, jobs and plans; existing rows belong to the operator."""
    for name in ("runs", "jobs", "plans"):
        if sa.inspect(connection).has_table(name):
            statement = f"ALTER TABLE {name} ADD COLUMN owner TEXT NOT NULL DEFAULT ''"
            connection.exec_driver_sql(statement)
    tables.metadata.create_all(connection, tables=[tables.turns, tables.dataset_owners])
    return "2"


def _to_3(connection: sa.Connection) -> str:
    """Create the tables of annotations and studies, which were created on first use before."""
    tables.metadata.create_all(connection, tables=[tables.row_annotations, tables.studies])
    return "3"


def _to_4(connection: sa.Connection) -> str:
    """Create the table of accuracies on a sample of the validation split."""
    tables.metadata.create_all(connection, tables=[tables.samples])
    return "4"


def _to_5(connection: sa.Connection) -> str:
    """Create the table of sketches."""
    tables.metadata.create_all(connection, tables=[tables.sketches])
    return "5"


def _to_6(connection: sa.Connection) -> str:
    """Add the threads of a run."""
    statement = "ALTER TABLE runs ADD COLUMN threads INTEGER NOT NULL DEFAULT 0"
    connection.exec_driver_sql(statement)
    return "6"


def _to_7(connection: sa.Connection) -> str:
    """Count the recorded events of a run, and find the live runs of a group by its index."""
    statement = "ALTER TABLE runs ADD COLUMN recorded INTEGER NOT NULL DEFAULT 0"
    connection.exec_driver_sql(statement)
    connection.exec_driver_sql("DROP INDEX IF EXISTS runs_by_group")
    [index] = (each for each in tables.runs.indexes if each.name == "runs_by_group")
    index.create(connection)
    return "7"


def _to_8(connection: sa.Connection) -> str:
    """Create the table of saved designs; `take_designs` fills it."""
    tables.metadata.create_all(connection, tables=[tables.saved_designs])
    return "8"


def take_designs(connection: sa.Connection, runs: Path) -> None:
    """Copy the saved designs, files in the folder of runs before version 8; the files stay."""
    designs = {(each["owner"], each["name"]): each for each in _design_files(runs / "designs")}
    if designs:
        connection.execute(sa.insert(tables.saved_designs), [*designs.values()])


def _design_files(folder: Path) -> Generator[dict[str, Any]]:
    """Read ``<hash>.json`` of the operator and ``<owner>/<hash>.json`` of other people."""
    for file in sorted(folder.rglob("[!.]*.json")):
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            row = {"name": str(values["name"]), "spec": values["spec"]}
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            continue
        owner = file.parent.relative_to(folder).as_posix()
        yield row | {"owner": "" if owner == "." else owner}


# The version of a store -> the function that upgrades it to the next one, and returns that version.
FROM: dict[str | None, Callable[[sa.Connection], str]] = {
    "1": _to_2,
    "2": _to_3,
    "3": _to_4,
    "4": _to_5,
    "5": _to_6,
    "6": _to_7,
    "7": _to_8,
}
