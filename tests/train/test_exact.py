"""Tests of reproducibility: equal bits when repeated, paused, stepped, resumed or killed."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import (
    SPEC,
    collect_events,
    of_kind,
    run_folder,
    tiny_request,
    train_with_control,
    with_recipe,
)

from cnnlib.records.events import Command, EpochEnd, RunEnd, StepMetrics
from cnnlib.records.recipe import Augmentation
from cnnlib.records.run import Origin
from cnnlib.train.checkpoint import read_weights
from cnnlib.train.randomness import derived_seed, epoch_order
from cnnlib.train.saver import newest_checkpoint, saved_files

# Uses everything with random numbers or state: dropout, augmentation, batch norm, AdamW, a
# schedule. Four steps an epoch, twelve in total.
REQUEST = tiny_request(
    replace(SPEC, dropout=0.2, hidden_dims=(8,), hidden_dropout=0.3),
    schedule="one_cycle",
    weight_decay=0.01,
    clip_grad_norm=1.0,
    label_smoothing=0.1,
    augmentation=Augmentation(flip=True, shift=1, cutout=2),
)


def _numbers(events) -> list[tuple]:
    """The metrics of steps, epochs and test in the events, without seconds and speeds."""
    steps = [(e.step, e.loss, e.lr, e.grad_norm) for e in of_kind(events, StepMetrics)]
    epochs = [
        (e.epoch, e.step, e.train_loss, e.train_accuracy, e.val_loss, e.val_accuracy)
        for e in of_kind(events, EpochEnd)
    ]
    return steps + epochs + [e.test and e.test.loss for e in of_kind(events, RunEnd)]


def _last_weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_weights(folder / saved_files(folder)[-1].file)


def _same_bits(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.fixture
def whole(tmp_path):
    """The folder and the events of an uninterrupted run."""
    folder = run_folder(tmp_path, "whole")
    return folder, collect_events(REQUEST, folder=folder)


def test_the_same_request_gives_the_same_numbers_and_bits_twice(whole, tmp_path):
    again = run_folder(tmp_path, "again")
    torch.manual_seed(123)  # the state of the global generator must not matter
    assert _numbers(collect_events(REQUEST, folder=again)) == _numbers(whole[1])
    assert _same_bits(_last_weights(again), _last_weights(whole[0]))


def test_another_seed_gives_other_numbers(whole):
    assert _numbers(collect_events(replace(REQUEST, seed=1))) != _numbers(whole[1])


def test_a_run_that_is_paused_and_stepped_has_the_same_metrics(whole):
    def put_commands(control, step):
        if step == 2:
            for kind in ("pause", "step", "step", "look", "resume"):
                control.put(Command(kind))

    assert _numbers(train_with_control(REQUEST, put_commands)) == _numbers(whole[1])


def test_a_run_resumed_from_each_of_its_checkpoints_ends_in_the_same_bits(whole, tmp_path):
    events = of_kind(whole[1], StepMetrics)
    for saved in saved_files(whole[0]):
        if saved.what == "checkpoint":
            folder = run_folder(tmp_path, f"from-{saved.step}")
            again = collect_events(REQUEST, folder=folder, resume=whole[0] / saved.file)
            assert _same_bits(_last_weights(folder), _last_weights(whole[0]))
            expected = [e for e in events if e.step > saved.step]
            assert _numbers(of_kind(again, StepMetrics)) == _numbers(expected)
            assert _numbers(again)[-1] == _numbers(whole[1])[-1]


@pytest.mark.parametrize("at", [1, 4, 6, 11])
def test_a_run_interrupted_in_an_epoch_goes_on_to_the_same_epoch_numbers(whole, tmp_path, at):
    folder = run_folder(tmp_path)
    first = train_with_control(
        REQUEST, lambda control, step: control.interrupt() if step == at else None, folder=folder
    )
    assert (first[-1].state, first[-1].step) == ("interrupted", at)
    rest = collect_events(REQUEST, folder=folder, resume=newest_checkpoint(folder))
    epochs = {e.epoch: e for e in of_kind([*first, *rest], EpochEnd)}
    assert _numbers(epochs.values()) == _numbers(of_kind(whole[1], EpochEnd))
    assert _same_bits(_last_weights(folder), _last_weights(whole[0]))


def test_a_change_of_settings_survives_resuming(tmp_path):
    def change(control, step):
        if step == 5:
            control.put(Command("set", "lr", 0.005))
            control.put(Command("set", "weight_decay", 0.5))

    def change_and_interrupt(control, step):
        change(control, step)
        if step == 7:
            control.interrupt()

    whole, folder = run_folder(tmp_path, "whole"), run_folder(tmp_path)
    train_with_control(REQUEST, change, folder=whole)
    train_with_control(REQUEST, change_and_interrupt, folder=folder)
    collect_events(REQUEST, folder=folder, resume=newest_checkpoint(folder))
    assert _same_bits(_last_weights(folder), _last_weights(whole))


def test_a_fork_with_nothing_changed_ends_in_the_same_bits(whole, tmp_path):
    folder = run_folder(tmp_path)
    collect_events(replace(REQUEST, origin=Origin("whole", step=8)), folder=folder)
    assert _same_bits(_last_weights(folder), _last_weights(whole[0]))


def test_a_rewind_to_step_0_starts_from_the_same_weights_and_repeats_the_run(whole, tmp_path):
    folder = run_folder(tmp_path)
    collect_events(replace(REQUEST, origin=Origin("whole", step=0)), folder=folder)
    first = "snapshot-00000000.safetensors"
    assert _same_bits(read_weights(folder / first), read_weights(whole[0] / first))
    assert _same_bits(_last_weights(folder), _last_weights(whole[0]))


def test_designs_that_are_compared_see_the_same_pictures_in_the_same_order():
    assert torch.equal(epoch_order(50, seed=3, epoch=2), epoch_order(50, seed=3, epoch=2))
    assert not torch.equal(epoch_order(50, seed=3, epoch=2), epoch_order(50, seed=3, epoch=3))
    assert not torch.equal(epoch_order(50, seed=3, epoch=2), epoch_order(50, seed=4, epoch=2))


def test_the_streams_of_a_seed_are_independent():
    seeds = {
        derived_seed(seed, stream, index)
        for seed in range(10)
        for stream in ("order", "augmentation", "dropout")
        for index in range(10)
    }
    assert len(seeds) == 10 * 3 * 10


# -- killed ----------------------------------------------------------------------------------------

_CHILD = """
import json, sys
from pathlib import Path
from tiny import tiny_prepared
from cnnlib.records.run import RunRequest
from cnnlib.train.loop import train

request = RunRequest.from_dict(json.loads(sys.argv[1]))
for event in train(request, tiny_prepared(), folder=Path(sys.argv[2])):
    if event.kind == "step":
        assert "torch._dynamo" not in sys.modules  # takes longer to import than torch itself
        print(event.step, flush=True)
"""


def test_a_run_that_is_killed_and_resumed_ends_in_the_same_bits(whole, tmp_path):
    folder = run_folder(tmp_path, "killed")
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, json.dumps(REQUEST.to_dict()), str(folder)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "support")},
    )
    with child:
        while int(child.stdout.readline()) < 6:
            pass
        child.send_signal(signal.SIGKILL)
    collect_events(REQUEST, folder=folder, resume=newest_checkpoint(folder))
    assert _same_bits(_last_weights(folder), _last_weights(whole[0]))


def test_a_longer_schedule_is_allowed_to_a_fork(whole, tmp_path):
    longer = with_recipe(replace(REQUEST, origin=Origin("whole", step=12)), epochs=5)
    events = collect_events(longer, folder=run_folder(tmp_path))
    # 12 steps are done, two epochs of four steps remain.
    assert [event.step for event in of_kind(events, StepMetrics)] == list(range(13, 21))
