"""Runs from Python: trained in place, found in the store, read back with their weights."""

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

QUICK = Recipe(epochs=2, batch_size=64, lr=0.01)


@pytest.fixture
def trained() -> LoadedRun:
    return fit("mlp", "digits", QUICK, name="mine", train_limit=300)


def test_a_run_from_a_notebook_is_one_of_the_labs_runs(trained):
    (run,) = RunStore().runs()
    assert (run.id, run.state, run.title) == (trained.run.id, "finished", trained.run.title)
    assert (run.request.preset, run.request.name) == ("mlp", "mine")


def test_its_network_is_the_one_whose_result_is_told(trained):
    prepared = load_prepared("digits")
    none = torch.arange(0).numpy()
    batches = DeviceData(prepared, none, none, "cpu").test_batches(256)
    again = evaluate(trained.net, batches, classes=10)
    assert again.accuracy == trained.history.test.accuracy
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


def test_a_step_that_was_not_kept_names_those_that_were(trained):
    with pytest.raises(StoreError, match="has no weights at step 99. Choose.* 0, 1, 2"):
        load_run(trained.run.id, step=99)


def test_an_unknown_run_is_a_sentence():
    with pytest.raises(StoreError, match="nothing"):
        load_run("nothing")


def test_a_listener_is_told_everything():
    kinds = []
    fit("mlp", "digits", QUICK, train_limit=64, listen=lambda event: kinds.append(event.kind))
    assert kinds.count("step") == 2 and kinds[-1] == "end"


def test_a_run_that_does_not_finish_says_why():
    with pytest.raises(TrainError, match="diverged.*Lower the learning rate"):
        fit("mlp", "digits", replace(QUICK, optimizer="sgd", lr=1e6, weight_decay=1e3))


def test_a_design_that_does_not_fit_is_refused():
    with pytest.raises(CnnlibError, match="Adapt the design"):
        fit(SPEC, "digits", QUICK)


def test_an_unknown_dataset_is_refused():
    with pytest.raises(RecipeError, match="is not known"):
        fit("mlp", "letters", QUICK)
