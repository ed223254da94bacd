"""The end of a run: last files, final measurements and the `RunEnd` event."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from math import isfinite
from typing import TYPE_CHECKING

from cnnlib.records.events import (
    MEASURING_STOPPED,
    MEASURING_TEST,
    Event,
    Phase,
    RunEnd,
    SplitResult,
)
from cnnlib.train.commands import End, save_checkpoint
from cnnlib.train.control import INTERRUPTED
from cnnlib.train.evaluation import measure_latency, measure_test, measure_validation

if TYPE_CHECKING:
    from cnnlib.train.session import Session


def finish_run(session: Session, end: End) -> Generator[Event]:
    """End a run in the given state; a finished, stopped or pruned run is saved and measured."""
    if end.state == "interrupted":
        yield from finish_interrupted(session)
    elif end.state == "diverged":
        yield from _delete_broken(session)
        yield _run_end(session, end)
    else:
        yield from _save_last(session)
        end, weights_step = _restore_best(session, end)
        if session.is_sketch:
            yield _run_end(session, end, weights_step=weights_step)
            return
        validation = None
        if end.state in ("stopped", "pruned"):  # a stop takes effect before the epoch is measured
            yield Phase("running", MEASURING_STOPPED)
            validation = measure_validation(session)
        yield Phase("running", MEASURING_TEST)
        test = measure_test(session)
        for result, name in ((validation, "validation"), (test, "test")):
            if result is not None and not isfinite(result.loss):
                yield _run_end(session, diverged_end(session, f"the {name} loss"))
                return
        yield _run_end(session, end, test, measure_latency(session), weights_step, validation)


def finish_interrupted(session: Session) -> Generator[Event]:
    """Write a checkpoint, from which the run can be resumed, and end."""
    session.watch.stop()
    yield from save_checkpoint(session)
    yield _run_end(session, End("interrupted", session.control.reason or INTERRUPTED))


def failed_end(session: Session, reason: str) -> RunEnd:
    """Return the event for the end of a run after an error."""
    session.watch.stop()
    return _run_end(session, End("failed", reason))


def diverged_end(session: Session, quantity: str) -> End:
    """Return the `End` of a run whose loss is no longer finite."""
    step = session.metrics.diverged_at or session.progress.step
    return End(
        "diverged",
        f"Diverged at step {step:,}: {quantity} became NaN or infinite. The last finite weights "
        f"are kept. Lower the learning rate, or clip the gradients.",
    )


def _save_last(session: Session) -> Generator[Event]:
    """Save a snapshot and a checkpoint of the last step if they do not exist."""
    step = session.progress.step
    if not session.saver.has_saved(step, "snapshot"):
        yield from session.saver.save_snapshot(session.net, step)
    if not session.saver.has_saved(step, "checkpoint"):
        yield from save_checkpoint(session)


def _restore_best(session: Session, end: End) -> tuple[End, int | None]:
    """Load the weights of the best epoch of a finished run, if its recipe restores them.

    Returns:
        The end with a sentence about it, and the step of the weights; None for the last step.
    """
    progress = session.progress
    step = progress.best_step
    is_restored = end.state == "finished" and session.request.recipe.restores_best
    if not is_restored or step is None or step == progress.step:
        return end, None
    session.net.load_state_dict(session.saver.read_best(step))
    epoch = progress.epoch - progress.epochs_since_best
    sentence = f"The weights of epoch {epoch}, with the lowest validation loss, were restored."
    return End(end.state, f"{end.reason} {sentence}".strip()), step


def _delete_broken(session: Session) -> Generator[Event]:
    """Delete the newest saved steps until a finite one; emit that one if any was deleted."""
    good = session.saver.delete_broken()
    if good is not None and good.dropped:
        yield good


def _run_end(
    session: Session,
    end: End,
    test: SplitResult | None = None,
    latency: Mapping[str, float] | None = None,
    weights_step: int | None = None,
    validation: SplitResult | None = None,
) -> RunEnd:
    """Stop the clock, store the speed, and return the event for the end of the run."""
    session.watch.stop()
    per_step = session.metrics.seconds_per_step
    if per_step is not None and not session.is_sketch:
        session.record_speed(per_step)
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
        weights_step=weights_step,
        validation=validation,
    )
