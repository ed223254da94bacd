"""The storages of all tensors that are alive while torch runs: what `cnnlib.design.memory` counts.

A storage counts from the operation that returns it until Python and autograd have let go of it.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from cnnlib.nets.evaluate import evaluate
from cnnlib.nets.model import build_model
from cnnlib.nets.training_form import training_form
from cnnlib.records.recipe import Recipe
from cnnlib.train.execution.peak_memory import PeakMemory, retained_memory
from cnnlib.train.optimizers import build_optimizer, total_norm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cnnlib.design.spec import CNNSpec


class LiveStorages(TorchDispatchMode):
    """Adds up the storages alive, and keeps the largest sum.

    Args:
        tensors: Those that are there before.
    """

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        super().__init__()
        self.bytes = self.peak = 0
        self._alive: set[int] = set()
        self._is_backward = False
        self._hold(tensors)

    def backward(self, loss: Tensor) -> None:
        """Run a backward pass."""
        self._is_backward = True
        loss.backward()
        self._is_backward = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # Autograd adds two gradients in place, but not while somebody watches it as here.
        if self._is_backward and func is torch.ops.aten.add.Tensor:
            func = torch.ops.aten.add_.Tensor
        kwargs = kwargs or {}
        # Operations made of others come here whole without autograd: look at their parts.
        if torch.is_inference_mode_enabled():
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        self._hold(each for each in tree_iter(result) if isinstance(each, Tensor))
        return result

    def _hold(self, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()
            key, size = storage._cdata, storage.nbytes()
            if key not in self._alive:
                self._alive.add(key)
                self.bytes += size
                weakref.finalize(storage, self._let_go, key, size)
        self.peak = max(self.peak, self.bytes)

    def _let_go(self, key: int, size: int) -> None:
        self._alive.remove(key)
        self.bytes -= size


def measure_step(spec: CNNSpec, batch_size: int, optimizer: str) -> int:
    """Return the peak of the storages alive in a training step as the engine runs it."""
    net = build_model(spec, seed=0)
    rule = build_optimizer(net, Recipe(optimizer=optimizer, lr=1e-4))
    forward = training_form(net)
    images, labels = _batch(spec, batch_size)
    state = rule.state_tensors().values()
    live = LiveStorages([*net.parameters(), *net.buffers(), *state, images, labels])
    with live:
        logits = forward(images)
        loss = cross_entropy(logits, labels)
        live.backward(loss)
        gradients = rule.gradients()
        total_norm(gradients)
        rule.step(gradients)
    return live.peak


def measure_evaluation(spec: CNNSpec, batch_size: int) -> int:
    """Return the peak of the storages alive while a batch is evaluated."""
    net = build_model(spec, seed=0)
    images, labels = _batch(spec, batch_size)
    live = LiveStorages([*net.parameters(), *net.buffers(), images, labels])
    with live:
        evaluate(net, [(images, labels)], spec.out_classes)
    return live.peak


def resident_of_steps(
    spec: CNNSpec, batch_size: int, optimizer: str, memory_format: torch.memory_format
) -> int:
    """Return by how much this process grows in three training steps, in bytes."""
    with retained_memory():
        net = build_model(spec, seed=0).to(memory_format=memory_format)
        rule = build_optimizer(net, Recipe(optimizer=optimizer, lr=1e-4))
        forward = training_form(net)

        def step(count: int) -> None:
            images, labels = _batch(spec, count)
            cross_entropy(
                forward(images.contiguous(memory_format=memory_format)), labels
            ).backward()
            rule.step(rule.gradients())

        step(2)  # loads the code of the kernels
        memory = PeakMemory(torch.device("cpu"))
        for _ in range(3):
            step(batch_size)
        return memory.bytes()


def _batch(spec: CNNSpec, batch_size: int) -> tuple[Tensor, Tensor]:
    images = torch.randn(batch_size, *spec.in_size)
    return images, torch.zeros(batch_size, dtype=torch.long)
