"""Execution of user commands between two batches."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from cnnlib.records.events import Command, Event, Intervention, Phase

if TYPE_CHECKING:
    from cnnlib.records.run import RunState
    from cnnlib.train.session import Session

_INSPECTION_SECONDS = 10.0  # the newest weights are saved until this long after a "look"
_LATEST_INTERVAL_SECONDS = 1 / 6
_LATEST_SHARE = 0.02  # of the time that the copy of these weights may take


@dataclass(frozen=True)
class End:
    """The final state of a run and the reason."""

    state: RunState
    reason: str = ""


def apply_commands(session: Session) -> Generator[Event, None, End | None]:
    """Execute all pending commands; block while the run is paused.

    Returns:
        An `End` if a command ends the run, else None.
    """
    control, step = session.control, session.progress.step
    paused, session.pause_after_step = session.pause_after_step, False
    if paused:
        yield from _pause(session)
    while paused or control.pending:
        command = control.wait() if paused else control.take()
        if control.interrupted:
            return End("interrupted")
        assert command is not None  # one was pending, or `wait` returned one
        match command.kind:
            case "stop":
                yield Intervention(step, "stop")
                return End("stopped")
            case "prune":
                yield Intervention(step, "prune")
                return End("pruned", "Its search stopped it early, because others were better.")
            case "set" if command.setting and session.optimizer.supports(command.setting):
                yield from _apply_setting(session, command)
            case "look":
                session.inspected_at = perf_counter()
                yield from save_latest(session)
            case "pause" if not paused:
                yield Intervention(step, "pause")
                yield from _pause(session)
                paused = True
            case "resume" if paused:
                yield Intervention(step, "resume")
                break
            case "step":
                yield Intervention(step, "step")
                session.pause_after_step = True
                break
    if paused:
        yield Phase("running", "training")
        session.watch.start()
    return None


def save_checkpoint(session: Session) -> Generator[Event]:
    """Emit the pending step metrics, then write a checkpoint from which the run can resume."""
    yield from session.metrics.take(everything=True)
    session.metrics.store_hits()
    session.progress.train_seconds = session.watch.seconds
    yield from session.saver.save_checkpoint(
        session.net, session.optimizer, session.progress, session.circumstances
    )


def save_latest(session: Session) -> Generator[Event]:
    """Save the newest weights while the run is being inspected.

    At most six times a second, and less often where the copy takes longer than its share of the
    time, or the write before still goes on.
    """
    now = perf_counter()
    session.is_inspected = now - session.inspected_at < _INSPECTION_SECONDS
    is_new = session.latest_step != session.progress.step
    is_due = now >= session.latest_due and not session.saver.writes_latest
    if session.is_inspected and is_new and is_due:
        session.latest_step = session.progress.step
        yield from session.saver.save_latest(session.net, session.progress.step)
        pause = (perf_counter() - now) / _LATEST_SHARE
        session.latest_due = now + max(_LATEST_INTERVAL_SECONDS, pause)


def _pause(session: Session) -> Generator[Event]:
    """Stop the clock and write a checkpoint."""
    session.watch.stop()
    yield from save_checkpoint(session)
    yield Phase("paused", f"paused at step {session.progress.step:,}")


def _apply_setting(session: Session, command: Command) -> Generator[Event]:
    """Change a setting from the next step on; write a checkpoint so that a resumed run has it."""
    setting, value = command.setting, command.value
    assert setting is not None and value is not None  # a command of this kind has both
    session.progress.settings[setting] = value
    session.optimizer.set(setting, value)
    yield Intervention(session.progress.step, "set", setting, value)
    if not session.control.pending:  # of several changes in a row, only the last one writes
        yield from save_checkpoint(session)
