"""Tests of execution modes: names, measurement, the cache of tuned modes, forecasts."""

import errno
import json
import os
from dataclasses import asdict, replace

import pytest
import torch
from tiny import SPEC, collect_events, run_folder, tiny_prepared, tiny_request

from cnnlib.design.channels_last import breaks_channels_last
from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.design.presets import preset, presets
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import RecipeError
from cnnlib.nets.model import build_model
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.train.checkpoint import read_weights
from cnnlib.train.execution import host
from cnnlib.train.execution.autotune import fastest, measure
from cnnlib.train.execution.autotune_cache import (
    TunedMode,
    TuningCache,
    cache_key,
    design_key,
    modes_folder,
)
from cnnlib.train.execution.forecast import evaluation_batch_size, forecast
from cnnlib.train.execution.host import FreeCores, processor_name
from cnnlib.train.execution.machine import device_name
from cnnlib.train.execution.mode import (
    ExecutionMode,
    candidates,
    parse_requested_mode,
)
from cnnlib.train.saver import saved_files

CPU = torch.device("cpu")
ONE, TWO, THREE = (ExecutionMode(threads) for threads in (1, 2, 3))


@pytest.fixture
def idle_machine(monkeypatch) -> None:
    """No other program works beside a trial, so that its result stays in the cache."""
    monkeypatch.setattr(FreeCores, "count", lambda _: float(os.cpu_count() or 1))


@pytest.mark.parametrize("name", ["t1-nhwc-fp32", "t16-nchw-bf16", "t2-nhwc-fp32-compiled"])
def test_a_mode_is_parsed_from_its_name(name):
    assert ExecutionMode.from_name(name).name == name


@pytest.mark.parametrize("name", ["", "fast", "t0-nhwc-fp32", "t1-nhwc-fp16", "t1-nhwc-fp32-"])
def test_an_invalid_name_is_refused_with_an_example(name):
    with pytest.raises(RecipeError, match="such as t1-nhwc-fp32"):
        ExecutionMode.from_name(name)


def test_the_cpu_tries_all_threads_down_to_one_in_both_memory_formats():
    assert [mode.name for mode in candidates(CPU, 4, has_maps=True)] == [
        f"t{threads}-{layout}-fp32" for threads in (4, 2, 1) for layout in ("nhwc", "nchw")
    ]


def test_a_multilayer_perceptron_has_no_memory_format_to_choose():
    assert candidates(CPU, 1, has_maps=False) == [ExecutionMode(1)]


def test_the_cpu_uses_bfloat16_only_if_requested():
    names = {
        precision: [mode.name for mode in candidates(CPU, 1, True, precision)]
        for precision in ("auto", "fp32", "bf16")
    }
    assert names["auto"] == names["fp32"] == ["t1-nhwc-fp32", "t1-nchw-fp32"]
    assert names["bf16"] == ["t1-nhwc-bf16", "t1-nchw-bf16"]


def test_a_mode_of_another_precision_than_requested_is_refused():
    assert parse_requested_mode("t1-nchw-bf16", "bf16").precision == "bf16"
    with pytest.raises(RecipeError, match="computes in fp32, but precision='bf16' was chosen"):
        parse_requested_mode("t1-nchw-fp32", "bf16")


def test_a_run_in_bfloat16_has_float32_weights_and_repeats_to_the_bit(tmp_path):
    request = replace(tiny_request(), mode="auto", precision="bf16")
    whole, again = run_folder(tmp_path, "whole"), run_folder(tmp_path, "again")
    events = collect_events(request, folder=whole)
    assert events[0].chosen["precision"] == "bf16"
    resumed = collect_events(
        request, folder=again, resume=whole / "checkpoint-00000004.safetensors"
    )
    assert resumed[-1].test.loss == events[-1].test.loss
    weights = [read_weights(folder / saved_files(folder)[-1].file) for folder in (whole, again)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert {t.dtype for t in weights[0].values() if t.is_floating_point()} == {torch.float32}


def test_no_run_takes_more_threads_than_there_are_cores():
    few = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with pytest.raises(RecipeError, match=f"t{few} or fewer threads, or auto"):
        collect_events(replace(tiny_request(), mode=f"t{few + 1}-nchw-fp32"))


def test_a_later_mode_has_to_be_clearly_faster():
    assert fastest({ONE: 1.00, TWO: 0.97}) == ONE
    assert fastest({ONE: 1.00, TWO: 0.90}) == TWO
    assert fastest({ONE: 1.00, TWO: 0.90, THREE: 0.89}) == TWO


def _measure(limit_seconds: float) -> dict[ExecutionMode, float]:
    net = build_model(SPEC, seed=0)
    images, labels = torch.zeros(4, 1, 8, 8), torch.zeros(4, dtype=torch.int64)
    modes = candidates(CPU, 1, has_maps=True)
    return measure(modes, net, Recipe(), images, labels, limit_seconds)


def test_measuring_covers_every_mode_and_restores_the_threads():
    threads = torch.get_num_threads()
    seconds = _measure(limit_seconds=5.0)
    assert list(seconds) == candidates(CPU, 1, has_maps=True)
    assert all(0 < value < 5 for value in seconds.values())
    assert torch.get_num_threads() == threads


def test_measuring_without_time_covers_the_first_mode():
    assert list(_measure(limit_seconds=0.0)) == candidates(CPU, 1, has_maps=True)[:1]


def test_each_number_of_threads_is_tried_even_without_time():
    net = build_model(SPEC, seed=0)
    images, labels = torch.zeros(4, 1, 8, 8), torch.zeros(4, dtype=torch.int64)
    modes = candidates(CPU, 2, has_maps=True)
    seconds = measure(modes, net, Recipe(), images, labels, limit_seconds=0.0)
    assert [mode.name for mode in seconds] == ["t2-nhwc-fp32", "t1-nhwc-fp32"]


# -- the cache of tuned modes ----------------------------------------------------------------------


def test_the_first_stored_mode_stays(tmp_path):
    cache, other = TuningCache(tmp_path), TuningCache(tmp_path)
    first, second = TunedMode("t1-nhwc-fp32", "first"), TunedMode("t2-nchw-fp32", "second")
    assert cache.read("key") is None
    assert cache.store("key", first) == first
    assert other.store("key", second) == first == other.read("key")
    assert other.read_all() == [first]


def test_a_mode_is_stored_without_hard_links_too(tmp_path, monkeypatch):
    def no_links(*_) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    cache = TuningCache(tmp_path)
    stored = cache.store("key", TunedMode("t1-nhwc-fp32", "first"))
    assert stored == cache.read("key") == TunedMode("t1-nhwc-fp32", "first")
    assert [path.name for path in tmp_path.iterdir()] == ["key.json"]


def test_a_mode_that_cannot_be_stored_is_returned(tmp_path, monkeypatch):
    def full(path, _) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    tuned = TunedMode("t1-nhwc-fp32", "mine")
    assert TuningCache(tmp_path).store("key", tuned) == tuned
    assert list(tmp_path.iterdir()) == []


def test_no_two_devices_of_a_machine_share_a_name():
    # A mode that was tuned for the processor must not be used for the GPU on the same chip.
    assert device_name(torch.device("mps")) != device_name(torch.device("cpu"))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"from": "another version"}'])
def test_a_damaged_file_is_replaced(tmp_path, content):
    (tmp_path / "key.json").write_text(content)
    cache = TuningCache(tmp_path)
    assert cache.read("key") is None
    assert cache.store("key", TunedMode("t1-nhwc-fp32", "new")).reason == "new"


def test_a_key_depends_on_every_part():
    keys = {cache_key(threads=t, batch=b) for t in (1, 2) for b in (1, 2)}
    assert len(keys) == 4 and cache_key(a=1, b=2) == cache_key(b=2, a=1)


def tuned_beside(free_cores: float | None, mode: str, threads: int = 2) -> TunedMode:
    return TunedMode(mode, "", allowed_threads=threads, free_cores=free_cores)


@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [
        (2.0, 2.0, True),  # the first was not disturbed
        (None, 2.0, True),  # nothing is known of the load
        (1.6, 2.0, True),  # less than half a core was busy
        (0.9, 1.9, False),
        (0.9, 0.8, True),  # the second trial was beside more work
    ],
)
def test_a_mode_that_was_tuned_beside_other_work_gives_way_to_a_quieter_trial(
    tmp_path, first, second, stays
):
    cache = TuningCache(tmp_path)
    one, two = tuned_beside(first, "t1-nchw-fp32"), tuned_beside(second, "t2-nchw-fp32")
    cache.store("key", one)
    expected = one if stays else two
    assert cache.store("key", two) == expected == cache.read("key")


def test_a_quieter_trial_with_the_same_choice_keeps_the_speeds_of_training(tmp_path):
    cache = TuningCache(tmp_path)
    cache.store("key", tuned_beside(0.9, "t1-nchw-fp32"))
    cache.add_training("key", 0.25)
    assert cache.store("key", tuned_beside(2.0, "t1-nchw-fp32")).trained_seconds_per_step == (0.25,)


def test_modes_that_were_measured_beside_other_work_are_measured_again(tmp_path, monkeypatch):
    request = replace(tiny_request(epochs=1), mode="auto")

    def chosen(run: str, free_cores: float) -> dict:
        monkeypatch.setattr(FreeCores, "count", lambda _: free_cores)
        [started, *_] = collect_events(request, folder=run_folder(tmp_path, run), threads=2)
        return started.chosen

    busy = chosen("a", 0.5)
    assert busy["free_cores"] == 0.5
    assert "beside other programs (0.5 of 2 cores free)" in busy["reason"]
    quiet = chosen("b", 2.0)
    assert quiet["free_cores"] == 2.0 and "beside" not in quiet["reason"]
    assert chosen("c", 1.0) == quiet  # from the cache


def test_the_free_cores_are_those_that_no_other_process_uses(monkeypatch):
    # Of two cores, in 2 s: 1 s idle, and 2 s of this process: 3 s / 2 s = 1.5 cores.
    samples = iter([(10.0, 5.0, 100.0), (11.0, 7.0, 102.0)])
    monkeypatch.setattr(host, "_idle_and_own_seconds", lambda: next(samples))
    assert host.FreeCores().count() == 1.5


def test_modes_are_measured_once_and_then_read_from_the_cache(tmp_path, idle_machine):
    request = replace(tiny_request(epochs=1), mode="auto")
    first = collect_events(request, folder=run_folder(tmp_path, "a"))[0].chosen
    assert first["mode"] in first["seconds_per_step"]
    (file,) = (tmp_path / "runs" / "modes").glob("*.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"reason": "kept"}))
    second = collect_events(replace(request, seed=1), folder=run_folder(tmp_path, "b"))[0].chosen
    assert (second["name"], second["reason"]) == (first["name"], "kept")


def test_a_mode_that_needs_a_missing_compiler_is_refused(monkeypatch):
    def no_compiler(_) -> None:
        raise RuntimeError("No working C++ compiler found\nand a long trace")

    monkeypatch.setattr(torch, "compile", no_compiler)
    with pytest.raises(
        RecipeError, match="failed on this machine: No working C.. compiler found. Choose a"
    ):
        collect_events(replace(tiny_request(), mode="t1-nchw-fp32-compiled"))


def test_a_continuation_keeps_the_mode_of_its_checkpoint(tmp_path):
    folder = run_folder(tmp_path)
    collect_events(replace(tiny_request(), mode="t1-nchw-fp32"), folder=folder)
    resume = folder / "checkpoint-00000004.safetensors"
    chosen = collect_events(replace(tiny_request(), mode="auto"), folder=folder, resume=resume)[
        0
    ].chosen
    assert (chosen["name"], chosen["reason"]) == ("t1-nchw-fp32", "the same as in the original run")


# -- forecasts -------------------------------------------------------------------------------------


def _folders(tmp_path) -> Folders:
    return Folders(tmp_path / "data", tmp_path / "runs")


def _store_tuned_mode(tmp_path, *, seconds: float, mode: str = "t1-nhwc-fp32", **parts) -> None:
    cache = TuningCache(modes_folder(_folders(tmp_path)))
    cache.store(cache_key(mode=mode, **parts), TunedMode(mode, "", {mode: seconds}, **parts))


def test_a_forecast_without_any_measurement_is_a_guess(tmp_path):
    before = forecast(tiny_request(), tiny_prepared().info, _folders(tmp_path))
    assert before.basis == "a guess" and before.seconds_per_epoch > 0


def test_a_forecast_after_a_run_of_the_same_design_is_that_of_the_run(tmp_path):
    request = replace(tiny_request(), mode="auto")
    started = collect_events(request, folder=run_folder(tmp_path))[0]
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
    _store_tuned_mode(tmp_path, seconds=0.1, batch_size=50, step_flops=181_540_800 // 2)
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
    facts = {"batch_size": 81, "design": design_key(request.spec)}
    _store_tuned_mode(tmp_path, seconds=0.5, device=processor_name(), **facts)
    _store_tuned_mode(tmp_path, seconds=0.01, device="a GPU", **facts)
    before = forecast(request, tiny_prepared().info, _folders(tmp_path))
    assert (before.seconds, before.basis) == (pytest.approx(seconds), "this design")


@pytest.mark.parametrize(("precision", "seconds"), [("auto", 0.5), ("fp32", 0.5), ("bf16", 0.2)])
def test_a_forecast_is_that_of_the_precision(tmp_path, precision, seconds):
    request = replace(tiny_request(epochs=1, batch_size=81), device="cpu", precision=precision)
    facts = {"batch_size": 81, "design": design_key(request.spec), "device": processor_name()}
    _store_tuned_mode(tmp_path, mode="t1-nhwc-bf16", seconds=0.2, **facts)
    _store_tuned_mode(tmp_path, seconds=0.5, **facts)
    before = forecast(request, tiny_prepared().info, _folders(tmp_path))
    assert (before.seconds, before.basis) == (pytest.approx(seconds), "this design")


def _forecast_of_modes(tmp_path, modes: list[TunedMode], **changes) -> float:
    """Store tuned modes of the tiny design; return the forecast of one step."""
    request = replace(tiny_request(epochs=1, batch_size=81), **changes)
    facts = {"batch_size": 81, "design": design_key(request.spec), "device": processor_name()}
    cache = TuningCache(modes_folder(_folders(tmp_path)))
    for number, tuned in enumerate(modes):
        cache.store(str(number), replace(tuned, **facts))
    info = replace(tiny_prepared().info, train_count=90)  # 9 of them for validation: one step
    return forecast(request, info, _folders(tmp_path), threads=1).seconds


TUNED_TWO = TunedMode("t2-nhwc-fp32", "", {"t2-nhwc-fp32": 0.9}, allowed_threads=2)
TUNED_ONE = TunedMode("t1-nhwc-fp32", "", {"t1-nhwc-fp32": 0.05}, allowed_threads=1)


def test_a_forecast_is_that_of_the_requested_mode(tmp_path):
    modes = [TUNED_TWO, replace(TUNED_ONE, is_given=True)]
    assert _forecast_of_modes(tmp_path, modes, mode="t1-nhwc-fp32") == 0.05


def test_a_forecast_of_an_open_mode_is_that_of_the_threads_that_a_run_gets(tmp_path):
    assert _forecast_of_modes(tmp_path, [TUNED_TWO, TUNED_ONE], mode="auto") == 0.05


def test_a_forecast_of_an_open_mode_prefers_the_mode_that_a_trial_selected(tmp_path):
    given = TunedMode("t1-nchw-fp32", "", {"t1-nchw-fp32": 0.7}, allowed_threads=1, is_given=True)
    assert _forecast_of_modes(tmp_path, [given, TUNED_ONE], mode="auto") == 0.05


def test_a_forecast_is_that_of_training_where_a_trial_was_disturbed(tmp_path):
    # Five runs: the median is 0.006, whatever one of them beside other programs took.
    trained = replace(TUNED_ONE, trained_seconds_per_step=(0.4, 0.006, 0.005, 0.006, 0.007))
    assert _forecast_of_modes(tmp_path, [trained], mode="auto") == 0.006


@pytest.mark.parametrize(
    ("trained", "seconds"),
    [((0.4,), 0.05), ((0.4, 0.3), 0.3), ((0.09,), 0.09), ((0.4, 0.06), 0.06)],
)
def test_a_forecast_is_that_of_the_trial_where_a_single_run_was_disturbed(
    tmp_path, trained, seconds
):
    # The trial took 0.05 s; less than half of that of a run, it counts as a run.
    modes = [replace(TUNED_ONE, trained_seconds_per_step=trained)]
    assert _forecast_of_modes(tmp_path, modes, mode="auto") == seconds


def test_training_in_a_mode_counts_for_each_request_of_it(tmp_path):
    trained = replace(TUNED_ONE, trained_seconds_per_step=(0.006,))
    given = replace(TUNED_ONE, is_given=True)
    assert _forecast_of_modes(tmp_path, [given, trained], mode="t1-nhwc-fp32") == 0.006


def test_a_run_stores_its_speed_and_the_next_one_expects_it(tmp_path, idle_machine):
    request = replace(tiny_request(epochs=5), mode="auto")  # 20 steps: 10 after the warm-up
    collect_events(request, folder=run_folder(tmp_path, "a"))
    (file,) = (tmp_path / "runs" / "modes").glob("*.json")
    stored = TunedMode.from_dict(json.loads(file.read_text()))
    assert len(stored.trained_seconds_per_step) == 1
    file.write_text(json.dumps(asdict(replace(stored, seconds_per_step={stored.mode: 60.0}))))
    begun = collect_events(request, folder=run_folder(tmp_path, "b"))[0]
    (expected,) = stored.trained_seconds_per_step
    assert begun.chosen["step_seconds"] == expected
    assert begun.forecast["seconds_per_epoch"] == 4 * expected


def test_a_run_that_is_too_short_to_be_timed_stores_no_speed(tmp_path):
    collect_events(replace(tiny_request(), mode="auto"), folder=run_folder(tmp_path))  # 12 steps
    (tuned,) = TuningCache(tmp_path / "runs" / "modes").read_all()
    assert not tuned.trained_seconds_per_step


def test_only_the_speed_of_the_latest_runs_is_kept(tmp_path):
    cache = TuningCache(tmp_path)
    cache.add_training("key", 1.0)
    assert cache.read("key") is None  # the next run still has to measure its modes
    cache.store("key", TUNED_ONE)
    for seconds in range(1, 8):
        cache.add_training("key", float(seconds))
    assert cache.read("key") == replace(TUNED_ONE, trained_seconds_per_step=(3, 4, 5, 6, 7))


def test_max_batches_shortens_a_forecast(tmp_path):
    whole, short = (
        forecast(tiny_request(max_batches=limit), tiny_prepared().info, _folders(tmp_path))
        for limit in (None, 6)
    )
    assert short.seconds == pytest.approx(whole.seconds / 2)


SMALL_SHORTCUT = CNNSpec(
    in_size=(1, 8, 8),
    out_classes=3,
    channels=(4,) * 4,
    pool_every=2,
    block="residual",
    downsample="stride",
)


@pytest.mark.parametrize(
    ("spec", "breaks"),
    [
        (SMALL_SHORTCUT, True),  # a 1x1 shortcut with a stride and 4 channels
        (replace(SMALL_SHORTCUT, channels=(8,) * 4), False),
        (replace(SMALL_SHORTCUT, block="plain", downsample="pool"), False),
    ],
)
def test_channels_last_is_excluded_where_torch_writes_out_of_bounds(spec, breaks):
    assert breaks_channels_last(plan(spec).walk()) is breaks


def test_a_requested_channels_last_mode_is_refused_there():
    with pytest.raises(RecipeError, match="Choose a mode with nchw"):
        collect_events(tiny_request(SMALL_SHORTCUT))  # t1-nhwc-fp32
    request = replace(tiny_request(SMALL_SHORTCUT, epochs=1), mode="auto")
    started = next(event for event in collect_events(request) if event.kind == "started")
    assert not started.chosen["channels_last"]


@pytest.mark.parametrize("name", [each.name for each in presets()])
@pytest.mark.parametrize("batch_size", [1, 8, 64, 512])
def test_an_evaluation_takes_no_more_memory_than_a_training_step(name, batch_size):
    planned = plan(preset(name).spec)
    step = cost(planned, batch_size=batch_size, optimizer="adamw")
    size = evaluation_batch_size(planned, step, "cpu")
    assert min(batch_size, 256) <= size <= 256
    needed = cost(planned, batch_size=size).evaluation_peak.bytes + step.optimizer_bytes
    assert needed <= step.training_peak.bytes
