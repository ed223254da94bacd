"""Early stopping: the weights of the best epoch are restored, also after a resume."""

from dataclasses import replace

import pytest
import torch
from tiny import (
    collect_events,
    of_kind,
    run_folder,
    tiny_prepared,
    tiny_request,
    train_with_control,
)

from cnnlib.design.plan import plan
from cnnlib.nets.model import build_model
from cnnlib.records.events import Command, EpochEnd, RunEnd
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import Origin
from cnnlib.train import loop
from cnnlib.train.checkpoint import read_weights
from cnnlib.train.saver import newest_checkpoint, saved_files

EPOCH_STEPS = 4
# Validation losses of the epochs: the third is the best.
LOSSES = [3.0, 2.0, 1.0, 1.5, 1.6, 1.7, 1.8]


@pytest.fixture
def planned_losses(monkeypatch):
    """Replaces the validation loss of each epoch, so that the best one is known."""
    measure = loop.measure_epoch

    def measure_with_loss(session):
        epoch = measure(session)
        return replace(epoch, val_loss=LOSSES[epoch.epoch - 1])

    monkeypatch.setattr(loop, "measure_epoch", measure_with_loss)


def _end(events) -> RunEnd:
    return events[-1]


def test_the_best_epoch_is_restored_and_measured(planned_losses, tmp_path):
    folder = run_folder(tmp_path)
    events = collect_events(tiny_request(epochs=7, patience=2), folder=folder)
    assert len(of_kind(events, EpochEnd)) == 5
    end = _end(events)
    assert (end.step, end.weights_step) == (5 * EPOCH_STEPS, 3 * EPOCH_STEPS)
    assert "The weights of epoch 3, with the lowest validation loss, were restored." in end.reason
    best = next(s for s in saved_files(folder) if (s.step, s.what) == (12, "snapshot"))
    assert end.test.accuracy == _test_accuracy(read_weights(folder / best.file))


def test_without_a_folder_the_best_epoch_is_kept_in_memory(planned_losses, tmp_path):
    request = tiny_request(epochs=7, patience=2)
    without, with_files = (
        collect_events(request),
        collect_events(request, folder=run_folder(tmp_path)),
    )
    assert _end(without).weights_step == 12
    assert _end(without).test == replace(_end(with_files).test, predictions_file="")


def test_ending_with_the_last_epoch_is_a_choice(planned_losses):
    end = _end(collect_events(tiny_request(epochs=7, patience=2, restore_best=False)))
    assert end.weights_step is None and "restored" not in end.reason


def test_a_best_epoch_that_is_the_last_needs_no_restoring(planned_losses):
    end = _end(collect_events(tiny_request(epochs=3, patience=2)))
    assert (end.weights_step, end.reason) == (None, "")


def test_a_run_to_its_last_epoch_restores_the_best_one_too(planned_losses):
    end = _end(collect_events(tiny_request(epochs=4, patience=5)))
    assert (end.step, end.weights_step) == (16, 12)


def test_a_stopped_run_keeps_what_it_has_now(planned_losses):
    def stop(control, step):
        if step == 18:
            control.put(Command("stop"))

    end = _end(train_with_control(tiny_request(epochs=7, patience=5), stop))
    assert (end.state, end.step, end.weights_step) == ("stopped", 18, None)


def test_a_resumed_run_knows_its_best_epoch(planned_losses, tmp_path):
    folder = run_folder(tmp_path)
    request = tiny_request(epochs=7, patience=2)

    def interrupt(control, step):
        if step == 18:
            control.interrupt()

    train_with_control(request, interrupt, folder=folder)
    end = _end(collect_events(request, folder=folder, resume=newest_checkpoint(folder)))
    assert end.weights_step == 12


def test_a_fork_restores_the_best_of_its_own_epochs(planned_losses, tmp_path):
    collect_events(
        tiny_request(epochs=4, patience=5, restore_best=False), folder=run_folder(tmp_path, "whole")
    )
    fork = replace(tiny_request(epochs=7, patience=5), origin=Origin("whole", 4 * EPOCH_STEPS))
    end = _end(collect_events(fork, folder=run_folder(tmp_path)))
    # Epoch 3 of the first run was better than 5, 6 and 7, but its weights are not the fork's.
    assert (end.state, end.step, end.weights_step) == ("finished", 28, 5 * EPOCH_STEPS)


def test_the_snapshot_of_the_best_epoch_survives_the_budget(planned_losses, tmp_path, monkeypatch):
    monkeypatch.setattr("cnnlib.train.saver.BUDGET_BYTES", 0)
    folder = run_folder(tmp_path)
    collect_events(tiny_request(epochs=7, patience=3), folder=folder)
    assert (12, "snapshot") in {(saved.step, saved.what) for saved in saved_files(folder)}


def test_a_recipe_of_an_older_version_keeps_its_meaning():
    old = {
        name: value
        for name, value in Recipe(patience=3).to_dict().items()
        if name != "restore_best"
    }
    assert not Recipe.from_dict(old).restores_best
    assert Recipe.from_dict(old).to_dict() == old  # and the key of its row
    assert Recipe.from_dict(Recipe(patience=3).to_dict()).restores_best


@pytest.mark.parametrize("patience", [None, 3])
@pytest.mark.parametrize("restore_best", [True, False])
def test_a_recipe_survives_its_json(patience, restore_best):
    recipe = Recipe(patience=patience, restore_best=restore_best)
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_a_recipe_without_patience_is_written_as_before():
    assert "restore_best" not in Recipe().to_dict()


def _test_accuracy(weights: dict[str, torch.Tensor]) -> float:
    from cnnlib.data.batches import Normaliser

    prepared, request = tiny_prepared(), tiny_request()
    net = build_model(plan(request.spec)).eval()
    net.load_state_dict(weights)
    images = Normaliser(prepared.info, "cpu")(torch.from_numpy(prepared.test_images))
    labels = torch.from_numpy(prepared.test_labels)
    return float((net(images).argmax(dim=1) == labels).double().mean())
