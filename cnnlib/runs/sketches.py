"""Sketches: the runs of the Lab page, one per browser, which are recorded only when kept.

A sketch is a run like any other, with a row in the table ``sketches`` as long as it is not kept. It
waits behind all recorded runs, gives its worker up for them, and is in no list, table or limit.
Sketches take turns among themselves. A worker asks for its sketch's `Order` ten times a second,
stops it with a checkpoint where it has to, and then calls `Sketches.settle`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from cnnlib.errors import LimitError, RecipeError, StoreError
from cnnlib.records.dataset import dataset_title
from cnnlib.records.events import Command
from cnnlib.records.folders import run_prefix
from cnnlib.records.run import RESUMABLE_STATES, Origin, Run, RunRequest
from cnnlib.runs import commands, event_writer, queue, rows, tables
from cnnlib.runs.access import limits, permissions
from cnnlib.runs.capacity import Capacity
from cnnlib.runs.database import clock
from cnnlib.runs.tables import interventions, runs, sketches
from cnnlib.runs.workers.notifications import RUNS, notify

if TYPE_CHECKING:
    from cnnlib.runs.access.store_access import StoreAccess

TURN_SECONDS = 20.0  # of a sketch while others wait
UNTOUCHED_SECONDS = 300.0  # a sketch pauses after this time without an action
UNTOUCHED_EPOCHS = 20
UNSEEN_SECONDS = 60.0  # a sketch stops training when its page is gone for this time
REPLACED_SECONDS = 10.0  # a sketch that was replaced is removed after this time
ABANDONED_SECONDS = 900.0  # and is removed after this one
MOST_SKETCHES = 500  # on one machine
_ALONE = Capacity(runs=1)

Order = Literal[
    "",  # train on
    "pause",
    "yield",  # make room, and go on later
    "change",  # go on with the changed request
    "keep",  # it is recorded now: end it like any run
    "leave",  # its page is gone: stop, it may be resumed
    "end",  # it was replaced: stop, it is removed
]


@dataclass(frozen=True)
class Sketch:
    """A sketch of a browser.

    Args:
        run: With a change of design or recipe that its worker has not taken yet.
        note: Why it was paused, as a sentence; "" where a person paused it.
        place: Place in line, 1 is next; None where it does not wait.
    """

    run: Run
    note: str = ""
    place: int | None = None


class Sketches:
    """The sketches of a run store.

    Raises:
        StoreError: (all methods) The store cannot be read or written, or there is no such sketch.
        RightsError: (all methods that change something) It belongs to another person.
    """

    def __init__(self, store: StoreAccess) -> None:
        self._store = store

    # -- for a page --------------------------------------------------------------------------------

    def of_browser(self, browser: str) -> Sketch | None:
        """Return the sketch of a browser; None without one."""
        own = sketches.c.browser == browser
        with self._store.database.read() as connection:
            row = connection.execute(sa.select(sketches).where(own)).first()
            if row is None:
                return None
            run = rows.find_run(connection, row.run_id)
            place = queue.position(connection, run.id)
        if row.request is not None:
            run = replace(run, request=RunRequest.from_dict(row.request))
        return Sketch(run, row.note, place)

    def start(self, browser: str, request: RunRequest, *, paused: bool = False) -> str:
        """Begin a sketch from its first step and return its id; it replaces the browser's earlier.

        Args:
            paused: Pause after the first batch.

        Raises:
            LimitError: It exceeds the limits of one person, or of the machine.
        """
        store = self._store
        with store.database.write() as connection:
            store.database.lock(connection)
            self._check_limits(connection, request)
            if store.owner:
                limits.check_disk(connection, store.owner, 0, store.settings, store.folders.runs)
            self._replace_earlier(connection, browser)
            run_id = queue.submit(connection, request, {}, owner=store.owner)
            notify(connection, RUNS)
            now = clock(connection)
            values = {"run_id": run_id, "browser": browser, "touched": now, "seen": now}
            connection.execute(sa.insert(sketches).values(**values))
            if paused:
                commands.submit(connection, run_id, Command("pause"))
        return run_id

    def change(self, run_id: str, request: RunRequest) -> None:
        """Go on with another design or recipe; layers of equal name and shape keep what they have.

        A sketch in training goes on with it within a second; others when they are resumed.

        Raises:
            RecipeError: The dataset is another one.
            LimitError: It exceeds the limits of one person.
        """
        with self._store.database.write() as connection:
            run = self._check_sketch(connection, run_id)
            if request.dataset != run.request.dataset:
                raise RecipeError(
                    f"The sketch {run_id} trains on {dataset_title(run.request.dataset)}, and "
                    f"cannot go on with {dataset_title(request.dataset)}. Start a new sketch."
                )
            self._check_limits(connection, request)
            changes = {"request": request.to_dict(), **_touch(connection, run)}
            _update(connection, run_id, **changes)
            cost = {"plan_cost": queue.plan_cost(request.spec)}
            connection.execute(sa.update(runs).where(runs.c.id == run_id).values(**cost))
            if run.state not in queue.BUSY_STATES:
                _apply_change(connection, run)

    def play(self, run_id: str) -> None:
        """Go on: resume a paused sketch, or queue one that gave its worker up."""
        self._go_on(run_id, Command("resume"))

    def step(self, run_id: str) -> None:
        """Train one batch, then pause."""
        self._go_on(run_id, Command("step"))

    def pause(self, run_id: str) -> None:
        """Pause; a sketch in line leaves the line."""
        with self._store.database.write() as connection:
            run = self._check_sketch(connection, run_id)
            _update(connection, run_id, **_touch(connection, run))
            if run.state == "queued":
                values = {"state": "interrupted", "ended": clock(connection)}
                connection.execute(sa.update(runs).where(runs.c.id == run_id).values(**values))
            else:
                commands.submit(connection, run_id, Command("pause"))

    def set_lr(self, run_id: str, lr: float) -> None:
        """Change the learning rate from the next batch on."""
        with self._store.database.write() as connection:
            run = self._check_sketch(connection, run_id)
            _update(connection, run_id, **_touch(connection, run))
            commands.submit(connection, run_id, Command("set", "lr", lr))

    def see(self, run_id: str, *, is_touched: bool = False) -> None:
        """Record that its page is open; to be called at least every `UNSEEN_SECONDS`.

        Args:
            is_touched: A person draws for it, which counts as an action on it.
        """
        is_own = sa.and_(sketches.c.run_id == run_id, ~sketches.c.has_to_end)
        with self._store.database.write() as connection:
            values: dict[str, Any] = {"seen": clock(connection)}
            if is_touched:
                run = rows.find_run(connection, run_id)
                values |= {"touched": values["seen"], "touched_epoch": run.epoch}
            connection.execute(sa.update(sketches).where(is_own).values(**values))

    def keep(self, run_id: str, name: str = "") -> None:
        """Record the sketch as a run: it ends, is measured on the test split and stays in lists."""
        with self._store.database.write() as connection:
            run = self._check_sketch(connection, run_id)
            request = replace(run.request, name=name or run.request.name)
            values = {"request": request.to_dict(), "intervened": True}
            connection.execute(sa.update(runs).where(runs.c.id == run_id).values(**values))
            connection.execute(sa.delete(sketches).where(sketches.c.run_id == run_id))
            _finish(connection, run)

    def end(self, run_id: str) -> None:
        """Remove a sketch; its worker stops first."""
        with self._store.database.write() as connection:
            self._remove(connection, self._check_sketch(connection, run_id))

    # -- for a worker ------------------------------------------------------------------------------

    def contains(self, run_id: str) -> bool:
        """Whether a run is a sketch."""
        with self._store.database.read() as connection:
            return _find(connection, run_id) is not None

    def order(
        self, run_id: str, turn_seconds: float, capacity: Capacity = _ALONE, *, is_paused: bool
    ) -> Order:
        """Return what a sketch at work has to do.

        Args:
            turn_seconds: Time since its worker took it.
            capacity: Of its machine: it makes room only where those who wait have none beside it.
        """
        with self._store.database.read() as connection:
            row = _find(connection, run_id)
            if row is None:
                return "keep"
            if row.has_to_end:
                return "end"
            if row.request is not None:
                return "change"
            has_turn = turn_seconds < TURN_SECONDS and not is_paused
            waiting = connection.execute(_WAITING_RUN if has_turn else _WAITING).first()
            if waiting is not None and not _has_room_beside(connection, run_id, capacity):
                return "yield"
            if row.unseen > UNSEEN_SECONDS:
                return "leave"
            if is_paused:
                return ""
            epochs = rows.find_run(connection, run_id).epoch - row.touched_epoch
            if row.untouched > UNTOUCHED_SECONDS or epochs >= UNTOUCHED_EPOCHS:
                return "pause"
        return ""

    def explain_pause(self, run_id: str) -> None:
        """Record that the sketch was paused because there was no action on it."""
        with self._store.database.write() as connection:
            row = _find(connection, run_id)
            is_long = row is not None and row.untouched > UNTOUCHED_SECONDS
            minutes, epochs = f"{UNTOUCHED_SECONDS / 60:.0f} minutes", f"{UNTOUCHED_EPOCHS} epochs"
            note = f"Paused after {minutes if is_long else epochs} without a touch. Press play."
            _update(connection, run_id, note=note)

    def settle(self, run_id: str, *, was_paused: bool) -> None:
        """Continue, record or remove a sketch that its worker has stopped by an order.

        Nothing happens where it was removed since it stopped, as `remove_abandoned` may do.
        """
        exists = sa.select(runs.c.number).where(runs.c.id == run_id)
        with self._store.database.write() as connection:
            if connection.execute(exists).first() is None:
                return
            run = rows.find_run(connection, run_id)
            row = _find(connection, run_id)
            if row is None:
                _finish(connection, run)
            elif row.has_to_end:
                self._remove(connection, run)
            else:
                if row.request is not None:
                    run = _apply_change(connection, run)
                if was_paused or run.state not in RESUMABLE_STATES:
                    return
                if _is_unseen(row):
                    note = "It stopped while this page was closed. Press play to go on."
                    _update(connection, run_id, note=note)
                else:
                    queue.resume(connection, run_id)

    def remove_abandoned(self) -> None:
        """Remove the sketches whose pages are gone, and those that were replaced a while ago."""
        with self._store.database.read() as connection:
            if connection.execute(_abandoned(connection)).first() is None:
                return
        with self._store.database.write() as connection:
            for run_id in connection.scalars(_abandoned(connection)).all():
                self._remove(connection, rows.find_run(connection, run_id), at_once=True)

    # -- helpers -----------------------------------------------------------------------------------

    def _check_sketch(self, connection: sa.Connection, run_id: str) -> Run:
        """Return the run of a sketch, after the check that the person may change it."""
        run = rows.find_run(connection, run_id)
        self._store.check_may_change(run)
        if _find(connection, run_id) is None:
            raise StoreError(
                f"The run {run_id} is not a sketch of the Lab: it was kept. Open it in Train."
            )
        return run

    def _check_limits(self, connection: sa.Connection, request: RunRequest) -> None:
        """Check the limits of one person, except that of epochs: a sketch has no planned end."""
        store = self._store
        count = connection.scalar(sa.select(sa.func.count()).select_from(sketches)) or 0
        if count >= MOST_SKETCHES:
            raise LimitError(
                f"This server has {count:,} sketches, and no room for another. "
                "Try again in some minutes."
            )
        if store.owner:
            limits.check_size(request, store.settings.person)
            permissions.check_training_data(connection, store.person, request.dataset)

    def _replace_earlier(self, connection: sa.Connection, browser: str) -> None:
        own = sa.select(sketches.c.run_id).where(sketches.c.browser == browser)
        for run_id in connection.scalars(own).all():
            self._remove(connection, rows.find_run(connection, run_id))

    def _remove(self, connection: sa.Connection, run: Run, *, at_once: bool = False) -> None:
        """Remove a sketch, or have its worker stop it first.

        Without `at_once` it is removed after a while: its page may have asked for it just now.
        """
        if run.state in queue.BUSY_STATES or not at_once:
            _update(connection, run.id, browser="", has_to_end=True)
            if run.state == "queued":
                waits = sa.update(runs).where(runs.c.id == run.id)
                connection.execute(waits.values(state="interrupted", ended=clock(connection)))
            return
        self._store.files.remove([run_prefix(run.id)])
        event_writer.erase(connection, run.id)

    def _go_on(self, run_id: str, command: Command) -> None:
        with self._store.database.write() as connection:
            run = self._check_sketch(connection, run_id)
            _update(connection, run_id, **_touch(connection, run))
            if run.state in RESUMABLE_STATES:
                queue.resume(connection, run_id)
                command = replace(command, kind="pause" if command.kind == "step" else "resume")
            commands.submit(connection, run_id, command)


_WAITING_RUN = sa.select(runs.c.number).where(runs.c.state == "queued", queue.IS_RECORDED).limit(1)
_WAITING = sa.select(runs.c.number).where(runs.c.state == "queued").limit(1)


def _has_room_beside(connection: sa.Connection, run_id: str, capacity: Capacity) -> bool:
    """Return whether the next run in the queue can start beside a sketch at work."""
    worker_id = connection.scalar(sa.select(runs.c.worker_id).where(runs.c.id == run_id)) or ""
    next_id = queue.next_with_room(connection, worker_id, capacity)
    lacks_memory = sa.select(runs.c.phase).where(runs.c.id == next_id)
    return next_id is not None and not connection.scalar(lacks_memory)


def _find(connection: sa.Connection, run_id: str) -> sa.Row[Any] | None:
    """Find the row of a sketch, with the seconds since it was seen and touched."""
    now = clock(connection)
    unseen = (now - sketches.c.seen).label("unseen")
    query = sa.select(sketches, unseen, (now - sketches.c.touched).label("untouched"))
    return connection.execute(query.where(sketches.c.run_id == run_id)).first()


def _abandoned(connection: sa.Connection) -> sa.Select[Any]:
    """The ids of the sketches whose pages are gone, and of those that were replaced a while ago."""
    unseen = clock(connection) - sketches.c.seen
    is_replaced = sa.and_(sketches.c.has_to_end, unseen > REPLACED_SECONDS)
    return sa.select(sketches.c.run_id).where(sa.or_(unseen > ABANDONED_SECONDS, is_replaced))


def _update(connection: sa.Connection, run_id: str, **values: Any) -> None:
    connection.execute(sa.update(sketches).where(sketches.c.run_id == run_id).values(**values))


def _touch(connection: sa.Connection, run: Run) -> dict[str, Any]:
    """Values of a sketch's row after an action on it."""
    now = clock(connection)
    return {"touched": now, "seen": now, "touched_epoch": run.epoch, "note": ""}


def _is_unseen(row: sa.Row[Any]) -> bool:
    return bool(row.unseen > UNSEEN_SECONDS)


def _apply_change(connection: sa.Connection, run: Run) -> Run:
    """Give a sketch that is not at work its changed request; return it as it is then.

    Without a step there is nothing to keep: it begins with the new request.
    """
    row = _find(connection, run.id)
    assert row is not None and row.request is not None  # there is a change
    before, request = run.request, RunRequest.from_dict(row.request)
    if run.step:
        request = replace(request, origin=Origin(run.id, run.step, fitting=True))
        values = {
            "step": run.step,
            "order_kind": "change",
            "setting": _what_changed(before, request),
        }
        connection.execute(sa.insert(interventions).values(run_id=run.id, **values))
    changes: dict[str, Any] = {"request": request.to_dict(), "intervened": bool(run.step)}
    changes["epochs_total"] = request.recipe.epochs
    connection.execute(sa.update(runs).where(runs.c.id == run.id).values(**changes))
    _update(connection, run.id, request=None)
    return replace(run, request=request)


def _what_changed(before: RunRequest, after: RunRequest) -> str:
    """The changed parts of a request as text: "design, batch size"."""
    parts = ["design"] if before.spec != after.spec else []
    for name in ("batch_size", "optimizer", "lr"):
        if getattr(before.recipe, name) != getattr(after.recipe, name):
            parts.append({"batch_size": "batch size", "lr": "learning rate"}.get(name, name))
    return ", ".join(parts) or "recipe"


def _finish(connection: sa.Connection, run: Run) -> None:
    """Queue a kept run, so that it ends at once, with its measurements."""
    if run.state != "queued":
        if run.state not in _MEASURABLE:
            return
        is_own = runs.c.id == run.id
        connection.execute(sa.update(runs).where(is_own).values(state="interrupted"))
        queue.resume(connection, run.id)
    # Not by `commands.submit`: that ends a queued run without its measurements.
    connection.execute(sa.insert(tables.commands).values(run_id=run.id, kind="stop"))


_MEASURABLE = ("finished", "stopped", "interrupted", "lost")  # not after an error
