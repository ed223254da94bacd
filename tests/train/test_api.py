"""Tests of `fit` and `load_run`: training in this process, stored runs, loaded weights."""

from dataclasses import replace

import pytest
import torch
from tiny import SPEC

import cnnlib
from cnnlib.data.batches import DeviceData
from cnnlib.data.prepared import load_prepared
from cnnlib.errors import CnnlibError, RecipeError, StoreError, TrainError
from cnnlib.nets.evaluate import evaluate
from cnnlib.records.recipe import Recipe
from cnnlib.runs import RunStore
from cnnlib.train.api import LoadedRun, fit, load_run

SHORT_RECIPE = Recipe(epochs=2, batch_size=64, lr=0.01)


@pytest.fixture
def trained() -> LoadedRun:
    return fit("mlp", "digits", SHORT_RECIPE, name="mine", train_limit=300)


def test_a_run_from_a_notebook_is_one_of_the_labs_runs(trained):
    (run,) = RunStore().runs()
    assert (run.id, run.state, run.title) == (trained.run.id, "finished", trained.run.title)
    assert (run.request.preset, run.request.name) == ("mlp", "mine")


def test_its_network_has_the_recorded_accuracy(trained):
    prepared = load_prepared("digits")
    no_positions = torch.arange(0).numpy()
    batches = DeviceData(prepared, no_positions, no_positions, "cpu").test_batches(256)
    result = evaluate(trained.net, batches, classes=10)
    assert result.accuracy == trained.history.test.accuracy
    assert not trained.net.training


def test_its_history_is_whole(trained):
    # 300 pictures in batches of 64 are 5 steps, two epochs 10.
    assert trained.history.steps["step"] == list(range(1, 11)) and trained.step == 10
    assert [epoch.epoch for epoch in trained.history.epochs] == [1, 2]
    assert trained.spec.hidden_dims == (100,)


def test_an_earlier_step_is_read_back_as_it_was(trained):
    first = load_run(trained.run.id, step=0)
    fresh = cnnlib.build_model(trained.spec, seed=0)
    for one, other in zip(first.net.parameters(), fresh.parameters(), strict=True):
        assert torch.equal(one, other)


def test_an_unsaved_step_lists_the_saved_ones(trained):
    with pytest.raises(StoreError, match="has no weights at step 99. Choose.* 0, 1, 2"):
        load_run(trained.run.id, step=99)


def test_an_unknown_run_is_refused():
    with pytest.raises(StoreError, match="nothing"):
        load_run("nothing")


def test_a_listener_receives_every_event():
    kinds = []
    fit(
        "mlp", "digits", SHORT_RECIPE, train_limit=64, listen=lambda event: kinds.append(event.kind)
    )
    assert kinds.count("step") == 2 and kinds[-1] == "end"


def test_a_run_that_does_not_finish_raises_the_reason():
    with pytest.raises(TrainError, match="diverged.*Lower the learning rate"):
        fit("mlp", "digits", replace(SHORT_RECIPE, optimizer="sgd", lr=1e6, weight_decay=1e3))


def test_a_design_that_does_not_fit_is_refused():
    with pytest.raises(CnnlibError, match="Adapt the design"):
        fit(SPEC, "digits", SHORT_RECIPE)


def test_an_unknown_dataset_is_refused():
    with pytest.raises(RecipeError, match="^dataset is 'letters', but"):
        fit("mlp", "letters", SHORT_RECIPE)
