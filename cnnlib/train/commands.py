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


def apply_commands(session: Session) -> Generator[Event, None, End | None]:
    """Carry out all pending commands, and wait while the run is paused.

    Returns:
        An `End` if a command ends the run, else None.
    """
    control, step = session.control, session.progress.step
    held, session.pauses_again = session.pauses_again, False
    if held:
        yield from _hold(session)
    while held or control.pending:
        command = control.wait() if held else control.take()
        if control.interrupted:
            return End("interrupted")
        assert command is not None  # one was pending, or was waited for
        match command.kind:
            case "stop":
                yield Intervention(step, "stop")
                return End("stopped")
            case "set" if command.setting is not None and session.optimizer.takes(command.setting):
                yield from _set(session, command)
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
    """Record the metrics so far, and write a checkpoint from which the run can resume."""
    yield from session.metrics.take(everything=True)
    session.metrics.count_hits()
    session.progress.train_seconds = session.watch.seconds
    yield from session.saver.checkpoint(
        session.net, session.optimizer, session.progress, session.circumstances
    )


def keep_latest(session: Session) -> Generator[Event]:
    """While the run is inspected, save its newest weights, at most once a second."""
    now = perf_counter()
    session.is_watched = now - session.looked_at < _LOOK_SECONDS
    is_new = session.latest_step != session.progress.step
    if session.is_watched and is_new and now - session.latest_at >= _LATEST_EVERY_SECONDS:
        session.latest_at, session.latest_step = now, session.progress.step
        yield from session.saver.latest(session.net, session.progress.step)


def _hold(session: Session) -> Generator[Event]:
    """Pause: stop the clock and write a checkpoint."""
    session.watch.stop()
    yield from checkpoint(session)
    yield Phase("paused", f"paused after step {session.progress.step:,}")


def _set(session: Session, command: Command) -> Generator[Event]:
    """Change a setting from the next step on, with a checkpoint so that a resumed run has it."""
    setting, value = command.setting, command.value
    assert setting is not None and value is not None  # a command of this kind has both
    session.progress.settings[setting] = value
    session.optimizer.set(setting, value)
    yield Intervention(session.progress.step, "set", setting, value)
    if not session.control.pending:  # of many changes in a row, the last one writes
        yield from checkpoint(session)
