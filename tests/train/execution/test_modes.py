"""Execution modes: their names, the trial that chooses one, where choices are kept, forecasts."""

import errno
import json
import os
from dataclasses import replace

import pytest
import torch
from tiny import SPEC, run_folder, tiny_prepared, tiny_request, told

from cnnlib.design.presets import preset
from cnnlib.errors import RecipeError
from cnnlib.nets.model import build_model
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.train.checkpoint import read_weights
from cnnlib.train.execution.autotune import fastest, measure
from cnnlib.train.execution.autotune_cache import (
    ModeCache,
    ModeChoice,
    choice_key,
    design_key,
    modes_folder,
)
from cnnlib.train.execution.forecast import forecast
from cnnlib.train.execution.host import processor_name
from cnnlib.train.execution.machine import device_name
from cnnlib.train.execution.mode import ExecutionMode, asked_mode, candidates, free_cores
from cnnlib.train.saver import saved_files

CPU = torch.device("cpu")
ONE, TWO, THREE = (ExecutionMode(threads) for threads in (1, 2, 3))


@pytest.mark.parametrize("name", ["t1-nhwc-fp32", "t16-nchw-bf16", "t2-nhwc-fp32-compiled"])
def test_a_mode_is_what_its_name_says(name):
    assert ExecutionMode.from_name(name).name == name


@pytest.mark.parametrize("name", ["", "fast", "t0-nhwc-fp32", "t1-nhwc-fp16", "t1-nhwc-fp32-"])
def test_a_name_that_is_none_shows_the_form(name):
    with pytest.raises(RecipeError, match="as in t1-nhwc-fp32"):
        ExecutionMode.from_name(name)


def test_the_cpu_tries_all_threads_down_to_one_in_both_memory_formats():
    assert [mode.name for mode in candidates(CPU, 4, has_maps=True)] == [
        f"t{threads}-{layout}-fp32" for threads in (4, 2, 1) for layout in ("nhwc", "nchw")
    ]


def test_a_multilayer_perceptron_has_no_memory_format_to_choose():
    assert candidates(CPU, 1, has_maps=False) == [ExecutionMode(1)]


def test_the_cpu_computes_in_bfloat16_only_where_that_is_asked_for():
    names = {
        precision: [mode.name for mode in candidates(CPU, 1, True, precision)]
        for precision in ("auto", "fp32", "bf16")
    }
    assert names["auto"] == names["fp32"] == ["t1-nhwc-fp32", "t1-nchw-fp32"]
    assert names["bf16"] == ["t1-nhwc-bf16", "t1-nchw-bf16"]


def test_a_mode_of_another_precision_than_the_one_asked_for_is_refused():
    assert asked_mode("t1-nchw-bf16", "bf16").precision == "bf16"
    with pytest.raises(RecipeError, match="computes in fp32, and precision='bf16' was asked for"):
        asked_mode("t1-nchw-fp32", "bf16")


def test_a_run_in_bfloat16_says_so_keeps_float32_weights_and_repeats_to_the_bit(tmp_path):
    request = replace(tiny_request(), mode="auto", precision="bf16")
    whole, again = run_folder(tmp_path, "whole"), run_folder(tmp_path, "again")
    events = told(request, folder=whole)
    assert events[0].chosen["precision"] == "bf16"
    resumed = told(request, folder=again, resume=whole / "checkpoint-00000004.safetensors")
    assert resumed[-1].test.loss == events[-1].test.loss
    weights = [read_weights(folder / saved_files(folder)[-1].file) for folder in (whole, again)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert {t.dtype for t in weights[0].values() if t.is_floating_point()} == {torch.float32}


def test_one_core_is_left_to_the_pages(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for cores, free in ((1, 1), (2, 1), (8, 7)):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, n=cores: set(range(n)), raising=False)
        assert free_cores() == free
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert free_cores() == 3


def test_no_run_takes_more_threads_than_there_are_cores():
    few = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with pytest.raises(RecipeError, match=f"t{few} or fewer, or for auto"):
        told(replace(tiny_request(), mode=f"t{few + 1}-nchw-fp32"))


def test_a_later_mode_has_to_be_clearly_faster():
    assert fastest({ONE: 1.00, TWO: 0.97}) == ONE
    assert fastest({ONE: 1.00, TWO: 0.90}) == TWO
    assert fastest({ONE: 1.00, TWO: 0.90, THREE: 0.89}) == TWO


def _measured(limit_seconds: float) -> dict[ExecutionMode, float]:
    net = build_model(SPEC, seed=0)
    images, labels = torch.zeros(4, 1, 8, 8), torch.zeros(4, dtype=torch.int64)
    modes = candidates(CPU, 1, has_maps=True)
    return measure(modes, net, Recipe(), images, labels, limit_seconds)


def test_a_trial_times_every_mode_and_leaves_no_trace():
    threads = torch.get_num_threads()
    seconds = _measured(limit_seconds=5.0)
    assert list(seconds) == candidates(CPU, 1, has_maps=True)
    assert all(0 < value < 5 for value in seconds.values())
    assert torch.get_num_threads() == threads


def test_a_trial_without_time_measures_the_first_mode():
    assert list(_measured(limit_seconds=0.0)) == candidates(CPU, 1, has_maps=True)[:1]


# -- choices are kept ------------------------------------------------------------------------------


def test_the_first_choice_holds_for_all(tmp_path):
    shelf, other = ModeCache(tmp_path), ModeCache(tmp_path)
    first, second = ModeChoice("t1-nhwc-fp32", "first"), ModeChoice("t2-nchw-fp32", "second")
    assert shelf.read("key") is None
    assert shelf.keep("key", first) == first
    assert other.keep("key", second) == first == other.read("key")
    assert other.all() == [first]


def test_on_a_disk_without_second_names_a_choice_is_kept_too(tmp_path, monkeypatch):
    def no_links(*_) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    shelf = ModeCache(tmp_path)
    kept = shelf.keep("key", ModeChoice("t1-nhwc-fp32", "first"))
    assert kept == shelf.read("key") == ModeChoice("t1-nhwc-fp32", "first")
    assert [path.name for path in tmp_path.iterdir()] == ["key.json"]


def test_a_choice_that_cannot_be_written_holds_for_the_run_alone(tmp_path, monkeypatch):
    def full(path, _) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    choice = ModeChoice("t1-nhwc-fp32", "mine")
    assert ModeCache(tmp_path).keep("key", choice) == choice
    assert list(tmp_path.iterdir()) == []


def test_no_two_devices_of_a_machine_share_a_name():
    # A mode that was chosen for the processor is none for the GPU on the same chip.
    assert device_name(torch.device("mps")) != device_name(torch.device("cpu"))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"from": "another version"}'])
def test_a_damaged_choice_is_made_anew(tmp_path, content):
    (tmp_path / "key.json").write_text(content)
    shelf = ModeCache(tmp_path)
    assert shelf.read("key") is None
    assert shelf.keep("key", ModeChoice("t1-nhwc-fp32", "new")).reason == "new"


def test_a_key_tells_every_part_apart():
    keys = {choice_key(threads=t, batch=b) for t in (1, 2) for b in (1, 2)}
    assert len(keys) == 4 and choice_key(a=1, b=2) == choice_key(b=2, a=1)


def test_a_run_tries_modes_once_and_the_next_one_keeps_to_the_choice(tmp_path):
    request = replace(tiny_request(epochs=1), mode="auto")
    first = told(request, folder=run_folder(tmp_path, "a"))[0].chosen
    assert first["mode"] in first["seconds_per_step"]
    (kept,) = (tmp_path / "runs" / "modes").glob("*.json")
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"reason": "kept"}))
    second = told(replace(request, seed=1), folder=run_folder(tmp_path, "b"))[0].chosen
    assert (second["name"], second["reason"]) == (first["name"], "kept")


def test_a_mode_that_needs_a_compiler_that_is_not_there_is_a_sentence(monkeypatch):
    def no_compiler(_) -> None:
        raise RuntimeError("No working C++ compiler found\nand a long trace")

    monkeypatch.setattr(torch, "compile", no_compiler)
    with pytest.raises(RecipeError, match="failed here: No working C.. compiler found. Choose a"):
        told(replace(tiny_request(), mode="t1-nchw-fp32-compiled"))


def test_a_continuation_keeps_the_mode_of_its_checkpoint(tmp_path):
    folder = run_folder(tmp_path)
    told(replace(tiny_request(), mode="t1-nchw-fp32"), folder=folder)
    resume = folder / "checkpoint-00000004.safetensors"
    chosen = told(replace(tiny_request(), mode="auto"), folder=folder, resume=resume)[0].chosen
    assert (chosen["name"], chosen["reason"]) == ("t1-nchw-fp32", "as the run that it continues")


# -- forecasts -------------------------------------------------------------------------------------


def _folders(tmp_path) -> Folders:
    return Folders(tmp_path / "data", tmp_path / "runs")


def _keep(tmp_path, *, seconds: float, mode: str = "t1-nhwc-fp32", **parts) -> None:
    shelf = ModeCache(modes_folder(_folders(tmp_path)))
    shelf.keep(choice_key(mode=mode, **parts), ModeChoice(mode, "", {mode: seconds}, **parts))


def test_a_forecast_without_any_measurement_says_that_it_is_a_guess(tmp_path):
    told_before = forecast(tiny_request(), tiny_prepared().info, _folders(tmp_path))
    assert told_before.basis == "a guess" and told_before.seconds_per_epoch > 0


def test_a_forecast_after_a_run_of_the_same_design_is_that_of_the_run(tmp_path):
    request = replace(tiny_request(), mode="auto")
    started = told(request, folder=run_folder(tmp_path))[0]
    before = forecast(request, tiny_prepared().info, _folders(tmp_path))
    assert before.basis == "this design"
    assert before.seconds_per_epoch == pytest.approx(started.forecast["seconds_per_epoch"])
    assert before.seconds == pytest.approx(3 * before.seconds_per_epoch)
    assert before.peak_memory_bytes == started.forecast["peak_memory_bytes"]


def test_a_forecast_for_another_design_is_scaled_by_its_operations(tmp_path):
    spec = preset("lenet5").spec
    request = RunRequest(spec, Recipe(epochs=1, batch_size=100), "mnist", validation=0)
    info = replace(tiny_prepared().info, train_count=1000, in_size=(1, 28, 28))
    # lenet5 does 181,540,800 operations per step of 100 pictures; half of that in 0.1 s.
    _keep(tmp_path, seconds=0.1, batch_size=50, step_flops=181_540_800 // 2)
    before = forecast(request, info, _folders(tmp_path))
    assert before.basis == "other designs"
    assert before.seconds == pytest.approx(10 * 0.2, rel=0.02)


@pytest.mark.parametrize(
    ("device", "gpus", "seconds"),
    [("cpu", [], 0.5), ("cpu", ["0"], 0.5), ("cuda", ["0"], 0.01), ("auto", ["0"], 0.01)],
)
def test_a_forecast_is_that_of_the_device(tmp_path, monkeypatch, device, gpus, seconds):
    monkeypatch.setattr("cnnlib.train.execution.forecast.visible_gpus", lambda: gpus)
    request = replace(tiny_request(epochs=1, batch_size=81), device=device)
    both = {"batch_size": 81, "design": design_key(request.spec)}
    _keep(tmp_path, seconds=0.5, device=processor_name(), **both)
    _keep(tmp_path, seconds=0.01, device="a GPU", **both)
    before = forecast(request, tiny_prepared().info, _folders(tmp_path))
    assert (before.seconds, before.basis) == (pytest.approx(seconds), "this design")


@pytest.mark.parametrize(("precision", "seconds"), [("auto", 0.5), ("fp32", 0.5), ("bf16", 0.2)])
def test_a_forecast_is_that_of_the_precision(tmp_path, precision, seconds):
    request = replace(tiny_request(epochs=1, batch_size=81), device="cpu", precision=precision)
    made = {"batch_size": 81, "design": design_key(request.spec), "device": processor_name()}
    _keep(tmp_path, mode="t1-nhwc-bf16", seconds=0.2, **made)
    _keep(tmp_path, seconds=0.5, **made)
    before = forecast(request, tiny_prepared().info, _folders(tmp_path))
    assert (before.seconds, before.basis) == (pytest.approx(seconds), "this design")


def test_max_batches_shortens_a_forecast(tmp_path):
    whole, short = (
        forecast(tiny_request(max_batches=limit), tiny_prepared().info, _folders(tmp_path))
        for limit in (None, 6)
    )
    assert short.seconds == pytest.approx(whole.seconds / 2)
