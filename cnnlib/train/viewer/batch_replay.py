"""One batch of a run, computed again from the saved weights of the steps before and after it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from cnnlib.data.batches import DeviceData
from cnnlib.data.prepared import Prepared, load_prepared
from cnnlib.data.split import run_split
from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.errors import ProbeError
from cnnlib.nets.model import Network, build_model
from cnnlib.nets.training_form import training_form
from cnnlib.probe.forward import trace
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.train.checkpoint import Checkpoint, read_checkpoint
from cnnlib.train.class_balance import loss_weights, picture_losses, training_order
from cnnlib.train.execution.mode import ExecutionMode
from cnnlib.train.optimizers import clip_factor, total_norm
from cnnlib.train.randomness import augmentation_generator, derived_seed
from cnnlib.train.schedule import batch_ends, factor, total_step_count


@dataclass(frozen=True, eq=False)
class Batch:
    """The pictures of one update.

    Args:
        images: N x C x H x W, float32, normalised and augmented as in training.
        labels: N, int64.
        scale, offset: Of the normalisation: ``images = pixels * scale + offset``.
        class_weights: Of the training loss, one per class; None without them.
    """

    images: Tensor
    labels: Tensor
    scale: Tensor
    offset: Tensor
    class_weights: Tensor | None = None

    def pixels(self, most: int) -> Tensor:
        """Return the first pictures as they were seen, N x C x H x W, uint8."""
        values = (self.images[:most] - self.offset) / self.scale
        return values.round_().clamp_(0, 255).to(torch.uint8)


@dataclass(frozen=True, eq=False)
class Replay:
    """One update, computed again.

    Args:
        lr: The learning rate of the update.
        weight_decay: Of the update; it acts on weights, not on biases.
        before, after: Weights by name.
        losses_before, losses_after: N: loss of each picture, in training mode.
        gradients: By name of the weights, before a clipping.
        clipping: Factor of the gradients; 1 without a clipping.
        outputs: Of all layers before the update, by name; each with the gradient of the loss by it.
        note: A sentence where the gradient is not exactly that of the run; else "".
    """

    recipe: Recipe
    lr: float
    weight_decay: float
    batch: Batch
    before: dict[str, Tensor]
    after: dict[str, Tensor]
    losses_before: Tensor
    losses_after: Tensor
    gradients: dict[str, Tensor]
    clipping: float
    outputs: dict[str, Tensor]
    note: str = ""


MOST_MACS = 2e10  # of a forward pass: seconds of the viewer, for which others wait


@lru_cache(maxsize=2)
def replay(before: Path, after: Path, request: RunRequest) -> Replay:
    """Compute an update again, as the training loop did it, in float32 on the CPU.

    Args:
        before, after: The checkpoints of the steps before and after the update.

    Raises:
        CnnlibError: One of the two files is missing or damaged, or does not fit the design;
            the run trains on another device; the batch takes more than `MOST_MACS`; the dataset
            cannot be read or has changed.
    """
    start, end = read_checkpoint(before), read_checkpoint(after)
    _check_device(start)
    prepared = load_prepared(request.dataset, Folders.from_environment())
    if prepared.info.fingerprint != start.circumstances.fingerprint:
        raise ProbeError(
            f"{request.dataset} has changed since this step, so its batch cannot be found. Train "
            "another batch."
        )
    recipe = end.circumstances.recipe
    _check_cost(request, recipe)
    batch, count = _batch(request, recipe, prepared, start)
    seed = derived_seed(request.seed, "dropout", start.progress.step)
    net = _network(request, start)
    losses_before = _losses(_forward(net, batch, seed), batch, recipe)
    losses_before.mean().backward()
    gradients = {
        name: each.grad.contiguous()
        for name, each in net.named_parameters()
        if each.grad is not None
    }
    with torch.no_grad():
        losses_after = _losses(_forward(_network(request, end), batch, seed), batch, recipe)
    outputs = _outputs(_network(request, start), batch, seed)
    _losses([*outputs.values()][-1], batch, recipe).mean().backward()
    return Replay(
        recipe=recipe,
        lr=_learning_rate(recipe, start, count),
        weight_decay=start.progress.settings.get("weight_decay", recipe.weight_decay),
        batch=batch,
        before=start.weights,
        after=end.weights,
        losses_before=losses_before.detach(),
        losses_after=losses_after,
        gradients=gradients,
        clipping=_clipping(recipe, [*gradients.values()]),
        outputs=outputs,
        note=_precision_note(start),
    )


def _check_device(start: Checkpoint) -> None:
    device = start.circumstances.device
    if device != "cpu":
        raise ProbeError(
            f"This run trains on {device}, whose sums differ from those of the processor in the "
            "last digits. One batch is shown for runs on the processor only."
        )


def _check_cost(request: RunRequest, recipe: Recipe) -> None:
    macs = cost(plan(request.spec)).macs * recipe.batch_size
    if macs > MOST_MACS:
        raise ProbeError(
            f"A batch of this design takes {macs / 1e9:.0f} billion multiplications, and at most "
            f"{MOST_MACS / 1e9:.0f} billion are computed again. Choose a smaller batch size."
        )


def _precision_note(start: Checkpoint) -> str:
    if ExecutionMode.from_name(start.circumstances.mode).precision == "fp32":
        return ""
    return (
        "The run computes in bfloat16; this gradient is computed in float32 and differs a little."
    )


def _batch(
    request: RunRequest, recipe: Recipe, prepared: Prepared, start: Checkpoint
) -> tuple[Batch, int]:
    """Return the batch after a checkpoint, and the number of training pictures."""
    train, _ = run_split(request, prepared)
    epoch, position = start.progress.epoch, start.progress.position
    if position == len(train):  # paused after the last batch of an epoch
        epoch, position = epoch + 1, 0
    end = batch_ends(len(train), recipe.batch_size, position)[0]
    train_labels = torch.from_numpy(prepared.train_labels[train])
    order = training_order(recipe, train_labels, request.seed, epoch)
    chosen = train[order[position:end].numpy()]
    data = DeviceData(prepared, chosen, chosen[:0], "cpu")
    generator = augmentation_generator(recipe.augmentation, request.seed, start.progress.step)
    places = torch.arange(len(chosen))
    layout = ExecutionMode.from_name(start.circumstances.mode).memory_format
    images, labels = data.train_batch(places, recipe.augmentation, generator, layout)
    weights = loss_weights(recipe, train_labels, request.spec.out_classes)
    batch = Batch(images, labels, data.normalise.scale, data.normalise.offset, weights)
    return batch, len(train)


def _network(request: RunRequest, checkpoint: Checkpoint) -> Network:
    net = build_model(request.spec, seed=request.seed)
    mode = ExecutionMode.from_name(checkpoint.circumstances.mode)
    try:
        net.load_state_dict(checkpoint.weights)
    except RuntimeError as error:
        raise ProbeError(
            "The weights of this step belong to another design of the run. Train another batch."
        ) from error
    mode.place(net, torch.device("cpu"))
    return net.train()


def _forward(net: Network, batch: Batch, seed: int) -> Tensor:
    """Return the logits as the training loop computes them: N x classes.

    The network is in training mode, so batch norm uses this batch's own statistics.
    """
    torch.manual_seed(seed)  # dropout
    return training_form(net)(batch.images)


def _outputs(net: Network, batch: Batch, seed: int) -> dict[str, Tensor]:
    """Return the outputs of all layers, layer by layer, each of which keeps its gradient."""
    torch.manual_seed(seed)
    outputs = trace(net, batch.images)
    for each in outputs.values():
        if each.requires_grad:
            each.retain_grad()
    return outputs


def _losses(logits: Tensor, batch: Batch, recipe: Recipe) -> Tensor:
    """Return the loss of each picture: N."""
    return picture_losses(logits, batch.labels, recipe, batch.class_weights)


def _learning_rate(recipe: Recipe, start: Checkpoint, count: int) -> float:
    progress = start.progress
    total = total_step_count(recipe, progress, count)
    share = factor(recipe, step=progress.step, total_steps=total, epoch=progress.epoch)
    return progress.settings.get("lr", recipe.lr) * share


def _clipping(recipe: Recipe, gradients: list[Tensor]) -> float:
    """Return the factor by which the loop scaled the gradients down."""
    if recipe.clip_grad_norm is None:
        return 1.0
    return float(clip_factor(total_norm(gradients), recipe.clip_grad_norm))
