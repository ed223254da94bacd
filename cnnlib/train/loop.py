"""The training loop `train`: one run from its first step to its end, as a generator of events."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cnnlib.errors import TrainError
from cnnlib.records.events import Event, Phase, SampleScore
from cnnlib.train.class_balance import batch_loss, training_order
from cnnlib.train.commands import End, apply_commands, save_checkpoint, save_latest
from cnnlib.train.control import Control
from cnnlib.train.evaluation import Interrupted, has_finite_losses, measure_epoch
from cnnlib.train.execution.mode import pick_device, restored_thread_count
from cnnlib.train.execution.peak_memory import retained_memory
from cnnlib.train.failures import describe_failure, describe_out_of_memory, is_out_of_memory
from cnnlib.train.finish import diverged_end, failed_end, finish_interrupted, finish_run
from cnnlib.train.optimizers import clip, total_norm
from cnnlib.train.randomness import deterministic_arithmetic
from cnnlib.train.schedule import factor
from cnnlib.train.setup import set_up, started_event
from cnnlib.units import plural

if TYPE_CHECKING:
    from cnnlib.data.prepared import Prepared
    from cnnlib.records.run import RunRequest
    from cnnlib.train.saver import Attempt
    from cnnlib.train.session import Session


def train(
    request: RunRequest,
    prepared: Prepared,
    *,
    folder: Path | None = None,
    control: Control | None = None,
    resume: Path | None = None,
    settings: Mapping[str, float] | None = None,
    threads: int | None = None,
    is_sketch: bool = False,
    attempt: Attempt | None = None,
) -> Generator[Event]:
    """Train one run.

    Yields, in this order: a `Phase` for each part of the set-up, `Started`, then a `StepMetrics`
    for each step and an `EpochEnd` for each epoch, with `SampleScore`, `WeightsSaved`,
    `Intervention` and `Phase` as they occur, and last a `RunEnd`, in whatever state the run ends.

    Args:
        folder: The run's folder for weights and predictions; None writes no files.
        control: The queue of commands of other threads; they take effect within one batch.
        resume: A checkpoint of this same run, from which it continues to the same bits.
        settings: Settings changed by hand before that checkpoint, in addition to those in it.
        threads: The most processor threads to use; None takes all cores.
        is_sketch: Start at once, without a trial of modes, and leave the test split unread.
        attempt: Of a recorded run; the recorder then deletes the files that events name as dropped.

    Raises:
        CnnlibError: The request is invalid (only before `Started`).
    """
    control = control or Control()
    device = pick_device(request.device)
    with deterministic_arithmetic(device), restored_thread_count(), retained_memory():
        try:
            session = yield from set_up(
                request,
                prepared,
                device,
                folder,
                control,
                resume,
                settings or {},
                threads,
                is_sketch,
                attempt,
            )
        except Exception as error:
            if is_out_of_memory(error):
                raise TrainError(describe_out_of_memory(request, device)) from error
            raise
        yield started_event(session)
        try:
            yield from _save_first(session)
            end = yield from _epochs(session)
            yield from finish_run(session, end)
        except Interrupted:
            yield from finish_interrupted(session)
        except Exception as error:
            reason = describe_failure(error, session)
            if reason is None:
                raise
            yield failed_end(session, reason)
        finally:
            del session  # frees the run's memory before the allocators return it to the system


def _save_first(session: Session) -> Generator[Event]:
    """Save the initial snapshot and checkpoint, unless the run resumes from a saved step.

    After a change of its design the files of the former design are replaced.
    """
    step = session.progress.step
    session.saver.delete_after(step)
    if session.is_changed:
        names = session.saver.delete_before(step)
        for saved in session.saver.save_snapshot(session.net, step):
            yield replace(saved, dropped=(*saved.dropped, *names))
        yield from save_checkpoint(session)
    elif not session.saver.has_saved(step, "checkpoint"):
        yield from session.saver.save_snapshot(session.net, step)
        yield from save_checkpoint(session)


def _epochs(session: Session) -> Generator[Event, None, End]:
    """Train the remaining epochs, each with validation after it; return the `End`."""
    recipe, progress, saver = session.request.recipe, session.progress, session.saver
    if session.total_steps == 0:
        yield measure_epoch(session)
        return End("finished")

    while progress.epoch < recipe.epochs:
        session.watch.start()
        end = yield from _steps(session)
        session.watch.stop()
        if end is not None:
            return end

        session.store_counters()
        yield Phase("running", "measuring the validation split")
        epoch = measure_epoch(session)
        if not has_finite_losses(epoch):
            return diverged_end(session, "the validation loss")
        yield epoch
        if progress.position == session.data.train_count:
            progress.end_epoch(epoch.val_loss)
            session.metrics.end_epoch()
            if recipe.restores_best and progress.best_step == progress.step:
                yield from saver.save_best(session.net, progress.step)
            yield from save_checkpoint(session)
        if progress.step >= session.total_steps:
            break
        if recipe.patience and progress.epochs_since_best >= recipe.patience:
            return End(
                "finished",
                f"Stopped early after epoch {progress.epoch}: the validation loss did not improve "
                f"for {plural(recipe.patience, 'epoch')}.",
            )
    return End("finished")


def _measure_sample(session: Session) -> SampleScore:
    """Measure the sample of the validation split, with the training clock stopped."""
    session.watch.stop()
    score = session.sample.measure(session.net, session.progress.step, session.watch.seconds)
    session.watch.start()
    return score


def _steps(session: Session) -> Generator[Event, None, End | None]:
    """Train the remaining batches of an epoch; return an `End` if the run ends during them."""
    request, recipe, data = session.request, session.request.recipe, session.data
    net, optimizer, saver = session.net, session.optimizer, session.saver
    progress, recorder, control = session.progress, session.metrics, session.control
    order = training_order(recipe, data.train_labels, request.seed, progress.epoch)
    order = order.to(session.device)

    for stop in session.batch_ends():
        step = progress.step
        if step >= session.total_steps:
            break
        lr = optimizer.lr = session.lr * factor(
            recipe, step=step, total_steps=session.total_steps, epoch=progress.epoch
        )
        session.seed_step(step)
        images, labels = session.train_batch(order[progress.position : stop])  # N x C x H x W, N

        with session.mode.autocast(session.device):
            logits = session.forward(images)  # N x classes
            loss = batch_loss(logits, labels, recipe, session.class_weights)
        loss.backward()
        gradients = optimizer.gradients()
        norm = total_norm(gradients)
        hits = (logits.detach().argmax(dim=1) == labels).sum()

        recorder.add(step + 1, loss, norm, hits, lr, len(labels), session.watch.seconds)
        metrics = recorder.take()
        if recorder.diverged_at is not None:
            yield from metrics
            return diverged_end(session, "the loss")
        if recipe.clip_grad_norm is not None:
            clip(gradients, norm, recipe.clip_grad_norm)
        optimizer.step(gradients)
        progress.step, progress.position = step + 1, stop
        progress.images += len(labels)
        yield from metrics

        if session.sample.is_due(session.watch.seconds):
            yield _measure_sample(session)
        if saver.snapshot_is_due(progress.step):
            yield from saver.save_snapshot(net, progress.step)
        if saver.checkpoint_is_due(session.watch.seconds):
            yield from save_checkpoint(session)
        if session.is_inspected:
            yield from save_latest(session)
        if control.pending or session.pause_after_step:
            end = yield from apply_commands(session)
            if end is not None:
                return end
    yield from recorder.take(everything=True)
    return None if recorder.diverged_at is None else diverged_end(session, "the loss")
