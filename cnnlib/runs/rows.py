"""Conversion of database rows to records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from cnnlib.errors import StoreError
from cnnlib.records.events import STEP_COLUMNS, EpochEnd, Intervention, SplitResult, WeightsSaved
from cnnlib.records.job import Job
from cnnlib.records.run import Machine, Run, RunRequest
from cnnlib.runs import tables

_COPIED = tuple(name for name in Run.__dataclass_fields__ if name not in ("request", "machine"))
RUN_COLUMNS = (
    *(tables.runs.c[name] for name in _COPIED),
    sa.type_coerce(tables.runs.c.request, sa.Text).label("request"),
    tables.runs.c.machine,
)


@dataclass(frozen=True)
class EndedRuns:
    """The runs of a study that have ended, with their epochs, by id, as a process has read them.

    Args:
        since: Later ends are to be read; a little before the last one, since transactions may be
            committed in another order.
    """

    study_id: str = ""
    runs: Mapping[str, tuple[Run, Sequence[EpochEnd]]] = field(default_factory=dict)
    since: float = 0.0


def find_run(connection: sa.Connection, run_id: str) -> Run:
    """One run.

    Raises:
        StoreError: There is none with this id.
    """
    row = connection.execute(sa.select(*RUN_COLUMNS).where(tables.runs.c.id == run_id)).first()
    if row is None:
        raise unknown_run(run_id)
    return run_from_row(row)


def unknown_run(run_id: str) -> StoreError:
    """The error for an id without a run."""
    return StoreError(
        f"There is no run {run_id[:40]!r} in the run store. It may have been deleted; "
        "`python -m cnnlib runs` and the Results page list all runs."
    )


def run_from_row(row: sa.Row[Any]) -> Run:
    """A row of `RUN_COLUMNS` as a record."""
    values = {name: getattr(row, name) for name in _COPIED}
    return Run(
        request=parse_request(row.request),
        machine=None if row.machine is None else Machine.from_dict(row.machine),
        **values | {"summary": _of_one_network(row.state, row.summary)},
    )


def _of_one_network(state: str, summary: dict[str, Any]) -> dict[str, Any]:
    """A summary whose validation and test accuracy belong to the same weights.

    Runs that were stopped by version 0.1.0 or before have the validation accuracy of their last
    whole epoch, and the test accuracy of later weights; the former is left to the epochs' table.
    """
    is_tested = state == "stopped" and "test_accuracy" in summary
    if not is_tested or "val_step" in summary:
        return summary
    left_out = ("last_val_loss", "last_val_accuracy")
    return {name: value for name, value in summary.items() if name not in left_out}


@lru_cache(maxsize=2048)
def parse_request(text: str) -> RunRequest:
    """Parse a request; cached, because requests are read often and are immutable."""
    return RunRequest.from_dict(json.loads(text))


def has_in_request(name: str, value: str | None) -> sa.ColumnElement[bool]:
    """The condition that a run's request has a value, upper and lower case not distinguished.

    A request is stored as text: the value is found in its form, which no other value can contain,
    since quotation marks within texts are escaped.
    """
    text = sa.type_coerce(tables.runs.c.request, sa.Text)
    return text.contains(f'"{name}":{json.dumps(value)}', autoescape=True)


def step_columns(
    connection: sa.Connection, run_id: str, after: int, limit: int
) -> dict[str, list[Any]]:
    """The steps after one, as columns; None where a number was not finite."""
    wanted = {"run_id": run_id, "after": after, "limit": limit}
    return _as_columns(connection.execute(_STEPS, wanted).all())


def _as_columns(found: Sequence[sa.Row[Any]]) -> dict[str, list[Any]]:
    columns = zip(*found, strict=True) if found else ((),) * len(STEP_COLUMNS)
    return {name: list(column) for name, column in zip(STEP_COLUMNS, columns, strict=True)}


_SELECTED = sa.select(*(tables.steps.c[name] for name in STEP_COLUMNS))
_STEPS = (
    _SELECTED.where(
        tables.steps.c.run_id == sa.bindparam("run_id"), tables.steps.c.step > sa.bindparam("after")
    )
    .order_by(tables.steps.c.step)
    .limit(sa.bindparam("limit"))
)


_FIRST_STEPS = 20  # always in a sample, because metrics change quickly at the start


def sampled_step_columns(
    connection: sa.Connection, run_id: str, count: int
) -> dict[str, list[Any]]:
    """The first steps and about ``count`` others at equal distances."""
    last = connection.scalar(sa.select(tables.runs.c.step).where(tables.runs.c.id == run_id)) or 0
    every = max(1, last // count)
    wanted = {*range(1, min(last, _FIRST_STEPS) + 1), *range(every, last + 1, every)}
    is_wanted = sa.and_(tables.steps.c.run_id == run_id, tables.steps.c.step.in_(wanted))
    return _as_columns(
        connection.execute(_SELECTED.where(is_wanted).order_by(tables.steps.c.step)).all()
    )


def epoch_from_row(row: Any) -> EpochEnd:
    """A row of ``epochs`` as a record, with its confusion counts as tuples."""
    counts = row.val_confusion
    confusion = None if counts is None else tuple(map(tuple, counts))
    return EpochEnd(**row.body, val_confusion=confusion)


def result_from_json(values: dict[str, Any] | None) -> SplitResult | None:
    """A test result from its JSON values, with lists as tuples."""
    if values is None:
        return None
    values = values | {
        "class_accuracy": tuple(values["class_accuracy"]),
        "confusion": tuple(map(tuple, values["confusion"])),
    }
    return SplitResult.from_dict(values)


def intervention_from_row(row: sa.Row[Any]) -> Intervention:
    """A row of ``interventions`` as a record."""
    return Intervention(row.step, row.order_kind, row.setting, row.value)


def weights_from_row(row: sa.Row[Any]) -> WeightsSaved:
    """A row of ``weights`` as a record."""
    return WeightsSaved(row.step, row.file, row.what, row.size_bytes)


_JOB_FIELDS = tuple(Job.__dataclass_fields__)
JOB_COLUMNS = tuple(tables.jobs.c[name] for name in _JOB_FIELDS)


def job_from_row(row: sa.Row[Any]) -> Job:
    """A row of `JOB_COLUMNS` as a record."""
    return Job(**{name: getattr(row, name) for name in _JOB_FIELDS})
