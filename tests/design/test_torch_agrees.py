"""Plan and cost compared with torch: shapes, parameters, FLOPs and saved bytes, exactly."""

import torch
from random_specs import random_specs
from torch_counts import planned_counts, torch_counts

from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.nets.model import build_model
from cnnlib.vocabulary.training import OPTIMIZERS

# The seed is fixed, so that a failure is the same on every machine; `python -m bench.specs` runs a
# thousand specs.
SAMPLE = 150


def test_plan_and_cost_equal_the_counts_of_torch_on_random_specs():
    for number, spec in enumerate(random_specs(SAMPLE)):
        planned = plan(spec)
        batch_size = 2 + number % 3
        assert planned_counts(planned, batch_size) == torch_counts(planned, batch_size), spec


def _muon_and_adamw(parameters: list[torch.nn.Parameter]) -> list[torch.optim.Optimizer]:
    """Build the lab's Muon from torch's optimisers.

    Torch's Muon takes matrices only: convolutions are flattened, which keeps the state's size.
    """
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
