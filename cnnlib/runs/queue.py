"""The queue of runs: owners take turns, and the runs of one owner are first come, first served.

A run is assigned to one worker only, across all processes.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import StoreError
from cnnlib.records.run import RESUMABLE_STATES, Run, RunRequest
from cnnlib.runs.capacity import Capacity, usable_cores
from cnnlib.runs.database import clock
from cnnlib.runs.rows import find_run, parse_request, unknown_run
from cnnlib.runs.tables import commands, runs, sketches, studies, turns, workers
from cnnlib.runs.workers.notifications import RUNS, notify
from cnnlib.units import plural

BUSY_STATES = ("starting", "running", "paused")
IS_SKETCH: sa.ColumnElement[bool] = runs.c.id.in_(sa.select(sketches.c.run_id))
IS_RECORDED: sa.ColumnElement[bool] = sa.not_(IS_SKETCH)  # a run of the lists and tables
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: without similar letters


class _IdNumbers:
    """Numbers of ids: the millisecond and fifteen random bits; each is above the one before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest = 0

    def next(self) -> int:
        number = (time.time_ns() // 1_000_000) * 32**3 + secrets.randbelow(32**3)
        with self._lock:
            self._newest = max(number, self._newest + 1 + secrets.randbelow(32))
            return self._newest


_id_numbers = _IdNumbers()


def new_id() -> str:
    """A new id of twelve characters: nine of the millisecond, to sort by time, three random.

    The ids of one process sort in the order in which they were made, also within a millisecond.
    """
    number = _id_numbers.next()
    return "".join(_DIGITS[number >> shift & 31] for shift in range(55, -1, -5))


def submit(
    connection: sa.Connection,
    request: RunRequest,
    forecast: Mapping[str, float],
    first: bool = False,
    owner: str = "",
) -> str:
    """Put a run at the end of the queue, or at its start with ``first``; returns its id."""
    run_id = _unused_id(connection)
    values = {
        "id": run_id,
        "request": request.to_dict(),
        "group_name": request.group,
        "state": "queued",
        "rank": _first_rank(connection) if first else _last_rank(connection),
        "epochs_total": request.recipe.epochs,
        "created": clock(connection),
        "plan_cost": plan_cost(request.spec),
        "summary": _forecast_summary(forecast) | _repeat(connection, request),
        "owner": owner,
    }
    connection.execute(sa.insert(runs).values(**values))
    return run_id


def plan_cost(spec: CNNSpec) -> dict[str, int]:
    """The parameters and the MACs of a design, as they are stored with a run."""
    costs = cost(plan(spec))
    return {"params": costs.params, "macs": costs.macs}


def _unused_id(connection: sa.Connection) -> str:
    """A new id that no run has; many runs may get their ids within one millisecond."""
    run_id = new_id()
    while connection.scalar(_STATE, {"run_id": run_id}) is not None:
        run_id = new_id()
    return run_id


def _repeat(connection: sa.Connection, request: RunRequest) -> dict[str, int]:
    """The number of a run among those with the same title; empty for the first."""
    names = json.dumps({"name": request.name, "preset": request.preset}, separators=(",", ":"))
    text = sa.type_coerce(runs.c.request, sa.Text)
    similar = sa.select(text.label("request"), runs.c.summary)
    is_similar = text.contains(names[1:-1], autoescape=True)
    found = connection.execute(similar.where(is_similar, IS_RECORDED))
    numbers = [
        row.summary.get("repeat", 1)
        for row in found
        if parse_request(row.request).title == request.title
    ]
    return {"repeat": max(numbers) + 1} if numbers else {}


def _forecast_summary(forecast: Mapping[str, Any]) -> dict[str, Any]:
    """The forecast twice: its numbers, which the run replaces, and an unchanged copy."""
    if not forecast:
        return {}
    numbers = {name: value for name, value in forecast.items() if not isinstance(value, str)}
    return {"forecast": numbers, "promised": dict(forecast)}


def resume(connection: sa.Connection, run_id: str) -> None:
    """Put an ended run at the end of the queue, to go on from its last checkpoint.

    Raises:
        StoreError: It waits or runs already, or it is finished.
    """
    query = sa.select(runs.c.state).where(runs.c.id == run_id).with_for_update()
    state = connection.scalar(query)
    if state is None:
        raise unknown_run(run_id)
    if state not in RESUMABLE_STATES:
        raise StoreError(
            f"The run {run_id} is {state}, so it cannot be resumed. Only a run that is "
            f"{', '.join(RESUMABLE_STATES[:-1])} or {RESUMABLE_STATES[-1]} can be resumed. To "
            "train a finished run further, fork it."
        )
    connection.execute(sa.delete(commands).where(commands.c.run_id == run_id))
    _begin_again(connection, run_id, rank=_last_rank(connection))


def lost_runs(most_attempts: int) -> sa.Select[Any]:
    """Select the runs that were lost, unless they have begun this often; no sketches."""
    is_lost = sa.and_(runs.c.state == "lost", runs.c.attempt < most_attempts, IS_RECORDED)
    return sa.select(runs.c.id).where(is_lost)


def resume_lost(connection: sa.Connection, most_attempts: int) -> None:
    """Put the runs of `lost_runs` back into the queue, at the place that they had.

    The commands that wait for them stay: a run that a person has stopped stops. A study that took
    such a run for broken off goes on with it.
    """
    groups = sa.select(runs.c.group_name).where(runs.c.id.in_(lost_runs(most_attempts)))
    of_lost = sa.select(studies.c.id).where(studies.c.id.in_(groups)).order_by(studies.c.id)
    connection.execute(of_lost.with_for_update()).all()  # before the runs, as who advances them
    for run_id in connection.scalars(lost_runs(most_attempts).with_for_update()).all():
        _begin_again(connection, run_id)
        ends = sa.exists().where(commands.c.run_id == run_id, commands.c.kind.in_(_ENDING))
        of_run = sa.select(runs.c.group_name).where(runs.c.id == run_id).scalar_subquery()
        broken_off = sa.and_(studies.c.id == of_run, studies.c.state == "incomplete", ~ends)
        connection.execute(sa.update(studies).where(broken_off).values(state="live"))


_ENDING = ("stop", "interrupt")


def _begin_again(connection: sa.Connection, run_id: str, **more: Any) -> None:
    """Put a run back into the queue as its next attempt."""
    values = {
        "state": "queued",
        "attempt": runs.c.attempt + 1,
        "worker_id": None,
        "reason": "",
        "phase": "",
        "ended": None,
    }
    connection.execute(sa.update(runs).where(runs.c.id == run_id).values(**values, **more))
    notify(connection, RUNS)


def claim(
    connection: sa.Connection, worker_id: str, run_id: str | None, capacity: Capacity | None
) -> Run | None:
    """Assign the next run, or the named one, to a worker, with the threads that it may use.

    Args:
        capacity: Of the worker's machine; None ignores what else trains there.
    """
    if run_id is None:
        run_id = connection.scalar(_NEXT)
    threads = _threads(connection, worker_id, run_id, capacity) if run_id else 0
    if not threads:
        return None
    values = {
        "state": "starting",
        "phase": "preparing",
        "worker_id": worker_id,
        "recorded": 0,
        "threads": threads,
        "started": sa.func.coalesce(runs.c.started, clock(connection)),
    }
    still_waits = sa.and_(runs.c.id == run_id, runs.c.state == "queued")
    if not connection.execute(sa.update(runs).where(still_waits).values(**values)).rowcount:
        return None
    assert run_id is not None  # a run was updated
    run = find_run(connection, run_id)
    if connection.scalar(sa.select(IS_RECORDED).where(runs.c.id == run_id)):
        _record_turn(connection, run.owner)
    return run


def next_with_room(
    connection: sa.Connection, worker_id: str, capacity: Capacity | None
) -> str | None:
    """Return the id of the next run, if the worker's machine has room for it."""
    run_id = connection.scalar(_NEXT)
    if run_id is None or not _threads(connection, worker_id, run_id, capacity):
        return None
    return str(run_id)


def _threads(
    connection: sa.Connection, worker_id: str, run_id: str, capacity: Capacity | None
) -> int:
    """Return the threads that a waiting run may use on a worker's machine; 0 without room.

    A run whose mode is given has that number. Others share the cores that are free, one of which
    stays with the pages while any is open. A run that is alone always has room, and so has one
    whose worker was given its cores by a cluster.
    """
    if capacity is not None and capacity.threads:
        return _given_threads(connection, run_id) or capacity.threads
    at_work, held = connection.execute(_AT_WORK, {"worker_id": worker_id}).one()
    given = _given_threads(connection, run_id)
    more = 0
    if capacity is not None:
        if at_work >= capacity.runs:
            return 0
        if at_work and capacity.cores is not None and held + max(1, given) > capacity.cores:
            return 0
        waiting = connection.scalar(_COUNT_WAITING) or 0
        more = min(max(0, waiting - 1), capacity.runs - at_work - 1)
    is_page_open = connection.scalar(_PAGES, {"worker_id": worker_id}) is not None
    free = usable_cores() - held - is_page_open
    return given or max(1, free // (1 + more))


def _given_threads(connection: sa.Connection, run_id: str) -> int:
    """Return the threads of the mode that a run was asked for or goes on with; 0 if it is open."""
    row = connection.execute(_MODE, {"run_id": run_id}).one()
    requested = parse_request(row.request).mode
    mode = requested if requested != "auto" else (row.chosen or {}).get("mode", "")
    match = re.match(r"t(\d{1,3})-", mode)
    return int(match[1]) if match else 0


def _record_turn(connection: sa.Connection, owner: str) -> None:
    """Move an owner behind all others in the order of turns."""
    latest = connection.scalar(sa.select(sa.func.max(turns.c.served))) or 0
    connection.execute(sa.delete(turns).where(turns.c.owner == owner))
    connection.execute(sa.insert(turns).values(owner=owner, served=latest + 1))


def _queue_positions() -> sa.Subquery:
    """Select the queued runs with their ``place``; 1 is next.

    Urgent runs (rank below 0) come first. Then comes the first run of each owner, beginning with
    the owner served longest ago, then the second run of each owner, and so on; last the sketches,
    first come, first served.
    """
    of_one_owner = (runs.c.owner, sa.case((runs.c.rank < 0, 1), else_=0))
    in_order = (runs.c.rank, runs.c.number)
    own = sa.func.row_number().over(partition_by=of_one_owner, order_by=in_order)
    is_sketch = sa.case((IS_SKETCH, 1), else_=0)
    waiting = (
        sa.select(
            *_QUEUE_COLUMNS,
            is_sketch.label("is_sketch"),
            sa.case((IS_SKETCH, 0), else_=own).label("round"),
            sa.case((IS_SKETCH, 0), else_=sa.func.coalesce(turns.c.served, 0)).label("at"),
        )
        .select_from(runs.outerjoin(turns, turns.c.owner == runs.c.owner))
        .where(runs.c.state == "queued")
        .subquery()
    )
    urgency = sa.case((waiting.c.rank < 0, waiting.c.rank), else_=0)
    keys = (
        *(waiting.c.is_sketch, urgency, waiting.c.round, waiting.c.at),
        *(waiting.c.rank, waiting.c.number),
    )
    return sa.select(
        waiting.c.id, sa.func.row_number().over(order_by=keys).label("place")
    ).subquery()


_QUEUE_COLUMNS = (runs.c.id, runs.c.rank, runs.c.number)
_QUEUE = _queue_positions()
_NEXT = sa.select(_QUEUE.c.id).order_by(_QUEUE.c.place).limit(1)
_PLACE = sa.select(_QUEUE.c.place).where(_QUEUE.c.id == sa.bindparam("run_id"))
_PHASE = sa.select(runs.c.phase).where(runs.c.id == sa.bindparam("run_id"))
_STATE = sa.select(runs.c.state).where(runs.c.id == sa.bindparam("run_id"))


def position(connection: sa.Connection, run_id: str) -> int | None:
    """Place of a run in the queue, 1 is next; None if it is not queued."""
    if connection.scalar(_STATE, {"run_id": run_id}) is None:
        raise unknown_run(run_id)
    return connection.scalar(_PLACE, {"run_id": run_id})


def wait_seconds(connection: sa.Connection, run_id: str) -> float | None:
    """Forecast of how long a queued run waits for those ahead of it.

    Returns:
        Seconds, with one worker per run at work; None if a run ahead is paused or has no forecast,
        or if no run is at work.
    """
    place = connection.scalar(_PLACE, {"run_id": run_id})
    if place is None:
        return None
    rows = connection.execute(_AHEAD, {"place": place}).all()
    all_left = [None if row.state == "paused" else eta_seconds(row) for row in rows]
    left = [seconds for seconds in all_left if seconds is not None]
    at_work = sum(row.state != "queued" for row in rows)
    if len(left) < len(rows) or (rows and not at_work):
        return None
    return sum(left) / max(1, at_work)


def wait_reason(connection: sa.Connection, run_id: str) -> str:
    """Say why a queued run waits: "waits for 1 run in training and 2 runs queued before it"."""
    place = connection.scalar(_PLACE, {"run_id": run_id})
    if place == 1 and (reason := connection.scalar(_PHASE, {"run_id": run_id})):
        return str(reason)
    states = [row.state for row in connection.execute(_AHEAD, {"place": place})]
    paused, queued = states.count("paused"), states.count("queued")
    counts = {
        "in training": len(states) - paused - queued,
        "that is paused" if paused == 1 else "that are paused": paused,
        "queued before it": queued,
    }
    parts = [f"{plural(count, 'run')} {what}" for what, count in counts.items() if count]
    return f"waits for {' and '.join(parts) or 'a worker process to start'}"


ETA_COLUMNS = (
    runs.c.state,
    runs.c.step,
    runs.c.total_steps,
    runs.c.epoch,
    runs.c.epochs_total,
    runs.c.train_seconds,
    runs.c.eval_seconds,
    runs.c.summary,
    sa.type_coerce(runs.c.request, sa.Text).label("request"),
)
_AHEAD = sa.select(*ETA_COLUMNS).where(
    sa.or_(
        sa.and_(runs.c.state.in_(BUSY_STATES), IS_RECORDED),  # a sketch yields
        runs.c.id.in_(sa.select(_QUEUE.c.id).where(_QUEUE.c.place < sa.bindparam("place"))),
    )
)


def eta_seconds(row: Any) -> float | None:
    """Seconds until a run ends, at its speed so far; None while unknown.

    Before its first step its forecast is used, if there is one. The steps before a fork took time
    in the other run only.
    """
    own_steps = row.step - _first_step(row)
    if own_steps > 0 and row.total_steps:
        per_step = row.train_seconds / own_steps
        own_epochs = row.epoch * own_steps / row.step
        per_epoch = row.eval_seconds / own_epochs if own_epochs else 0.0
        epochs_left = max(0, row.epochs_total - row.epoch)
        return max(0, row.total_steps - row.step) * per_step + epochs_left * per_epoch
    forecast = (row.summary or {}).get("forecast", {}).get("seconds_per_epoch")
    return None if forecast is None else forecast * row.epochs_total


def _first_step(row: Any) -> int:
    """Return the step from which a run's own seconds count: 0, or that of a fork."""
    origin = parse_request(row.request).origin
    is_fork = origin is not None and not (origin.weights_only or origin.fitting)
    return min(row.step, origin.step) if origin is not None and is_fork else 0


def _first_rank(connection: sa.Connection) -> int:
    lowest = sa.select(sa.func.min(runs.c.rank)).where(runs.c.state == "queued")
    return min(0, connection.scalar(lowest) or 0) - 1


def _last_rank(connection: sa.Connection) -> int:
    highest = sa.select(sa.func.max(runs.c.rank)).where(runs.c.state == "queued")
    return max(0, connection.scalar(highest) or 0) + 1


_MODE = sa.select(sa.type_coerce(runs.c.request, sa.Text).label("request"), runs.c.chosen).where(
    runs.c.id == sa.bindparam("run_id")
)
_COUNT_WAITING = sa.select(sa.func.count()).select_from(runs).where(runs.c.state == "queued")
_HOST = sa.select(workers.c.host).where(workers.c.id == sa.bindparam("worker_id")).scalar_subquery()
_PAGES = sa.select(workers.c.id).where(workers.c.does == "pages", workers.c.host == _HOST).limit(1)
IS_BUSY_ON_HOST = sa.and_(
    runs.c.state.in_(BUSY_STATES),
    runs.c.worker_id.in_(sa.select(workers.c.id).where(workers.c.host == _HOST)),
)
_AT_WORK = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(runs.c.threads), 0)).where(
    IS_BUSY_ON_HOST
)
