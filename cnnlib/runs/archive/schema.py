"""Validation of all values in an archive of runs, before any of them enters the store.

An archive may come from any source. The assumptions of the store and the pages about their rows (a
fraction is from 0 to 1, a time exists in the calendar) are checked here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, get_args

from cnnlib.design.checks import Check, Checks, shown
from cnnlib.design.plan import plan
from cnnlib.errors import CnnlibError
from cnnlib.records.events import STEP_COLUMNS, CommandKind, EpochEnd, SplitResult
from cnnlib.records.record import is_required
from cnnlib.records.run import ENDED_STATES, PLAIN_NAME, Machine, RunRequest
from cnnlib.runs import tables

NOT_EXPORTED = {
    "number",
    "worker_id",
    "recorded",
    "threads",
    "rank",
    "owner",
}  # columns for the exporting store alone
RUN_TABLES = (tables.epochs, tables.steps, tables.samples, tables.interventions, tables.weights)
_MOST_ENTRIES = 1000  # of an object, of a list of classes


class InvalidArchiveError(CnnlibError):
    """A value in an archive that the lab would not have written, with a description."""


def check_run(values: Any) -> None:
    """Check all rows of one run.

    Raises:
        InvalidArchiveError: A value is not as the lab writes it.
    """
    if not isinstance(values, dict) or not isinstance(values.get("run"), dict):
        raise InvalidArchiveError("one of its runs is not a JSON object with rows")
    _check_own_row(values["run"])
    for table in RUN_TABLES:
        _check_rows(table.name, exported_columns(table), table_rows(values, table))


def table_rows(values: dict[str, Any], table: Any) -> Any:
    """The rows of a table in an archive; older archives have no samples."""
    return values.get(table.name, [] if table is tables.samples else None)


def exported_columns(table: Any) -> list[str]:
    """The columns of a table that an archive contains, in order."""
    return [name for name in table.c.keys() if name not in ("run_id", "number")]


def _check_own_row(run: dict[str, Any]) -> None:
    _CHECKS.keys("one of its runs", run, _RUN)
    for name, check in _RUN.items():
        if name in run:
            check(f"the {name} of a run", run[name])
        elif not _is_optional(tables.runs.c[name]):
            raise InvalidArchiveError(f"one of its runs has no {name}")
    try:
        request = RunRequest.from_dict(run["request"])
        plan(request.spec)
    except CnnlibError as error:
        raise InvalidArchiveError(
            f"one of its runs has invalid settings: {str(error)[:500]}"
        ) from error
    if run["group_name"] != request.group:
        raise InvalidArchiveError("one of its runs belongs to two groups")


def _is_optional(column: Any) -> bool:
    """Whether a column may be missing, as in archives of earlier versions."""
    return column.nullable or column.default is not None or column.server_default is not None


def _check_rows(name: str, columns: list[str], rows: Any) -> None:
    if not isinstance(rows, list):
        raise InvalidArchiveError(f"its {name} are not a list")
    checks = [_ROWS[name][column] for column in columns]
    seen = set()
    for row in rows:
        if not isinstance(row, list) or len(row) != len(checks):
            raise InvalidArchiveError(f"its {name} have a form that this version does not know")
        for column, check, value in zip(columns, checks, row, strict=True):
            check(column, value)
        seen.add(row[0])
    if name != "interventions" and len(seen) != len(rows):
        raise InvalidArchiveError(f"it contains some of its {name} twice")


# -- single values ---------------------------------------------------------------------------------

_CHECKS = Checks(InvalidArchiveError)
_optional = _CHECKS.optional
_TEXT, _SHORT_TEXT = _CHECKS.text(10_000), _CHECKS.text(200)
_WHOLE = _CHECKS.integer(0, 2**31 - 1)
_LARGE = _CHECKS.integer(0, 2**53 - 1)  # counts of bytes, parameters, operations
_POSITIVE, _FRACTION = _CHECKS.number(0, 2**53), _CHECKS.number(0, 1)
_TIME = _CHECKS.number(0, 1e11)  # seconds since 1970, within the range of `datetime`


def _number(name: str, value: Any) -> None:
    """Check for a number; NaN and infinity, from diverged runs, are allowed."""
    if type(value) is not float and not (type(value) is int and abs(value) < 2**53):
        raise InvalidArchiveError(f"{name} is {shown(value)}, which is not a number")


def _finite(name: str, value: Any) -> None:
    _number(name, value)
    if not math.isfinite(value):
        raise InvalidArchiveError(f"{name} is {value}, which is not finite")


def _plain(name: str, value: Any) -> None:
    """Check for a single JSON value."""
    if isinstance(value, str):
        _TEXT(name, value)
    elif not isinstance(value, bool | int | float | None):
        raise InvalidArchiveError(f"{name} is {shown(value)}, which is not a single value")


def _name(name: str, value: Any) -> str:
    if not isinstance(value, str) or PLAIN_NAME.fullmatch(value) is None:
        raise InvalidArchiveError(f"{name} is {shown(value)}, which is not the name of a file")
    return value


def _mapping(other: Check, known: Mapping[str, Check] = MappingProxyType({})) -> Check:
    """A check for an object with short names; the values of unknown names pass ``other``."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, dict) or len(value) > _MOST_ENTRIES:
            raise InvalidArchiveError(f"{name} is {shown(value)}, which is not a short object")
        for key, each in value.items():
            _SHORT_TEXT(f"a name in {name}", key)
            known.get(key, other)(f"{name}.{key}", each)

    return check


def _record(kind: type, known: Mapping[str, Check]) -> Check:
    """A check for an object with all required fields of a record, and no unknown ones."""
    required = {field.name for field in fields(kind) if is_required(field)}

    def check(name: str, value: Any) -> None:
        for key, each in _CHECKS.keys(name, value, known).items():
            known[key](f"{name}.{key}", each)
        if missing := required - set(value):
            raise InvalidArchiveError(f"{name} has no field {min(missing)}")

    return check


def _confusion_counts(name: str, value: Any) -> None:
    """Check for a square table of counts, classes x classes."""
    is_square = (
        isinstance(value, list)
        and len(value) <= _MOST_ENTRIES
        and all(isinstance(row, list) and len(row) == len(value) for row in value)
    )
    if not is_square:
        raise InvalidArchiveError(f"{name} is {shown(value)}, which is not a square table")
    for row in value:
        for count in row:
            _WHOLE(name, count)


# -- checks by table and column --------------------------------------------------------------------

_SCORES = {
    **dict.fromkeys(("train_loss", "val_loss", "test_loss"), _optional(_number)),
    **dict.fromkeys(("val_accuracy", "test_accuracy"), _optional(_FRACTION)),
    "train_accuracy": _FRACTION,
}
_SUMMARY = {
    **dict.fromkeys(("forecast", "latency"), _mapping(_finite)),
    "initial_dead_units": _mapping(_FRACTION),
    "promised": _mapping(_finite, {"basis": _CHECKS.text(50)}),
    **dict.fromkeys(("batches_per_epoch", "best_val_epoch", "peak_memory_bytes", "repeat"), _LARGE),
    **dict.fromkeys(("weights_step", "weights_epoch", "val_step"), _LARGE),
    "images_per_second": _optional(_POSITIVE),
    **dict.fromkeys(("first_train_loss", "last_train_loss", "last_val_loss"), _optional(_number)),
    **dict.fromkeys(
        ("last_train_accuracy", "last_val_accuracy", "best_val_accuracy", "test_accuracy"),
        _optional(_FRACTION),
    ),
    "test_loss": _optional(_number),
}
_CHOSEN = _mapping(
    _plain, {"mode": _SHORT_TEXT, "name": _SHORT_TEXT, "seconds_per_step": _mapping(_finite)}
)
_MACHINE = {
    "processor": _CHECKS.text(500),
    "device": _CHECKS.text(50),
    "threads": _WHOLE,
    "versions": _mapping(_SHORT_TEXT),
}
_RESULT = {
    "loss": _number,
    "accuracy": _FRACTION,
    "count": _WHOLE,
    "class_accuracy": _CHECKS.sequence(_optional(_FRACTION), _MOST_ENTRIES),
    "confusion": _confusion_counts,
    "predictions_file": lambda name, value: value == "" or _name(name, value),
}
_RUN: dict[str, Check] = {
    "id": _name,
    "request": _CHECKS.instance(dict),
    "state": _CHECKS.choice(ENDED_STATES),
    **dict.fromkeys(("group_name", "reason", "phase", "fingerprint"), _TEXT),
    **dict.fromkeys(("attempt", "step", "total_steps", "epoch", "epochs_total"), _WHOLE),
    **dict.fromkeys(("train_seconds", "eval_seconds"), _POSITIVE),
    "images_per_second": _optional(_POSITIVE),
    "created": _TIME,
    **dict.fromkeys(("started", "ended"), _optional(_TIME)),
    "plan_cost": _mapping(_LARGE),
    "chosen": _CHOSEN,
    "machine": _optional(_record(Machine, _MACHINE)),
    "intervened": _CHECKS.flag,
    "summary": _mapping(_optional(_number), _SUMMARY),
    "result": _optional(_record(SplitResult, _RESULT)),
}
_EPOCH = _SCORES | {"epoch": _WHOLE, "step": _WHOLE, "kind": _CHECKS.choice(("epoch",))}
_EPOCH |= dict.fromkeys(("seconds", "eval_seconds"), _POSITIVE)
_EPOCH |= {"dead_units": _mapping(_FRACTION), "dead_units_images": _LARGE, "memory_bytes": _LARGE}
_ROWS: dict[str, dict[str, Check]] = {
    "epochs": {
        "epoch": _WHOLE,
        "step": _WHOLE,
        "body": _record(EpochEnd, _EPOCH),
        "val_confusion": _optional(_confusion_counts),
    },
    "steps": {
        "step": _WHOLE,
        **dict.fromkeys(STEP_COLUMNS[1:], _optional(_finite)),
    },
    "samples": {
        **dict.fromkeys(("step", "correct", "count"), _WHOLE),
        "seconds": _POSITIVE,
    },
    "interventions": {
        "step": _WHOLE,
        "order_kind": _CHECKS.choice((*get_args(CommandKind), "change")),
        "setting": _optional(_CHECKS.text(100)),
        "value": _optional(_finite),
    },
    "weights": {
        "file": _name,
        "step": _WHOLE,
        "what": _CHECKS.choice(("snapshot", "latest", "checkpoint")),
        "size_bytes": _LARGE,
    },
}
