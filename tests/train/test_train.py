"""Tests of the training loop: its events, commands, errors, and starts from other runs."""

import errno
import math
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tiny import (
    SPEC,
    collect_events,
    of_kind,
    run_folder,
    tiny_prepared,
    tiny_request,
    train_with_control,
    with_recipe,
)
from torch.nn.functional import cross_entropy

from cnnlib.data.batches import DeviceData
from cnnlib.data.split import run_split, train_validation_split
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import RecipeError, TrainError
from cnnlib.nets.evaluate import evaluate
from cnnlib.nets.model import build_model
from cnnlib.records.events import (
    Command,
    EpochEnd,
    Intervention,
    Phase,
    RunEnd,
    SplitResult,
    Started,
    StepMetrics,
    WeightsSaved,
)
from cnnlib.records.run import Origin
from cnnlib.train.checkpoint import read_checkpoint, read_weights
from cnnlib.train.control import Control
from cnnlib.train.loop import train
from cnnlib.train.randomness import epoch_order
from cnnlib.train.saver import newest_checkpoint, saved_files
from cnnlib.train.schedule import batch_ends, step_count

# Three strides of two: 8, 4, 2, 1 pixels.
DOWN_TO_1X1 = CNNSpec(
    in_size=(1, 8, 8), out_classes=3, channels=(4, 4, 4), pool_every=0, stride=2, norm="batch"
)


def _losses(events) -> list[float]:
    return [event.loss for event in of_kind(events, StepMetrics)]


def _end(events) -> RunEnd:
    assert isinstance(events[-1], RunEnd)
    return events[-1]


def _put_at(step: int, *commands: Command):
    """Return a callback that puts these commands after that step."""

    def at_step(control, now):
        for command in commands if now == step else ():
            control.put(command)

    return at_step


# -- the events of a run ---------------------------------------------------------------------------


def test_a_tiny_net_learns_a_separable_dataset():
    end = _end(collect_events(tiny_request(epochs=8)))
    assert (end.state, end.test.accuracy) == ("finished", 1.0)


def test_a_run_yields_its_start_steps_epochs_and_end(tmp_path):
    events = collect_events(tiny_request(), folder=run_folder(tmp_path))
    assert isinstance(events[0], Started)
    # A tenth of 90 pictures is kept for validation; 81 in batches of 24 are 4 steps, 3 epochs 12.
    assert (events[0].batches_per_epoch, events[0].total_steps) == (4, 12)
    assert [event.step for event in of_kind(events, StepMetrics)] == list(range(1, 13))
    assert [(e.epoch, e.step) for e in of_kind(events, EpochEnd)] == [(1, 4), (2, 8), (3, 12)]
    assert _end(events).step == 12


def test_steps_are_those_of_a_loop_written_by_hand():
    request = tiny_request(optimizer="momentum", lr=0.1, epochs=2, label_smoothing=0.1)
    prepared = tiny_prepared()
    train, validation = train_validation_split(prepared.train_labels, 0.1, split_seed=0)
    data = DeviceData(prepared, train, validation, "cpu")
    net = build_model(SPEC, seed=0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    losses, norms, correct = [], [], 0
    for epoch in range(2):
        for positions in epoch_order(81, seed=0, epoch=epoch).split(24):
            images, labels = data.train_batch(positions)
            logits = net(images)
            loss = cross_entropy(logits, labels, label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            norms.append(torch.nn.utils.get_total_norm([p.grad for p in net.parameters()]).item())
            optimizer.step()
            losses.append(loss.item())
            correct += int((logits.argmax(1) == labels).sum()) if epoch == 1 else 0

    events = collect_events(request)
    assert _losses(events) == pytest.approx(losses, rel=1e-4)
    assert [e.grad_norm for e in of_kind(events, StepMetrics)] == pytest.approx(norms, rel=1e-4)
    second = of_kind(events, EpochEnd)[1]
    # The last of an epoch's four batches has 81 - 3 * 24 = 9 pictures.
    assert second.train_loss == pytest.approx(np.average(losses[4:], weights=[24, 24, 24, 9]))
    assert second.train_accuracy == correct / 81


def test_the_schedule_changes_the_recorded_learning_rate():
    events = collect_events(tiny_request(lr=0.1, schedule="step", step_epochs=1, step_factor=0.5))
    rates = [event.lr for event in of_kind(events, StepMetrics)]
    assert rates == pytest.approx([0.1] * 4 + [0.05] * 4 + [0.025] * 4)


def test_seconds_grow_and_speed_is_pictures_over_seconds():
    events = collect_events(tiny_request())
    seconds = [event.seconds for event in of_kind(events, StepMetrics)]
    assert seconds == sorted(seconds)
    end = _end(events)
    assert end.images_per_second == pytest.approx(3 * 81 / end.train_seconds)
    assert sum(e.seconds for e in of_kind(events, EpochEnd)) == pytest.approx(end.train_seconds)
    assert all(event.images_per_second > 0 for event in of_kind(events, StepMetrics))


def test_the_test_split_is_measured_once_and_its_predictions_are_kept(tmp_path):
    folder = run_folder(tmp_path)
    test = _end(collect_events(tiny_request(epochs=8), folder=folder)).test
    stored = np.load(folder / test.predictions_file)
    assert (test.count, test.class_accuracy) == (30, (1.0, 1.0, 1.0))
    assert test.confusion == ((10, 0, 0), (0, 10, 0), (0, 0, 10))
    assert stored["labels"].tolist() == stored["predicted"].tolist() == [0, 1, 2] * 10
    assert (stored["labels"].dtype, stored["probabilities"].dtype) == (np.uint8, np.float16)
    assert stored["probabilities"].sum(axis=1) == pytest.approx(np.ones(30), abs=2e-3)


def test_the_test_split_is_measured_after_each_epoch_only_if_requested():
    assert {e.test_loss for e in of_kind(collect_events(tiny_request()), EpochEnd)} == {None}
    epochs = of_kind(collect_events(tiny_request(test_each_epoch=True)), EpochEnd)
    assert all(0 <= e.test_accuracy <= 1 and e.test_loss > 0 for e in epochs)


def test_validation_can_be_left_out():
    (epoch,) = of_kind(collect_events(replace(tiny_request(epochs=1), validation=0)), EpochEnd)
    assert (epoch.val_loss, epoch.val_accuracy, epoch.val_confusion) == (None, None, None)


def test_a_dataset_without_a_test_split_ends_without_a_result():
    assert _end(collect_events(tiny_request(epochs=1), tiny_prepared(test_count=0))).test is None


def test_latency_is_measured_for_one_picture_and_for_a_batch():
    latency = _end(collect_events(tiny_request(epochs=1))).latency
    assert latency["batch_size"] == 24
    assert 0 < latency["one"] < 1 and 0 < latency["batch"] < 1


def test_started_has_the_mode_and_the_machine():
    started = collect_events(tiny_request())[0]
    assert (started.chosen["name"], started.chosen["reason"]) == ("t1-nhwc-fp32", "chosen by you")
    assert (started.chosen["threads"], started.machine["threads"]) == (1, 1)
    assert started.machine["device"] == "cpu" and started.machine["versions"]["torch"]
    assert started.forecast["seconds_per_epoch"] > 0
    assert started.forecast["peak_memory_bytes"] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="cannot run here: Linux tells, others do not")
def test_the_peak_memory_of_a_run_is_measured_beside_the_forecast():
    # In a process of its own: here the garbage of earlier tests may be freed during the run.
    ask = """
from tiny import SPEC, tiny_request, collect_events
from dataclasses import replace
events = collect_events(tiny_request(replace(SPEC, hidden_dims=(2000, 2000)), epochs=1))
print(events[-1].peak_memory_bytes, events[0].forecast["peak_memory_bytes"])
"""
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", ask],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    measured, forecast = map(int, done.stdout.split())
    # 2,000 x 2,000 weights, their gradients and two averages of AdamW, in float32.
    assert measured > 4 * 2000 * 2000 * 4
    assert forecast > 4 * 2000 * 2000 * 4


# -- how long a run is -----------------------------------------------------------------------------


def test_max_batches_ends_a_run_in_the_middle_of_an_epoch_with_what_it_measured():
    events = collect_events(tiny_request(max_batches=6))
    assert (events[0].total_steps, _end(events).step, _end(events).state) == (6, 6, "finished")
    assert [(e.epoch, e.step) for e in of_kind(events, EpochEnd)] == [(1, 4), (2, 6)]


@pytest.mark.parametrize("nothing", [{"epochs": 0}, {"max_batches": 0}])
def test_a_run_without_steps_measures_the_untrained_network(nothing):
    events = collect_events(tiny_request(**nothing))
    (epoch,) = of_kind(events, EpochEnd)
    assert (epoch.epoch, epoch.step, _end(events).step) == (0, 0, 0)
    assert epoch.train_loss == pytest.approx(1.1, abs=0.5)  # about log(3)
    assert _end(events).test.count == 30 and not _losses(events)


def test_early_stopping_ends_after_so_many_epochs_without_a_better_validation_loss():
    events = collect_events(tiny_request(epochs=50, lr=0.0, optimizer="sgd", patience=2))
    # Nothing is learned at rate 0, but batch norm's averages converge: count from the best epoch.
    losses = [e.val_loss for e in of_kind(events, EpochEnd)]
    assert len(losses) == losses.index(min(losses)) + 1 + 2 < 50
    assert "Stopped early after epoch" in _end(events).reason


@pytest.mark.parametrize(
    ("count", "size", "ends"),
    [
        (10, 4, [4, 8, 10]),
        (9, 4, [4, 9]),  # the last picture is merged into the batch before
        (8, 4, [4, 8]),
        (3, 10, [3]),
        (1, 4, [1]),
        (5, 1, [1, 2, 3, 4, 5]),
        (0, 4, []),
    ],
)
def test_batches_cover_an_epoch_and_none_has_one_picture(count, size, ends):
    assert batch_ends(count, size) == ends
    assert step_count(count, size, epochs=3) == 3 * len(ends)


@pytest.mark.parametrize(("count", "size"), [(9, 4), (10, 4), (81, 24), (97, 24)])
def test_an_epoch_that_is_continued_has_the_batches_of_a_whole_one(count, size):
    ends = batch_ends(count, size)
    for done, start in enumerate([0, *ends]):
        assert batch_ends(count, size, start) == ends[done:]


def test_batch_norm_is_safe_where_the_last_batch_would_have_one_picture():
    prepared = tiny_prepared(train_count=81 + 9)
    request = tiny_request(DOWN_TO_1X1, batch_size=20, epochs=1)  # 81 = 3 * 20 + 21
    assert len(_losses(collect_events(request, prepared))) == 4


def test_batch_norm_on_single_values_is_refused_before_the_first_step():
    with pytest.raises(RecipeError, match="Batch norm in .* batch size of 2 or more"):
        collect_events(tiny_request(DOWN_TO_1X1, batch_size=1))


def test_a_batch_larger_than_the_data_is_one_step_an_epoch():
    assert len(_losses(collect_events(tiny_request(batch_size=1000)))) == 3


def test_a_dataset_of_one_class_trains():
    spec = replace(SPEC, out_classes=1)
    assert _end(collect_events(tiny_request(spec), tiny_prepared(classes=1))).test.accuracy == 1.0


# -- commands --------------------------------------------------------------------------------------


def test_a_paused_run_has_a_checkpoint_and_can_be_resumed(tmp_path):
    commands = _put_at(5, Command("pause"), Command("resume"))
    events = train_with_control(tiny_request(), commands, folder=run_folder(tmp_path))
    assert [(i.step, i.order) for i in of_kind(events, Intervention)] == [
        (5, "pause"),
        (5, "resume"),
    ]
    assert (5, "checkpoint") in [(w.step, w.what) for w in of_kind(events, WeightsSaved)]
    states = [phase.state for phase in of_kind(events, Phase)]
    assert states.index("paused") < states.index("running", states.index("paused"))
    assert _end(events).state == "finished" and len(_losses(events)) == 12


def test_a_single_step_is_one_batch_and_then_a_pause():
    commands = _put_at(3, Command("step"), Command("step"), Command("stop"))
    events = train_with_control(tiny_request(), commands)
    assert len(_losses(events)) == 5
    assert [p.text for p in of_kind(events, Phase) if p.state == "paused"] == [
        "paused at step 4",
        "paused at step 5",
    ]


@pytest.mark.parametrize(("kind", "state"), [("stop", "stopped"), ("prune", "pruned")])
def test_a_stopped_run_keeps_and_measures_what_it_learned(tmp_path, kind, state):
    folder = run_folder(tmp_path)
    events = train_with_control(tiny_request(), _put_at(6, Command(kind)), folder=folder)
    end = _end(events)
    assert (end.state, end.step, end.test.count) == (state, 6, 30)
    assert {(6, "snapshot"), (6, "checkpoint")} <= {(f.step, f.what) for f in saved_files(folder)}


@pytest.mark.parametrize("step", [6, 8])  # in the middle of epoch 2; after its last batch
def test_a_stopped_run_measures_validation_on_the_weights_that_it_saves_and_tests(tmp_path, step):
    folder = run_folder(tmp_path)
    events = train_with_control(tiny_request(), _put_at(step, Command("stop")), folder=folder)
    end, (epoch,) = _end(events), of_kind(events, EpochEnd)
    net = build_model(plan(SPEC))
    net.load_state_dict(read_weights(folder / f"snapshot-{step:08d}.safetensors"))
    data = DeviceData(
        tiny_prepared(), *run_split(tiny_request(), tiny_prepared()), torch.device("cpu")
    )
    layout = torch.channels_last
    own = evaluate(net, data.validation_batches(64, layout), 3)
    assert (end.validation.loss, end.validation.count) == (pytest.approx(own.loss), own.count)
    assert end.validation.loss != pytest.approx(epoch.val_loss)
    tested = evaluate(net, data.test_batches(64, layout), 3)
    assert end.test.loss == pytest.approx(tested.loss)


def test_a_finished_run_has_its_validation_from_its_last_epoch():
    assert _end(collect_events(tiny_request())).validation is None


def test_a_stopped_run_without_a_validation_split_has_no_validation():
    request = replace(tiny_request(), validation=0)
    end = _end(train_with_control(request, _put_at(6, Command("stop"))))
    assert (end.state, end.validation) == ("stopped", None)


def test_a_stopped_run_whose_validation_loss_is_infinite_diverged(monkeypatch):
    broken = SplitResult(math.inf, 0.5, 9, (), ())
    monkeypatch.setattr("cnnlib.train.finish.measure_validation", lambda _: broken)
    end = _end(train_with_control(tiny_request(), _put_at(6, Command("stop"))))
    assert end.state == "diverged" and "the validation loss became NaN or infinite" in end.reason


def test_a_run_that_is_told_to_be_interrupted_ends_with_a_checkpoint(tmp_path):
    folder = run_folder(tmp_path)
    events = train_with_control(tiny_request(), _put_at(6, Command("interrupt")), folder=folder)
    end = _end(events)
    assert (end.state, end.step, end.test) == ("interrupted", 6, None)
    assert (6, "checkpoint") in {(f.step, f.what) for f in saved_files(folder)}


def test_settings_change_within_one_batch_and_are_recorded():
    commands = _put_at(4, Command("set", "lr", 0.5), Command("set", "momentum", 0.1))
    events = train_with_control(tiny_request(optimizer="momentum", lr=0.1), commands)
    rates = [event.lr for event in of_kind(events, StepMetrics)]
    assert rates == [0.1] * 4 + [0.5] * 8
    assert [(i.step, i.setting, i.value) for i in of_kind(events, Intervention)] == [
        (4, "lr", 0.5),
        (4, "momentum", 0.1),
    ]


def test_a_schedule_scales_a_changed_learning_rate():
    request = tiny_request(lr=0.1, schedule="step", step_epochs=1, step_factor=0.5)
    rates = [
        event.lr
        for event in of_kind(
            train_with_control(request, _put_at(4, Command("set", "lr", 0.8))), StepMetrics
        )
    ]
    # Epoch 2 multiplies by 0.5, epoch 3 by 0.25.
    assert rates == pytest.approx([0.1] * 4 + [0.4] * 4 + [0.2] * 4)


def test_the_newest_weights_are_saved_for_inspection(tmp_path):
    folder = run_folder(tmp_path)
    events = train_with_control(tiny_request(), _put_at(5, Command("look")), folder=folder)
    latest = [w for w in of_kind(events, WeightsSaved) if w.what == "latest"]
    assert [w.step for w in latest] == [5]  # and not again within a second
    assert read_weights(folder / latest[0].file).keys() == build_model(SPEC).state_dict().keys()


def test_commands_without_effect_are_ignored():
    events = train_with_control(tiny_request(), _put_at(2, Command("resume"), Command("look")))
    assert not of_kind(events, Intervention) and len(_losses(events)) == 12


def test_an_interrupted_run_writes_a_checkpoint_and_is_not_measured(tmp_path):
    folder = run_folder(tmp_path)
    events = train_with_control(
        tiny_request(), lambda control, step: step == 2 and control.interrupt(), folder=folder
    )
    end = _end(events)
    assert (end.state, end.step, end.test) == ("interrupted", 2, None)
    assert (2, "checkpoint") in {(f.step, f.what) for f in saved_files(folder)}
    assert len(_losses(events)) == 2


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_run_interrupted_while_a_split_is_measured_measures_it_again(tmp_path, split):
    request, folder, control = tiny_request(), run_folder(tmp_path), Control()
    events = []
    for event in train(request, tiny_prepared(), folder=folder, control=control):
        events.append(event)
        if isinstance(event, Phase) and split in event.text:
            control.interrupt()
    assert (_end(events).state, _end(events).test) == ("interrupted", None)
    rest = collect_events(request, folder=folder, resume=newest_checkpoint(folder))
    whole = collect_events(request)
    losses = {e.epoch: e.val_loss for e in of_kind([*events, *rest], EpochEnd)}
    assert losses == {e.epoch: e.val_loss for e in of_kind(whole, EpochEnd)}
    assert _end(rest).test.loss == _end(whole).test.loss


def test_a_run_that_is_interrupted_while_paused_ends(tmp_path):
    def pause(control, step):
        if step == 2:
            control.put(Command("pause"))
            control.interrupt()

    assert _end(train_with_control(tiny_request(), pause)).state == "interrupted"


# -- runs that cannot go on ------------------------------------------------------------------------


def test_a_learning_rate_that_explodes_ends_as_diverged_and_keeps_finite_weights(tmp_path):
    folder = run_folder(tmp_path)
    spec = replace(SPEC, norm="none")
    events = collect_events(tiny_request(spec, optimizer="sgd", lr=1e6, epochs=20), folder=folder)
    end = _end(events)
    assert end.state == "diverged" and end.test is None
    assert (
        f"Diverged at step {end.step + 1}" in end.reason and "Lower the learning rate" in end.reason
    )
    assert "1e+06" not in end.reason  # the diagnosis alone names a rate
    assert all(np.isfinite(_losses(events)))
    assert len(_losses(events)) == end.step
    for file in saved_files(folder):
        assert all(torch.isfinite(t).all() for t in read_weights(folder / file.file).values())


def test_a_full_disk_ends_a_run_with_a_message(tmp_path, monkeypatch):
    def raise_full(path, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", raise_full)
    end = _end(collect_events(tiny_request(), folder=run_folder(tmp_path)))
    assert (end.state, end.step) == ("failed", 0)
    assert "is full" in end.reason and "Free some space" in end.reason


def test_running_out_of_memory_proposes_a_batch_size(monkeypatch):
    def raise_out_of_memory(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 999 bytes")

    monkeypatch.setattr("cnnlib.train.loop.total_norm", raise_out_of_memory)
    end = _end(collect_events(tiny_request()))
    assert (end.state, end.step) == ("failed", 0)
    assert "Memory ran out" in end.reason and "batch size of 12 or less" in end.reason


def test_running_out_of_memory_before_the_first_step_has_a_message_too(monkeypatch):
    def raise_out_of_memory(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("cnnlib.train.setup.build_model", raise_out_of_memory)
    with pytest.raises(TrainError, match="batch size of 12 or less"):
        collect_events(tiny_request())


def test_early_stopping_without_a_validation_split_is_refused():
    with pytest.raises(RecipeError, match="Early stopping .* validation split is empty"):
        collect_events(replace(tiny_request(patience=2), validation=0))


def test_a_validation_split_that_leaves_nothing_to_train_on_is_refused():
    with pytest.raises(RecipeError, match="87 of .* can be used|none is left to train on"):
        collect_events(replace(tiny_request(), validation=90))


def test_any_other_error_is_a_bug_and_is_raised(monkeypatch):
    def raise_other_error(*_):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr("cnnlib.train.loop.total_norm", raise_other_error)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        collect_events(tiny_request())


def test_a_design_for_other_pictures_is_refused():
    with pytest.raises(RecipeError, match="1x28x28 pictures and 10 classes.*1x8x8.*3 classes"):
        collect_events(tiny_request(CNNSpec(channels=(4,))))


def test_a_device_that_is_not_there_is_refused():
    missing = "cuda" if not torch.cuda.is_available() else "mps"
    with pytest.raises(RecipeError, match=f"device='{missing}'.*Choose one of: cpu"):
        collect_events(replace(tiny_request(), device=missing))


def test_closing_the_generator_in_the_middle_is_safe(tmp_path):
    events = train(tiny_request(), tiny_prepared(), folder=run_folder(tmp_path))
    for _ in range(8):
        next(events)
    events.close()


# -- starting from another run ---------------------------------------------------------------------


def test_a_fork_with_another_optimizer_starts_it_afresh(tmp_path):
    collect_events(tiny_request(), folder=run_folder(tmp_path, "whole"))
    fork = replace(tiny_request(optimizer="sgd", epochs=4), origin=Origin("whole", 8))
    events = collect_events(fork, folder=run_folder(tmp_path))
    assert [event.step for event in of_kind(events, StepMetrics)] == list(range(9, 17))
    assert of_kind(events, EpochEnd)[0].epoch == 3


@pytest.mark.parametrize("lr", [0.02, 0.005])  # the parent's own rate, and another one
def test_a_fork_trains_with_exactly_its_recipe(lr, tmp_path):
    commands = _put_at(2, Command("set", "lr", 0.7), Command("set", "weight_decay", 0.3))
    train_with_control(tiny_request(), commands, folder=run_folder(tmp_path, "whole"))
    fork = replace(tiny_request(lr=lr, epochs=4), origin=Origin("whole", 12))
    folder = run_folder(tmp_path)
    events = collect_events(fork, folder=folder)
    assert {event.lr for event in of_kind(events, StepMetrics)} == {lr}
    checkpoint = read_checkpoint(newest_checkpoint(folder))
    assert checkpoint.progress.settings == {}


def test_a_resumed_run_has_the_settings_recorded_before_a_crash(tmp_path):
    """A crash may come after a change was recorded and before its checkpoint was written."""
    folder = run_folder(tmp_path)
    train_with_control(
        tiny_request(), lambda control, step: step == 6 and control.interrupt(), folder=folder
    )
    events = collect_events(
        tiny_request(), folder=folder, resume=newest_checkpoint(folder), settings={"lr": 0.7}
    )
    assert {event.lr for event in of_kind(events, StepMetrics)} == {0.7}


def test_a_fork_to_plain_sgd_ignores_a_changed_momentum(tmp_path):
    commands = _put_at(2, Command("set", "momentum", 0.5))
    train_with_control(
        tiny_request(optimizer="momentum"), commands, folder=run_folder(tmp_path, "whole")
    )
    fork = replace(tiny_request(optimizer="sgd"), origin=Origin("whole", 4))
    assert _end(collect_events(fork, folder=run_folder(tmp_path))).state == "finished"


def test_a_fork_with_another_batch_size_goes_on_at_the_same_picture(tmp_path):
    whole = run_folder(tmp_path, "whole")
    train_with_control(
        tiny_request(), _put_at(2, Command("pause"), Command("resume")), folder=whole
    )
    fork = replace(tiny_request(batch_size=11), origin=Origin("whole", 2))
    events = collect_events(fork, folder=run_folder(tmp_path))
    # 48 of 81 pictures were seen: the other 33 are 3 steps of 11, then 8 steps (7 * 11 + 4) twice.
    assert events[0].total_steps == 2 + 3 + 2 * 8 == _end(events).step


def test_a_fork_that_trains_on_less_than_was_seen_is_refused(tmp_path):
    whole = run_folder(tmp_path, "whole")
    train_with_control(
        tiny_request(), _put_at(2, Command("pause"), Command("resume")), folder=whole
    )
    fork = replace(tiny_request(), origin=Origin("whole", 2), train_limit=40)  # of 81; 48 were seen
    with pytest.raises(
        TrainError, match="after 48 pictures of an epoch, but an epoch now has only 40"
    ):
        collect_events(fork, folder=run_folder(tmp_path))


def test_a_checkpoint_without_optimizer_state_is_refused(tmp_path):
    folder = run_folder(tmp_path)
    collect_events(tiny_request(), folder=folder)
    path = folder / "checkpoint-00000004.safetensors"
    with safe_open(path, "pt") as file:
        names = [name for name in file.keys() if name.startswith("net/")]
        weights, header = {name: file.get_tensor(name) for name in names}, file.metadata()
    save_file(weights, path, header)
    with pytest.raises(TrainError, match="does not contain the state of its optimizer.*alone"):
        collect_events(tiny_request(), folder=folder, resume=path)


def test_a_fork_after_the_last_epoch_asks_for_more_epochs(tmp_path):
    collect_events(tiny_request(), folder=run_folder(tmp_path, "whole"))
    fork = replace(tiny_request(), origin=Origin("whole", 12))
    with pytest.raises(RecipeError, match="after epoch 3.*Choose more epochs"):
        collect_events(fork, folder=run_folder(tmp_path))


def test_a_fork_from_an_unsaved_step_lists_the_saved_ones(tmp_path):
    collect_events(tiny_request(), folder=run_folder(tmp_path, "whole"))
    fork = replace(tiny_request(), origin=Origin("whole", 5))
    with pytest.raises(
        TrainError, match="no checkpoint at step 5.*Choose one of these steps: 0, 4, 8, 12"
    ):
        collect_events(fork, folder=run_folder(tmp_path))


def test_a_fork_of_another_design_is_refused(tmp_path):
    collect_events(tiny_request(), folder=run_folder(tmp_path, "whole"))
    other = replace(tiny_request(replace(SPEC, channels=(4, 7))), origin=Origin("whole", 8))
    with pytest.raises(TrainError, match="belong to another design"):
        collect_events(other, folder=run_folder(tmp_path))


def test_a_fork_on_other_pictures_is_refused(tmp_path):
    collect_events(tiny_request(), folder=run_folder(tmp_path, "whole"))
    fork = replace(tiny_request(), origin=Origin("whole", 8))
    with pytest.raises(TrainError, match="other pictures.*weights alone"):
        collect_events(fork, tiny_prepared(train_count=60), folder=run_folder(tmp_path))


def test_a_warm_start_takes_weights_alone_and_begins_at_step_1(tmp_path):
    whole, folder = run_folder(tmp_path, "whole"), run_folder(tmp_path)
    collect_events(tiny_request(epochs=8), folder=whole)
    warm = replace(tiny_request(epochs=1, lr=0.0), origin=Origin("whole", 32, weights_only=True))
    events = collect_events(warm, folder=folder)
    assert of_kind(events, StepMetrics)[0].step == 1
    assert _end(events).test.accuracy == 1.0
    one, other = (read_weights(f / saved_files(f)[-1].file) for f in (whole, folder))
    assert torch.equal(one["features.conv1.weight"], other["features.conv1.weight"])


def test_a_warm_start_for_other_classes_keeps_and_reports_a_fresh_last_layer(tmp_path):
    collect_events(tiny_request(), folder=run_folder(tmp_path, "whole"))
    spec = replace(SPEC, out_classes=4)
    warm = replace(tiny_request(spec, epochs=1), origin=Origin("whole", 12, weights_only=True))
    events = collect_events(warm, tiny_prepared(classes=4), folder=run_folder(tmp_path))
    assert "except for classifier" in of_kind(events, Phase)[0].text
    assert _end(events).state == "finished"


def test_resuming_with_a_recipe_of_more_epochs_is_left_to_forks(tmp_path):
    folder = run_folder(tmp_path)
    collect_events(tiny_request(), folder=folder)
    events = collect_events(
        with_recipe(tiny_request(), epochs=4),
        folder=folder,
        resume=folder / saved_files(folder)[-2].file,
    )
    assert len(_losses(events)) == 4
