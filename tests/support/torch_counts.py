"""Counts of torch in one training step of a network, the reference for `plan` and `cost`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from cnnlib.design.cost import Cost, cost
from cnnlib.nets.model import Network, build_model
from cnnlib.nets.training_form import training_form

if TYPE_CHECKING:
    from cnnlib.design.plan import Plan


@dataclass(frozen=True)
class Counts:
    """The quantities that both a plan and torch can count.

    Args:
        shapes: Input and output shape of every leaf, without the batch, by name.
        flops: Forward, for the batch.
        training_step_flops: Forward and backward, for the batch.
        saved_bytes: Saved for backward, without parameters and buffers.
    """

    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    params: int
    buffers: int
    weight_bytes: int
    flops: int
    training_step_flops: int
    saved_bytes: int


def planned_counts(plan: Plan, batch_size: int) -> Counts:
    """The counts of `plan` and `cost`."""
    total: Cost = cost(plan, batch_size=batch_size)
    return Counts(
        shapes={leaf.name: (leaf.in_shape, leaf.out_shape) for leaf in plan.walk()},
        params=total.params,
        buffers=total.buffers,
        weight_bytes=total.weight_bytes,
        flops=batch_size * total.flops,
        training_step_flops=total.training_step_flops,
        saved_bytes=total.saved_bytes,
    )


def torch_counts(plan: Plan, batch_size: int) -> Counts:
    """Torch's counts in one training step of the network that `build_model` builds."""
    model = build_model(plan, seed=0)
    tensors = [*model.parameters(), *model.buffers()]
    shapes, handles = _watch_shapes(model)
    saved = _SavedTensors(tensors)
    images = torch.randn(batch_size, *plan.spec.in_size)
    labels = torch.zeros(batch_size, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        loss = cross_entropy(model(images), labels)
        flops = counter.get_total_flops()
        loss.backward()
    with saved_tensors_hooks(saved.pack, lambda tensor: tensor):
        cross_entropy(training_form(model)(images), labels)
    for handle in handles:
        handle.remove()
    return Counts(
        shapes=shapes,
        params=sum(tensor.numel() for tensor in model.parameters()),
        buffers=sum(tensor.numel() for tensor in model.buffers()),
        weight_bytes=sum(tensor.numel() * tensor.element_size() for tensor in tensors),
        flops=flops,
        training_step_flops=counter.get_total_flops(),
        saved_bytes=saved.total_bytes,
    )


class _SavedTensors:
    """Sum of the storages that autograd saves, each counted once, without those in `known`."""

    def __init__(self, known: list[Tensor]) -> None:
        self.storages = {tensor.untyped_storage().data_ptr() for tensor in known}
        self.kept: list[Tensor] = []  # an address may be used again once its storage is freed
        self.total_bytes = 0

    def pack(self, tensor: Tensor) -> Tensor:
        """Add a tensor that autograd saves."""
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.storages:
            self.storages.add(storage.data_ptr())
            self.total_bytes += storage.nbytes()
        self.kept.append(tensor)
        return tensor


def _watch_shapes(model: Network) -> tuple[dict, list]:
    """Register hooks that record the input and output shape of each leaf of the model's plan."""
    shapes: dict = {}

    def watch(name: str, module: nn.Module):
        def hook(_module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            shapes[name] = (tuple(inputs[0].shape[1:]), tuple(output.shape[1:]))

        return module.register_forward_hook(hook)

    return shapes, [watch(leaf.name, model.get_submodule(leaf.name)) for leaf in model.plan.walk()]
