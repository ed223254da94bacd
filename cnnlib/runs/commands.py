"""Commands to runs, stored until the worker of the run takes them."""

from __future__ import annotations

import sqlalchemy as sa

from cnnlib.records.events import Command
from cnnlib.records.run import ENDED_STATES
from cnnlib.runs.database import clock
from cnnlib.runs.rows import unknown_run
from cnnlib.runs.tables import commands, runs
from cnnlib.runs.workers.notifications import notify

IGNORED = 0  # instead of a command's id: it has no effect


def submit(connection: sa.Connection, run_id: str, command: Command) -> int:
    """Store a command for the run's worker; "stop" and "interrupt" end a queued run at once.

    Returns:
        The command's id, or `IGNORED` if the run has ended, or if the command is "look" and the run
        has not begun.
    """
    row = connection.execute(
        sa.select(runs.c.state, runs.c.attempt).where(runs.c.id == run_id).with_for_update()
    ).first()
    if row is None:
        raise unknown_run(run_id)
    if row.state in ENDED_STATES or (row.state == "queued" and command.kind == "look"):
        return IGNORED
    values = {"kind": command.kind, "setting": command.setting, "value": command.value}
    added = connection.execute(sa.insert(commands).values(run_id=run_id, **values))
    if row.state == "queued" and command.kind in _ENDS:
        _end_queued(connection, run_id, _ENDS[command.kind], row.attempt)
    notify(connection, run_id)
    command_id: int = added.inserted_primary_key[0]  # type: ignore[index]  # an insert has one
    return command_id


_ENDS = {"stop": "stopped", "interrupt": "interrupted"}


def _end_queued(connection: sa.Connection, run_id: str, state: str, attempt: int) -> None:
    waited = "before it started" if attempt == 1 else "while it waited to continue"
    ended = {"state": state, "reason": f"{state.capitalize()} {waited}."}
    update = sa.update(runs).where(runs.c.id == run_id)
    connection.execute(update.values(**ended, ended=clock(connection)))
    connection.execute(sa.delete(commands).where(commands.c.run_id == run_id))


_WAITING = (
    sa.select(commands).where(commands.c.run_id == sa.bindparam("run_id")).order_by(commands.c.id)
)


def take(connection: sa.Connection, run_id: str, received: int | None = None) -> list[Command]:
    """Return the waiting commands of a run, oldest first, and remove those that its worker has.

    Args:
        received: Id of the last command that the worker has got. Later ones are returned and stay
            until the next call, in case that the answer is lost. None removes them at once.
    """
    rows = connection.execute(_WAITING, {"run_id": run_id}).all()
    last = rows[-1].id if rows and received is None else received or 0
    if rows and rows[0].id <= last:
        taken = commands.c.id <= last
        connection.execute(sa.delete(commands).where(commands.c.run_id == run_id, taken))
    rows = [row for row in rows if row.id > (received or 0)]
    return [Command(row.kind, row.setting, row.value, row.id) for row in rows]


def pending(run_id: str) -> sa.Select[tuple[int]]:
    """A query that finds a row if commands wait for the run."""
    return sa.select(commands.c.id).where(commands.c.run_id == run_id).limit(1)
