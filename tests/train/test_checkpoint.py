"""Tests of weight files: contents, damaged files, and which steps are kept on disk."""

import math

import pytest
import torch
from torch import nn

from cnnlib.errors import TrainError
from cnnlib.records.recipe import Recipe
from cnnlib.train.checkpoint import (
    Circumstances,
    Progress,
    read_checkpoint,
    read_weights,
    write_checkpoint,
    write_weights,
)
from cnnlib.train.optimizers import Optimizer, build_optimizer
from cnnlib.train.saver import (
    SavedFile,
    Saver,
    files_to_delete,
    newest_checkpoint,
    saved_files,
    snapshot_steps,
)

RECIPE = Recipe(optimizer="adam")
CIRCUMSTANCES = Circumstances(RECIPE, "t1-nhwc-fp32", "cpu", "abc")


def _net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).to(
        memory_format=torch.channels_last
    )


def _train_one_step() -> tuple[nn.Module, Optimizer]:
    net = _net()
    optimizer = build_optimizer(net, RECIPE)
    net(torch.randn(2, 2, 5, 5)).square().mean().backward()
    optimizer.step(optimizer.gradients())
    return net, optimizer


def _save_checkpoint(saver: Saver, step: int):
    net, optimizer = _train_one_step()
    return saver.save_checkpoint(net, optimizer, Progress(step=step), CIRCUMSTANCES)[0]


def test_weights_come_back_bit_for_bit_with_their_buffers(tmp_path):
    net, _ = _train_one_step()
    size = write_weights(tmp_path / "w.safetensors", net, step=3)
    assert size == (tmp_path / "w.safetensors").stat().st_size
    weights = read_weights(tmp_path / "w.safetensors")
    assert weights.keys() == net.state_dict().keys()
    assert all(torch.equal(weights[name], value) for name, value in net.state_dict().items())


def test_a_checkpoint_holds_weights_optimizer_progress_and_circumstances(tmp_path):
    net, optimizer = _train_one_step()
    progress = Progress(step=7, epoch=1, position=48, loss_sum=0.1, settings={"lr": 0.5})
    write_checkpoint(tmp_path / "c.safetensors", net, optimizer, progress, CIRCUMSTANCES)
    checkpoint = read_checkpoint(tmp_path / "c.safetensors")
    assert (checkpoint.progress, checkpoint.circumstances) == (progress, CIRCUMSTANCES)
    # Four parameters (weight and bias of convolution and norm), two averages each; the steps.
    assert len(checkpoint.optimizer) == 4 * 2 + 1
    assert torch.equal(checkpoint.weights["0.weight"], net[0].weight)
    assert read_weights(tmp_path / "c.safetensors").keys() == net.state_dict().keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [("position", -1), ("epoch", 1.5), ("step", "7"), ("settings", [1]), ("settings", {"_p": 1.0})],
)
def test_a_checkpoint_with_invalid_progress_is_refused(tmp_path, name, value):
    net, optimizer = _train_one_step()
    progress = Progress()
    setattr(progress, name, value)  # as an untrusted file may have it
    write_checkpoint(tmp_path / "c.safetensors", net, optimizer, progress, CIRCUMSTANCES)
    with pytest.raises(TrainError, match="c.safetensors cannot be read.*Choose another"):
        read_checkpoint(tmp_path / "c.safetensors")


def test_a_run_cannot_be_continued_from_weights_alone(tmp_path):
    write_weights(tmp_path / "w.safetensors", _net(), step=3)
    with pytest.raises(TrainError, match="w.safetensors contains only weights.*Choose a step"):
        read_checkpoint(tmp_path / "w.safetensors")


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{", None])
def test_a_damaged_or_missing_file_is_refused(tmp_path, content):
    path = tmp_path / "w.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TrainError, match="w.safetensors cannot be read.*another saved step"):
        read_weights(path)


def test_nothing_but_whole_files_is_left_when_writing_fails(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space"):
        write_weights(tmp_path / "w.safetensors", _net(), step=3)
    assert list(tmp_path.iterdir()) == []


# -- which steps are kept --------------------------------------------------------------------------


def test_snapshots_are_even_on_a_log_scale():
    # 1, 2, 4 ... 1024 are eleven steps with equal ratios; step 0 is the twelfth.
    assert sorted(snapshot_steps(1024, 12)) == [0] + [2**power for power in range(11)]


@pytest.mark.parametrize(("total", "steps"), [(0, {0}), (1, {0, 1}), (3, {0, 1, 2, 3})])
def test_short_runs_are_kept_whole(total, steps):
    assert snapshot_steps(total, 20) == steps


def test_first_and_last_step_are_always_among_the_snapshots():
    for total in (1, 2, 7, 100, 2110, 10**6):
        assert {0, total} <= snapshot_steps(total, 8)


def _saved_files(what: str, *steps: int, size: int = 1) -> list[SavedFile]:
    return [SavedFile(step, what, size) for step in steps]


def test_thinning_takes_the_checkpoint_whose_neighbours_are_closest():
    files = _saved_files("checkpoint", 0, 100, 110, 300)
    # Without 100 the gap is 110 - 0; without 110 it is 300 - 100: 100 is the most redundant.
    assert files_to_delete(files, budget_bytes=3) == _saved_files("checkpoint", 100)


def test_thinning_compares_snapshots_on_a_log_scale():
    files = _saved_files("snapshot", 0, 1, 2, 4, 8, 16, 32, 48, 64)
    # log(1 + 64) - log(1 + 32) is the smallest gap around any of the files.
    assert files_to_delete(files, budget_bytes=8) == _saved_files("snapshot", 48)


def test_thinning_leaves_eight_snapshots_and_two_checkpoints():
    files = _saved_files("snapshot", *range(20)) + _saved_files("checkpoint", *range(10))
    dropped = files_to_delete(files, budget_bytes=1)
    kept = [file for file in files if file not in dropped]
    assert [file.what for file in kept].count("snapshot") == 8
    assert [file.what for file in kept].count("checkpoint") == 2
    assert {(0, "snapshot"), (19, "snapshot"), (0, "checkpoint"), (9, "checkpoint")} <= {
        (file.step, file.what) for file in kept
    }


def test_a_saver_stays_within_its_budget_and_reports_deleted_files(tmp_path):
    saver = Saver(tmp_path, total_steps=100, weights_bytes=300, optimizer_bytes=600)
    saver.budget_bytes = 6 * _save_checkpoint(saver, 0).size_bytes
    dropped = [name for step in range(1, 12) for name in _save_checkpoint(saver, step).dropped]
    files = saved_files(tmp_path)
    assert sum(file.size_bytes for file in files) <= saver.budget_bytes
    assert (files[0].step, files[-1].step) == (0, 11)
    assert len(dropped) + len(files) == 12
    assert newest_checkpoint(tmp_path).name == files[-1].file


def test_the_checkpoint_of_the_step_before_stays_until_the_next_one(tmp_path):
    saver = Saver(tmp_path, total_steps=100, weights_bytes=300, optimizer_bytes=600)
    saver.budget_bytes = 2 * _save_checkpoint(saver, 0).size_bytes
    for step in (40, 41, 42):
        _save_checkpoint(saver, step)
        steps = {file.step for file in saved_files(tmp_path)}
        assert steps == {0, step} | ({step - 1} & {40, 41})


def test_a_file_deleted_during_listing_is_left_out(tmp_path):
    saver = Saver(tmp_path, total_steps=100, weights_bytes=300, optimizer_bytes=600)
    saver.save_snapshot(_net(), 1)
    # Simulates a file that is deleted between listing the folder and reading its size.
    (tmp_path / "snapshot-00000002.safetensors").symlink_to(tmp_path / "gone")
    assert [file.step for file in saved_files(tmp_path)] == [1]


def test_a_checkpoint_is_due_thirty_seconds_of_training_after_the_last(tmp_path):
    saver = Saver(tmp_path, total_steps=100, weights_bytes=300, optimizer_bytes=600)
    net, optimizer = _train_one_step()
    saver.save_checkpoint(net, optimizer, Progress(train_seconds=40.0), CIRCUMSTANCES)
    assert not saver.checkpoint_is_due(69.9)
    assert saver.checkpoint_is_due(70.0)


def test_the_last_good_step_is_the_newest_whose_weights_are_numbers(tmp_path):
    saver = Saver(tmp_path, total_steps=100, weights_bytes=300, optimizer_bytes=600)
    net = _net()
    saver.save_snapshot(net, 1)
    net[0].bias.data[0] = math.nan
    saver.save_snapshot(net, 2)
    net[0].bias.data[0] = math.inf
    saver.save_snapshot(net, 3)
    good = saver.delete_broken()
    assert (good.step, set(good.dropped)) == (
        1,
        {"snapshot-00000002.safetensors", "snapshot-00000003.safetensors"},
    )
    assert [file.step for file in saved_files(tmp_path)] == [1]


def test_without_a_folder_nothing_is_written():
    saver = Saver(None, total_steps=100, weights_bytes=300, optimizer_bytes=600)
    net, optimizer = _train_one_step()
    assert saver.save_snapshot(net, 0) == saver.save_latest(net, 0) == []
    assert saver.save_checkpoint(net, optimizer, Progress(), CIRCUMSTANCES) == []
    assert saver.delete_after(0) == () and saver.delete_broken() is None
    assert saver.has_saved(0, "snapshot")
