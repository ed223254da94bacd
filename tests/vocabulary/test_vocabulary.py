"""Tests of the vocabulary: each entry is resolved in torch, built, planned, counted and trained."""

import pytest
import torch
from torch import nn

from cnnlib.design.cost import cost
from cnnlib.design.link import decode, encode
from cnnlib.design.other_tools import CONVENTIONS
from cnnlib.design.plan import plan
from cnnlib.design.source.pytorch_source import source
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import RecipeError, SpecError
from cnnlib.nets.model import build_model
from cnnlib.nets.training_form import training_form
from cnnlib.probe.attribution import methods
from cnnlib.records.recipe import Recipe
from cnnlib.train.optimizers import build_optimizer
from cnnlib.train.schedule import factor
from cnnlib.vocabulary.inspection import ATTRIBUTION_METHODS
from cnnlib.vocabulary.layers import (
    ACTIVATIONS,
    BLOCKS,
    INITIALISATIONS,
    NONE,
    NORMS,
    POOLINGS,
)
from cnnlib.vocabulary.training import OPTIMIZERS, SCHEDULES

TABLES = {
    "activation": ACTIVATIONS,
    "norm": NORMS,
    "pooling": POOLINGS,
    "block": BLOCKS,
    "init": INITIALISATIONS,
}
CHOICES = [(field, name) for field, table in TABLES.items() for name in table]


def spec_with(field: str, name: str) -> CNNSpec:
    return CNNSpec(
        in_size=(1, 12, 12), channels=(4, 4), hidden_dims=(8,), **{"norm": "batch", field: name}
    )


@pytest.mark.parametrize("table", [*TABLES.values(), OPTIMIZERS, SCHEDULES, ATTRIBUTION_METHODS])
def test_a_table_has_each_entry_under_its_name_and_no_label_twice(table):
    assert {name: entry.name for name, entry in table.items()} == {name: name for name in table}
    assert len({entry.label for entry in table.values()}) == len(table)


@pytest.mark.parametrize(
    ("module", "table"),
    [
        (nn, ACTIVATIONS),
        (nn, NORMS),
        (nn, POOLINGS),
        (nn.init, INITIALISATIONS),
        (torch.optim, OPTIMIZERS),
        (torch.optim.lr_scheduler, SCHEDULES),
    ],
)
def test_torch_has_each_name(module, table):
    names = [entry.torch_name for entry in table.values() if entry.torch_name]
    assert names and all(callable(getattr(module, name)) for name in names)


def test_the_parameters_of_activations_have_torchs_defaults():
    for activation in ACTIVATIONS.values():
        for parameter in activation.params:
            module = getattr(nn, activation.torch_name)
            assert getattr(module(), parameter.name) == parameter.default
            assert not parameter.choices or parameter.default in parameter.choices


@pytest.mark.parametrize(("field", "name"), CHOICES)
def test_each_entry_is_planned_built_linked_and_written_as_source(field, name):
    spec = spec_with(field, name)
    planned = plan(spec)
    model = build_model(planned, seed=0)
    assert sum(each.numel() for each in model.parameters()) == cost(planned).params
    assert decode(encode(spec)) == spec
    assert CNNSpec.from_dict(spec.to_dict()) == spec
    scope: dict = {}
    exec(compile(source(planned), "net.py", "exec"), scope)
    images = torch.randn(3, 1, 12, 12)
    own = scope["Net"]()
    own.load_state_dict(model.state_dict())
    assert torch.equal(own.eval()(images), model.eval()(images))


@pytest.mark.parametrize(("field", "name"), CHOICES)
def test_the_form_for_training_is_bitwise_equal(field, name):
    images, results = torch.randn(4, 1, 12, 12), []
    for form in (lambda net: net, training_form):
        model = build_model(spec_with(field, name), seed=1)
        form(model)(images).square().mean().backward()
        results.append([each.grad for each in model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != NONE])
def test_an_activation_saves_what_its_entry_says(name):
    value = torch.randn(5, requires_grad=True)
    kept: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(kept.append, lambda _: value):
        result = getattr(nn, ACTIVATIONS[name].torch_name)()(value)
    [saved] = kept
    expected = result if ACTIVATIONS[name].saves_output else value
    assert saved.data_ptr() == expected.data_ptr()


def test_tools_that_count_an_entry_are_known():
    tools = {convention.tool for convention in CONVENTIONS}
    for table in (ACTIVATIONS, NORMS, POOLINGS):
        assert {tool for entry in table.values() for tool in entry.counted} <= tools


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_optimizer_makes_a_step_and_keeps_the_state_that_is_counted(name):
    planned = plan(spec_with("norm", NONE))
    model = build_model(planned, seed=0)
    optimizer = build_optimizer(model, Recipe(optimizer=name, lr=0.1))
    before = [each.clone() for each in model.parameters()]
    model(torch.randn(4, 1, 12, 12)).square().mean().backward()
    optimizer.step(optimizer.gradients())
    assert not any(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    state = [value for key, value in optimizer.state_tensors().items() if key != "steps"]
    counts = 4 * OPTIMIZERS[name].step_counts * len(before)
    counted = cost(planned, optimizer=name).optimizer_bytes
    assert abs(4 * sum(each.numel() for each in state) + counts - counted) <= counts
    assert optimizer.supports("momentum") or not OPTIMIZERS[name].has_momentum


@pytest.mark.parametrize("name", SCHEDULES)
def test_each_schedule_reads_its_settings_only(name):
    def rates(**changes) -> list[float]:
        recipe = Recipe(epochs=4, schedule=name, **{"step_epochs": 1, **changes})
        return [factor(recipe, step=step, total_steps=8, epoch=step // 2) for step in range(8)]

    assert max(rates()) <= 1.0
    for setting, value in {"step_epochs": 2, "step_factor": 0.5, "warmup": 0.6}.items():
        assert (rates(**{setting: value}) != rates()) == (setting in SCHEDULES[name].settings)


def test_each_attribution_method_is_a_function():
    assert methods.METHODS.keys() == ATTRIBUTION_METHODS.keys()
    assert all(callable(method) for method in methods.METHODS.values())


@pytest.mark.parametrize("field", TABLES)
def test_an_unknown_name_of_a_design_is_an_error(field):
    with pytest.raises(SpecError, match=field):
        CNNSpec(channels=(4,), **{field: "other"})


@pytest.mark.parametrize("field", ["optimizer", "schedule"])
def test_an_unknown_name_of_a_recipe_is_an_error(field):
    with pytest.raises(RecipeError, match=field):
        Recipe(**{field: "other"})
