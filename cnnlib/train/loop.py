"""`train`: one run from its first step to its end, as a generator of what it tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn.functional import cross_entropy

from cnnlib.errors import TrainError
from cnnlib.records.events import Event, Phase
from cnnlib.train.commands import End, apply_commands, checkpoint, keep_latest
from cnnlib.train.control import Control
from cnnlib.train.evaluation import Interrupted, has_numbers, measure_epoch
from cnnlib.train.execution.mode import kept_threads, pick_device
from cnnlib.train.execution.peak_memory import kept_memory
from cnnlib.train.failures import is_out_of_memory, known_failure, out_of_memory
from cnnlib.train.finish import diverged, failed, finish_run, interrupted
from cnnlib.train.optimizers import clip, total_norm
from cnnlib.train.randomness import epoch_order, exact_arithmetic
from cnnlib.train.schedule import factor
from cnnlib.train.setup import set_up, started

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from cnnlib.data.prepared import Prepared
    from cnnlib.records.run import RunRequest
    from cnnlib.train.session import Session


def train(
    request: RunRequest,
    prepared: Prepared,
    *,
    folder: Path | None = None,
    control: Control | None = None,
    resume: Path | None = None,
    threads: int | None = None,
) -> Generator[Event]:
    """Train one run.

    Tells in this order: phases while it is set up, `Started`, then a `StepMetrics` for each step
    and an `EpochEnd` for each epoch, with `WeightsSaved`, `Intervention` and `Phase` as they
    happen, and at last a `RunEnd`, whatever the end is.

    Args:
        folder: Where weights and predictions go; None keeps none.
        control: Brings orders of other threads; they are carried out within one batch.
        resume: A checkpoint of this very run, from which it goes on to the same bits.
        threads: The most processor threads to use; None leaves one core to others.

    Raises:
        CnnlibError: Before `Started`: the request cannot be carried out, and why.
    """
    control = control or Control()
    device = pick_device(request.device)
    with exact_arithmetic(device), kept_threads(), kept_memory():
        try:
            session = yield from set_up(request, prepared, device, folder, control, resume, threads)
        except Exception as error:
            if is_out_of_memory(error):
                raise TrainError(out_of_memory(request, device)) from error
            raise
        yield started(session)
        try:
            yield from _save_first(session)
            end = yield from _epochs(session)
            yield from finish_run(session, end)
        except Interrupted:
            yield from interrupted(session)
        except Exception as error:
            reason = known_failure(error, session)
            if reason is None:
                raise
            yield failed(session, reason)
        finally:
            del session  # first the run lets go of its memory, then that is returned


def _save_first(session: Session) -> Generator[Event]:
    """The weights and the state that the run starts with, unless it only goes on."""
    step = session.progress.step
    session.saver.forget_after(step)
    if not session.saver.holds(step, "checkpoint"):
        yield from session.saver.snapshot(session.net, step)
        yield from checkpoint(session)


def _epochs(session: Session) -> Generator[Event, None, End]:
    """Every epoch that is left, with validation after it; returns the `End`."""
    recipe, progress = session.request.recipe, session.progress
    if session.total_steps == 0:
        yield measure_epoch(session)
        return End("finished")

    while progress.epoch < recipe.epochs:
        session.watch.start()
        end = yield from _steps(session)
        session.watch.stop()
        if end is not None:
            return end

        session.settle()
        yield Phase("running", "measuring the validation split")
        epoch = measure_epoch(session)
        if not has_numbers(epoch):
            return diverged(session, "the validation loss")
        yield epoch
        if progress.position == session.data.train_count:
            progress.end_epoch(epoch.val_loss)
            session.metrics.end_epoch()
            yield from checkpoint(session)
        if progress.step >= session.total_steps:
            break
        if recipe.patience and progress.epochs_since_best >= recipe.patience:
            return End(
                "finished",
                f"Stopped early after epoch {progress.epoch}: no better validation loss for "
                f"{recipe.patience} epochs.",
            )
    return End("finished")


def _steps(session: Session) -> Generator[Event, None, End | None]:
    """The batches that are left of an epoch; returns an `End` if the run ends among them."""
    request, recipe, data = session.request, session.request.recipe, session.data
    net, optimizer, saver = session.net, session.optimizer, session.saver
    progress, recorder, control = session.progress, session.metrics, session.control
    order = epoch_order(data.train_count, request.seed, progress.epoch).to(session.device)

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
            loss = cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
        loss.backward()
        gradients = optimizer.gradients()
        norm = total_norm(gradients)
        hits = (logits.detach().argmax(dim=1) == labels).sum()

        recorder.add(step + 1, loss, norm, hits, lr, len(labels), session.watch.seconds)
        metrics = recorder.take()
        if recorder.diverged_at is not None:
            yield from metrics
            return diverged(session, "the loss")
        if recipe.clip_grad_norm is not None:
            clip(gradients, norm, recipe.clip_grad_norm)
        optimizer.step(gradients)
        progress.step, progress.position = step + 1, stop
        progress.images += len(labels)
        yield from metrics

        if saver.snapshot_is_due(progress.step):
            yield from saver.snapshot(net, progress.step)
        if saver.checkpoint_is_due(session.watch.seconds):
            yield from checkpoint(session)
        if session.is_watched:
            yield from keep_latest(session)
        if control.pending or session.pauses_again:
            end = yield from apply_commands(session)
            if end is not None:
                return end
    yield from recorder.take(everything=True)
    return None if recorder.diverged_at is None else diverged(session, "the loss")
