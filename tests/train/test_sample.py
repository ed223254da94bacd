"""The accuracy on a sample of the validation split, measured during the epochs."""

from dataclasses import replace

import numpy as np
import torch
from tiny import SPEC, collect_events, of_kind, run_folder, tiny_prepared, tiny_request

from cnnlib.data.batches import DeviceData
from cnnlib.design.plan import plan
from cnnlib.nets.model import build_model
from cnnlib.records.events import EpochEnd, SampleScore, StepMetrics
from cnnlib.train.checkpoint import read_weights
from cnnlib.train.saver import saved_files
from cnnlib.train.session import SAMPLE_SIZE, ValidationSample


def _sample(validation_count: int) -> tuple[ValidationSample, DeviceData]:
    prepared = tiny_prepared(train_count=validation_count + 30)
    indices = np.arange(validation_count)
    data = DeviceData(prepared, np.arange(validation_count, validation_count + 30), indices, "cpu")
    return ValidationSample(data, torch.contiguous_format, batch_size=200), data


def test_the_sample_is_stratified_and_the_same_each_time():
    (one, data), (other, _) = _sample(1500), _sample(1500)
    positions = torch.cat(one._positions)
    assert torch.equal(positions, torch.cat(other._positions))
    counts = torch.bincount(data.validation_labels[positions])
    assert sum(counts) == SAMPLE_SIZE and max(counts) - min(counts) <= 1  # 500 of three classes


def test_a_small_validation_split_is_measured_whole():
    sample, data = _sample(60)
    score = sample.measure(build_model(plan(SPEC)), 7, 0.0)
    assert (score.step, score.count) == (7, data.validation_count)


def test_the_measurements_take_three_per_cent_of_the_time():
    sample, _ = _sample(60)
    assert sample.is_due(0.0)
    sample.measure(build_model(plan(SPEC)), 1, 2.0)
    took = sample.take_seconds()
    assert not sample.is_due(2.0 + 0.99 * took / 0.03)
    assert sample.is_due(2.0 + 1.01 * took / 0.03)
    assert sample.take_seconds() == 0.0


def test_the_first_measurement_comes_after_the_first_step_and_equals_the_network(tmp_path):
    folder = run_folder(tmp_path)
    events = collect_events(tiny_request(), folder=folder)
    first = of_kind(events, SampleScore)[0]
    assert first.step == 1
    net = build_model(plan(SPEC)).eval()
    snapshot = next(saved for saved in saved_files(folder) if saved.step == 1)
    net.load_state_dict(read_weights(folder / snapshot.file))
    request, prepared = tiny_request(), tiny_prepared()
    from cnnlib.data.split import train_validation_split

    split = train_validation_split(prepared.train_labels, 0.1, 0)
    data = DeviceData(prepared, *split, "cpu")
    images, labels = data.validation_batch(torch.arange(data.validation_count))
    assert first.count == data.validation_count and request.validation == 0.1
    assert first.correct == int((net(images).argmax(dim=1) == labels).sum())


def test_a_run_has_the_same_bits_with_and_without_measurements(tmp_path, monkeypatch):
    request = tiny_request(replace(SPEC, dropout=0.3))

    def train_once(name: str) -> tuple[list, dict, int]:
        folder = run_folder(tmp_path, name)
        events = collect_events(request, folder=folder)
        losses = [(e.loss, e.grad_norm) for e in of_kind(events, StepMetrics)]
        losses += [(e.val_loss, e.train_loss) for e in of_kind(events, EpochEnd)]
        last = max(saved for saved in saved_files(folder) if saved.what == "snapshot")
        return losses, read_weights(folder / last.file), len(of_kind(events, SampleScore))

    monkeypatch.setattr(ValidationSample, "is_due", lambda self, seconds: True)
    always = train_once("always")
    monkeypatch.setattr(ValidationSample, "is_due", lambda self, seconds: False)
    never = train_once("never")
    assert (always[2], never[2]) == (12, 0)
    assert always[0] == never[0]
    assert all(torch.equal(value, never[1][name]) for name, value in always[1].items())


def test_without_a_validation_split_nothing_is_measured():
    events = collect_events(replace(tiny_request(), validation=0))
    assert not of_kind(events, SampleScore)


def test_the_time_of_the_measurements_counts_as_evaluation(monkeypatch):
    monkeypatch.setattr(ValidationSample, "take_seconds", lambda self: 1000.0)
    events = collect_events(tiny_request(epochs=1))
    assert of_kind(events, EpochEnd)[0].eval_seconds > 1000
