"""How runs end: what is saved, what is measured, and what is told."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from cnnlib.records.events import Event, Phase, RunEnd, SplitResult
from cnnlib.train.commands import End, checkpoint
from cnnlib.train.evaluation import measure_latency, measure_test

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from cnnlib.train.session import Session


def finish_run(session: Session, end: End) -> Generator[Event]:
    """Carry out how a run ends; a run that finished or was stopped is saved and measured."""
    if end.state == "interrupted":
        yield from interrupted(session)
    elif end.state == "diverged":
        yield from _keep_last_good(session)
        yield _told(session, end)
    else:
        yield from _save_last(session)
        yield Phase("running", "measuring the test split")
        test = measure_test(session)
        if test is not None and not isfinite(test.loss):
            yield _told(session, diverged(session, "the test loss"))
        else:
            yield _told(session, end, test, measure_latency(session))


def interrupted(session: Session) -> Generator[Event]:
    """Write a checkpoint and end; a run that is resumed goes on from it."""
    session.watch.stop()
    yield from checkpoint(session)
    reason = session.control.reason or "The app was shut down. Resume the run to go on."
    yield _told(session, End("interrupted", reason))


def failed(session: Session, reason: str) -> RunEnd:
    """The end of a run that cannot go on."""
    session.watch.stop()
    return _told(session, End("failed", reason))


def diverged(session: Session, what: str) -> End:
    """The end of a run whose loss is no longer a number."""
    step = session.metrics.diverged_at or session.progress.step
    return End(
        "diverged",
        f"Diverged at step {step:,}: {what} is no longer a number. The last weights that are "
        f"numbers are kept. Lower the learning rate (now {session.lr:g}), or clip the gradients.",
    )


def _save_last(session: Session) -> Generator[Event]:
    step = session.progress.step
    if not session.saver.holds(step, "snapshot"):
        yield from session.saver.snapshot(session.net, step)
    if not session.saver.holds(step, "checkpoint"):
        yield from checkpoint(session)


def _keep_last_good(session: Session) -> Generator[Event]:
    """Tell which saved step is the last good one, if later ones had to go."""
    good = session.saver.last_good()
    if good is not None and good.dropped:
        yield good


def _told(
    session: Session,
    end: End,
    test: SplitResult | None = None,
    latency: Mapping[str, float] | None = None,
) -> RunEnd:
    session.watch.stop()
    seconds, images = session.watch.seconds, session.progress.images
    return RunEnd(
        state=end.state,
        reason=end.reason,
        step=session.progress.step,
        train_seconds=seconds,
        images_per_second=images / seconds if seconds else 0.0,
        test=test,
        latency=latency or {},
        peak_memory_bytes=session.memory.bytes(),
    )
