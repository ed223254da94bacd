"""Tests of going on with another design: what fits keeps its state, the rest is fresh."""

from dataclasses import replace

import pytest
import torch
from tiny import SPEC, collect_events, of_kind, run_folder, tiny_request

from cnnlib.design.plan import plan
from cnnlib.errors import RecipeError
from cnnlib.nets.model import build_model
from cnnlib.records.events import RunEnd, StepMetrics, WeightsSaved
from cnnlib.records.run import Origin
from cnnlib.train.checkpoint import read_checkpoint, read_weights
from cnnlib.train.saver import saved_files

DEEPER = replace(SPEC, channels=(4, 6, 8))


@pytest.fixture
def whole(tmp_path):
    """The folder of a finished run of two epochs: eight steps."""
    folder = run_folder(tmp_path, "whole")
    collect_events(tiny_request(epochs=2), folder=folder)
    return folder


def change(whole, **recipe):
    """The request of the same run with a third convolution from step 8 on."""
    origin = Origin("whole", 8, fitting=True)
    return replace(tiny_request(DEEPER, epochs=4, **recipe), origin=origin, mode="auto")


def checkpoint_of(folder, step=8):
    return folder / next(
        file.file for file in saved_files(folder) if (file.step, file.what) == (step, "checkpoint")
    )


def test_layers_that_fit_keep_their_weights_and_their_optimiser_state(whole):
    before = read_checkpoint(checkpoint_of(whole))
    events = collect_events(change(whole), folder=whole, resume=checkpoint_of(whole))
    first = of_kind(events, WeightsSaved)[0]
    assert (first.step, first.what) == (8, "snapshot")
    after = read_checkpoint(checkpoint_of(whole))
    kept = [name for name in after.weights if name.startswith(("features.conv1", "features.norm1"))]
    assert kept
    for name in kept:
        assert torch.equal(after.weights[name], before.weights[name])
    assert torch.equal(
        after.optimizer["features.conv2.weight/exp_avg"],
        before.optimizer["features.conv2.weight/exp_avg"],
    )
    fresh = build_model(plan(DEEPER), seed=0).state_dict()
    assert torch.equal(after.weights["features.conv3.weight"], fresh["features.conv3.weight"])
    assert not after.optimizer["features.conv3.weight/exp_avg"].any()


def test_steps_and_epochs_go_on(whole):
    events = collect_events(change(whole), folder=whole, resume=checkpoint_of(whole))
    assert [each.step for each in of_kind(events, StepMetrics)] == list(range(9, 17))
    assert of_kind(events, RunEnd)[0].state == "finished"


def test_files_of_the_former_design_are_deleted(whole):
    collect_events(change(whole), folder=whole, resume=checkpoint_of(whole))
    assert min(file.step for file in saved_files(whole)) == 8
    for file in saved_files(whole):
        assert "features.conv3.weight" in read_weights(whole / file.file)


def test_the_changed_run_resumes_to_the_same_bits(whole):
    request = change(whole)
    collect_events(request, folder=whole, resume=checkpoint_of(whole))
    last = read_weights(checkpoint_of(whole, 16))
    collect_events(request, folder=whole, resume=checkpoint_of(whole, 12))
    again = read_weights(checkpoint_of(whole, 16))
    assert all(torch.equal(last[name], again[name]) for name in last)


def test_another_run_can_go_on_with_the_design_of_this_one(whole, tmp_path):
    events = collect_events(change(whole), folder=run_folder(tmp_path, "other"))
    assert [each.step for each in of_kind(events, StepMetrics)] == list(range(9, 17))
    assert saved_files(whole)[0].step == 0  # the run's own files stay


def test_another_optimiser_begins_with_its_own_state(whole):
    request = change(whole, optimizer="momentum", momentum=0.9)
    events = collect_events(request, folder=whole, resume=checkpoint_of(whole))
    assert of_kind(events, RunEnd)[0].state == "finished"


def test_it_is_in_the_title_and_excludes_the_weights_alone():
    request = replace(tiny_request(), origin=Origin("whole", 8, fitting=True))
    assert request.title.endswith("changed after step 8")
    assert replace(request, origin=Origin("whole", 8)).origin.to_dict() == {
        "run_id": "whole",
        "step": 8,
        "weights_only": False,
    }
    with pytest.raises(RecipeError, match="Choose one of them"):
        Origin("whole", 8, weights_only=True, fitting=True)


def test_a_sketch_is_not_measured_on_the_test_split(tmp_path):
    events = collect_events(tiny_request(epochs=1), folder=run_folder(tmp_path), is_sketch=True)
    assert of_kind(events, RunEnd)[0].test is None
