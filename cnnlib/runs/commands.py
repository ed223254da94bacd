"""Orders: what people want of a run, from the moment of the press until its worker takes it."""

from __future__ import annotations

import sqlalchemy as sa

from cnnlib.records.events import Command
from cnnlib.records.run import ENDED_STATES
from cnnlib.runs.rows import unknown_run
from cnnlib.runs.tables import commands, runs

IGNORED = 0  # instead of an order's id: the run had ended already


def submit(connection: sa.Connection, run_id: str, order: Command, now: float) -> int:
    """Write an order down for the run's worker; a queued run is stopped at once.

    Returns:
        The order's id, or `IGNORED` where there is nothing left to order: the run has ended, or
        somebody only wanted to look at a run that has not begun.
    """
    row = connection.execute(
        sa.select(runs.c.state, runs.c.attempt).where(runs.c.id == run_id).with_for_update()
    ).first()
    if row is None:
        raise unknown_run(run_id)
    if row.state in ENDED_STATES or (row.state == "queued" and order.kind == "look"):
        return IGNORED
    values = {"kind": order.kind, "setting": order.setting, "value": order.value}
    added = connection.execute(sa.insert(commands).values(run_id=run_id, **values))
    if row.state == "queued" and order.kind == "stop":
        _stop_queued(connection, run_id, row.attempt, now)
    number: int = added.inserted_primary_key[0]  # type: ignore[index]  # an insert has one
    return number


def _stop_queued(connection: sa.Connection, run_id: str, attempt: int, now: float) -> None:
    waited = "before it began" if attempt == 1 else "while it waited to go on"
    ended = {"state": "stopped", "reason": f"Stopped {waited}.", "ended": now}
    connection.execute(sa.update(runs).where(runs.c.id == run_id).values(**ended))
    connection.execute(sa.delete(commands).where(commands.c.run_id == run_id))


_WAITING = (
    sa.select(commands).where(commands.c.run_id == sa.bindparam("run_id")).order_by(commands.c.id)
)


def take(connection: sa.Connection, run_id: str) -> list[Command]:
    """The orders that the run's worker has not seen yet, oldest first; each is handed out once."""
    rows = connection.execute(_WAITING, {"run_id": run_id}).all()
    if rows:
        seen = commands.c.id <= rows[-1].id
        connection.execute(sa.delete(commands).where(commands.c.run_id == run_id, seen))
    return [Command(row.kind, row.setting, row.value, row.id) for row in rows]


def pending(run_id: str) -> sa.Select[tuple[int]]:
    """Finds a row if the run's worker has orders to take."""
    return sa.select(commands.c.id).where(commands.c.run_id == run_id).limit(1)
