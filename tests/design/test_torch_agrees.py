"""Plan and cost against torch: shapes, parameters, FLOPs and saved memory, to the last byte."""

import torch
from random_specs import random_specs
from torch_counts import planned_counts, torch_counts

from cnnlib.design.cost import cost
from cnnlib.design.memory import OPTIMIZERS
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.nets.model import build_model

# A seed of its own for each run would find more, but a failure must be the same on every machine;
# `python -m bench.specs` does a thousand.
SAMPLE = 150


def test_plan_and_cost_say_what_torch_counts_on_random_specs():
    for number, spec in enumerate(random_specs(SAMPLE)):
        planned = plan(spec)
        batch_size = 2 + number % 3
        assert planned_counts(planned, batch_size) == torch_counts(planned, batch_size), spec


def _muon_and_adamw(parameters: list[torch.nn.Parameter]) -> list[torch.optim.Optimizer]:
    """What the lab calls Muon, of torch's own; torch's takes a convolution as a matrix alone, and
    keeps as much of it."""
    *hidden, last = [p for p in parameters if p.ndim > 1]
    matrices = [torch.nn.Parameter(p.detach().flatten(1)) for p in hidden]
    for matrix in matrices:
        matrix.grad = torch.ones_like(matrix)
    others = [p for p in parameters if p.ndim == 1]
    return [torch.optim.Muon(matrices), torch.optim.AdamW([*others, last])]


def test_optimizer_bytes_are_those_of_torchs_state():
    planned = plan(CNNSpec(in_size=(1, 8, 8), channels=(4,), norm="batch", hidden_dims=(5,)))
    built = {
        "sgd": lambda p: [torch.optim.SGD(p, lr=0.1)],
        "momentum": lambda p: [torch.optim.SGD(p, lr=0.1, momentum=0.9)],
        "nesterov": lambda p: [torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True)],
        "adam": lambda p: [torch.optim.Adam(p)],
        "adamw": lambda p: [torch.optim.AdamW(p)],
        "muon": _muon_and_adamw,
    }
    assert set(built) == set(OPTIMIZERS)
    for name, build in built.items():
        model = build_model(planned, seed=0)
        optimizers = build(list(model.parameters()))
        model(torch.zeros(2, 1, 8, 8)).sum().backward()
        for optimizer in optimizers:
            optimizer.step()
        states = [each for optimizer in optimizers for each in optimizer.state.values()]
        kept = [t for state in states for t in state.values() if t is not None]
        expected = sum(tensor.numel() * tensor.element_size() for tensor in kept)
        assert cost(planned, optimizer=name).optimizer_bytes == expected, name
