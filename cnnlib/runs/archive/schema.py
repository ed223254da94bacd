"""Validation of all values in an archive of runs, before any of them enters the store.

An archive may come from any source. The assumptions of the store and the pages about their rows (a
fraction is from 0 to 1, a time exists in the calendar) are checked here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, get_args

from cnnlib.design.checks import is_writable
from cnnlib.design.plan import plan
from cnnlib.errors import CnnlibError
from cnnlib.records.events import STEP_COLUMNS, CommandKind, EpochEnd, SplitResult
from cnnlib.records.run import ENDED_STATES, PLAIN_NAME, Machine, RunRequest
from cnnlib.runs import tables

Check = Callable[[Any], bool]
NOT_EXPORTED = {"number", "worker_id", "rank", "owner"}  # columns for the exporting store alone
RUN_TABLES = (tables.epochs, tables.steps, tables.samples, tables.interventions, tables.weights)
_MOST_CLASSES = 1000
_MOST_COUNT = 2**31 - 1
_LATEST = 1e11  # seconds since 1970, within the range of `datetime`


class InvalidArchiveError(Exception):
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
    if unknown := sorted(set(run) - set(_RUN)):
        raise InvalidArchiveError(
            f"one of its runs has the field {unknown[0][:40]!r}, which this version does not know"
        )
    for name, check in _RUN.items():
        if name in run:
            if not check(run[name]):
                raise InvalidArchiveError(f"the {name} of a run is {_short_repr(run[name])}")
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
            if not check(value):
                raise InvalidArchiveError(f"the {column} in its {name} is {_short_repr(value)}")
        seen.add(row[0])
    if name != "interventions" and len(seen) != len(rows):
        raise InvalidArchiveError(f"it contains some of its {name} twice")


def _short_repr(value: Any) -> str:
    return repr(value)[:60]


# -- single values ---------------------------------------------------------------------------------


def _text(longest: int = 10_000) -> Check:
    """A check for text that databases and pages can hold: no zero, no half surrogate pair."""

    def check(value: Any) -> bool:
        return isinstance(value, str) and len(value) <= longest and is_writable(value)

    return check


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MOST_COUNT


def _large(value: Any) -> bool:
    """Whether the value is a count of bytes, parameters or operations."""
    return type(value) is int and 0 <= value < 2**53


def _number(value: Any) -> bool:
    """Whether the value is a number; NaN and infinity, from diverged runs, are allowed."""
    return type(value) is float or (type(value) is int and abs(value) < 2**53)


def _finite(value: Any) -> bool:
    return _number(value) and math.isfinite(value)


def _positive(value: Any) -> bool:
    return _finite(value) and value >= 0


def _fraction(value: Any) -> bool:
    return _finite(value) and 0 <= value <= 1


def _time(value: Any) -> bool:
    return _finite(value) and 0 <= value <= _LATEST


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _one_of(*known: str) -> Check:
    return lambda value: isinstance(value, str) and value in known


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _name(value: Any) -> bool:
    return isinstance(value, str) and PLAIN_NAME.fullmatch(value) is not None


def _mapping(check: Check, most: int = 1000) -> Check:
    """A check for an object with short names and values that all pass ``check``."""

    def checked(value: Any) -> bool:
        if not isinstance(value, dict) or len(value) > most:
            return False
        return all(_text(200)(name) and check(each) for name, each in value.items())

    return checked


def _fields(known: Mapping[str, Check], other: Check = lambda _: False) -> Check:
    """A check for an object with values that pass the checks of their names."""

    def checked(value: Any) -> bool:
        if not isinstance(value, dict) or len(value) > 100:
            return False
        return all(_text(200)(n) and known.get(n, other)(each) for n, each in value.items())

    return checked


def _record(kind: type, known: Mapping[str, Check]) -> Check:
    """A check for an object with all required fields of a record."""
    required = {
        field.name
        for field in fields(kind)
        if field.default is MISSING and field.default_factory is MISSING
    }
    checked = _fields(known)
    return lambda value: checked(value) and required <= set(value)


def _confusion_counts(value: Any) -> bool:
    """Whether the value is a square table of counts, classes x classes."""
    return (
        isinstance(value, list)
        and len(value) <= _MOST_CLASSES
        and all(isinstance(row, list) and len(row) == len(value) for row in value)
        and all(_whole(count) for row in value for count in row)
    )


def _list(check: Check) -> Check:
    return lambda value: (
        isinstance(value, list) and len(value) <= _MOST_CLASSES and all(map(check, value))
    )


# -- checks by table and column --------------------------------------------------------------------

_SCORES = {
    **dict.fromkeys(("train_loss", "val_loss", "test_loss"), _or_none(_number)),
    **dict.fromkeys(("val_accuracy", "test_accuracy"), _or_none(_fraction)),
    "train_accuracy": _fraction,
}
_SUMMARY = {
    **dict.fromkeys(("forecast", "latency"), _mapping(_finite)),
    "initial_dead_units": _mapping(_fraction),
    "promised": _fields({"basis": _text(50)}, _finite),
    **dict.fromkeys(("batches_per_epoch", "best_val_epoch", "peak_memory_bytes", "repeat"), _large),
    **dict.fromkeys(("weights_step", "weights_epoch"), _large),
    "images_per_second": _or_none(_positive),
    **dict.fromkeys(("first_train_loss", "last_train_loss", "last_val_loss"), _or_none(_number)),
    **dict.fromkeys(
        ("last_train_accuracy", "last_val_accuracy", "best_val_accuracy", "test_accuracy"),
        _or_none(_fraction),
    ),
    "test_loss": _or_none(_number),
}
_PLAIN = (str, bool, int, float, type(None))
_CHOSEN = _fields(
    {"mode": _text(200), "name": _text(200), "seconds_per_step": _mapping(_finite)},
    lambda value: isinstance(value, _PLAIN) and (not isinstance(value, str) or _text()(value)),
)
_MACHINE = {
    "processor": _text(500),
    "device": _text(50),
    "threads": _whole,
    "versions": _mapping(_text(200)),
}
_RESULT = {
    "loss": _number,
    "accuracy": _fraction,
    "count": _whole,
    "class_accuracy": _list(_or_none(_fraction)),
    "confusion": _confusion_counts,
    "predictions_file": lambda value: value == "" or _name(value),
}
_RUN: dict[str, Check] = {
    "id": _name,
    "request": lambda value: isinstance(value, dict),
    "state": _one_of(*ENDED_STATES),
    **dict.fromkeys(("group_name", "reason", "phase", "fingerprint"), _text()),
    **dict.fromkeys(("attempt", "step", "total_steps", "epoch", "epochs_total"), _whole),
    **dict.fromkeys(("train_seconds", "eval_seconds"), _positive),
    "images_per_second": _or_none(_positive),
    "created": _time,
    **dict.fromkeys(("started", "ended"), _or_none(_time)),
    "plan_cost": _mapping(_large),
    "chosen": _CHOSEN,
    "machine": _or_none(_record(Machine, _MACHINE)),
    "intervened": _flag,
    "summary": _fields(_SUMMARY, lambda value: value is None or _number(value)),
    "result": _or_none(_record(SplitResult, _RESULT)),
}
_EPOCH = _SCORES | {"epoch": _whole, "step": _whole, "kind": _one_of("epoch")}
_EPOCH |= dict.fromkeys(("seconds", "eval_seconds"), _positive)
_EPOCH |= {"dead_units": _mapping(_fraction), "dead_units_images": _large, "memory_bytes": _large}
_ROWS: dict[str, dict[str, Check]] = {
    "epochs": {
        "epoch": _whole,
        "step": _whole,
        "body": _record(EpochEnd, _EPOCH),
        "val_confusion": _or_none(_confusion_counts),
    },
    "steps": {
        "step": _whole,
        **dict.fromkeys(STEP_COLUMNS[1:], _or_none(_finite)),
    },
    "samples": {
        **dict.fromkeys(("step", "correct", "count"), _whole),
        "seconds": _positive,
    },
    "interventions": {
        "step": _whole,
        "order_kind": _one_of(*get_args(CommandKind), "change"),
        "setting": _or_none(_text(100)),
        "value": _or_none(_finite),
    },
    "weights": {
        "file": _name,
        "step": _whole,
        "what": _one_of("snapshot", "latest", "checkpoint"),
        "size_bytes": _large,
    },
}
