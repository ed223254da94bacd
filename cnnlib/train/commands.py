"""Between two batches: carry out what people asked for."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from cnnlib.records.events import Command, Event, Intervention, Phase

if TYPE_CHECKING:
    from collections.abc import Generator

    from cnnlib.records.run import RunState
    from cnnlib.train.session import Session

_LOOK_SECONDS = 10.0
_LATEST_EVERY_SECONDS = 1.0


@dataclass(frozen=True)
class End:
    """How a run ends, and why."""

    state: RunState
    reason: str = ""


def apply_commands(session: Session) -> Generator[Event]:
    """Carry out every order that waits, and hold still while the run is paused.

    Returns:
        An `End` if the run is to end here, else None.
    """
    control, step = session.control, session.progress.step
    held, session.pauses_again = session.pauses_again, False
    if held:
        yield from _hold(session)
    while held or control.pending:
        order = control.wait() if held else control.take()
        if control.interrupted:
            return End("interrupted")
        match order.kind:
            case "stop":
                yield Intervention(step, "stop")
                return End("stopped")
            case "set" if session.optimizer.takes(order.setting):
                yield from _set(session, order)
            case "look":
                session.looked_at = perf_counter()
                yield from keep_latest(session)
            case "pause" if not held:
                yield Intervention(step, "pause")
                yield from _hold(session)
                held = True
            case "resume" if held:
                yield Intervention(step, "resume")
                break
            case "step":
                yield Intervention(step, "step")
                session.pauses_again = True
                break
    if held:
        yield Phase("running", "training")
        session.watch.start()
    return None


def checkpoint(session: Session) -> Generator[Event]:
    """Tell what is yet to be read, and write a file from which the run can go on."""
    yield from session.readings.take(everything=True)
    session.readings.count_hits()
    session.progress.train_seconds = session.watch.seconds
    yield from session.saver.checkpoint(
        session.net, session.optimizer, session.progress, session.circumstances
    )


def keep_latest(session: Session) -> Generator[Event]:
    """While somebody looks inside: the weights of now, at most once a second."""
    now = perf_counter()
    session.is_watched = now - session.looked_at < _LOOK_SECONDS
    is_new = session.latest_step != session.progress.step
    if session.is_watched and is_new and now - session.latest_at >= _LATEST_EVERY_SECONDS:
        session.latest_at, session.latest_step = now, session.progress.step
        yield from session.saver.latest(session.net, session.progress.step)


def _hold(session: Session) -> Generator[Event]:
    """Training stands still from here on, and can be continued from here after anything."""
    session.watch.stop()
    yield from checkpoint(session)
    yield Phase("paused", f"paused after step {session.progress.step:,}")


def _set(session: Session, order: Command) -> Generator[Event]:
    """Change a setting from the next step on; a resumed run must know of it, hence a checkpoint."""
    session.progress.settings[order.setting] = order.value
    session.optimizer.set(order.setting, order.value)
    yield Intervention(session.progress.step, "set", order.setting, order.value)
    if not session.control.pending:  # of many changes in a row, the last one writes
        yield from checkpoint(session)
