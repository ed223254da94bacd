"""Out-of-distribution detection: distances, threshold, error rates, file and job."""

import numpy as np
import pytest
from tiny import tiny_prepared

from cnnlib.design.spec import CNNSpec
from cnnlib.errors import ProbeError
from cnnlib.nets.model import build_model
from cnnlib.probe.ood.detector_file import read_ood_detector, write_ood_detector
from cnnlib.probe.ood.distance import (
    distance,
    distances,
    features,
    measure_ood_detector,
    noise,
    scribbles,
)
from cnnlib.records.probe import OodDetector
from cnnlib.records.recipe import Recipe
from cnnlib.runs import RunStore
from cnnlib.train.api import fit
from cnnlib.train.worker.job_kinds import KINDS

NET = build_model(CNNSpec(in_size=(1, 8, 8), out_classes=3, channels=(4, 6)), seed=0)


def exhaust(work):
    """Run a generator to its end and return its value."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def measure_detector(seed: int = 0) -> OodDetector:
    prepared = tiny_prepared(train_count=240, test_count=60)
    return exhaust(
        measure_ood_detector(NET, prepared, {"black": np.zeros((4, 1, 8, 8), np.uint8)}, seed, 20)
    )


def test_features_have_length_one():
    found = features(NET, tiny_prepared().info, tiny_prepared().test_images)
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(30), abs=1e-6)


def test_the_distance_is_that_to_the_nearest():
    known = np.array([[1, 0], [0, 1]], np.float32)
    found = np.array([[0, 1], [-1, 0], [0.6, 0.8]], np.float32)
    # To (0, 1) itself 0; from (-1, 0) to (0, 1) the root of 2; from (0.6, 0.8) to (0, 1): the root
    # of 0.6^2 + 0.2^2 = 0.4.
    assert distances(known, found) == pytest.approx([0, 2**0.5, 0.4**0.5], abs=1e-6)


def test_a_training_picture_of_the_detector_has_distance_zero():
    prepared, found = tiny_prepared(train_count=240), measure_detector()
    scores = [distance(found, NET, prepared.info, each) for each in prepared.train_images[:30]]
    assert sum(each < 1e-3 for each in scores) > 10  # two thirds of them are in the detector


def test_about_one_real_picture_in_twenty_is_a_false_alarm():
    found = measure_detector()
    assert found.quantiles[950] == pytest.approx(found.threshold)
    assert found.farther_than(found.threshold) == pytest.approx(0.95, abs=0.01)
    assert found.is_ood(found.threshold + 0.01) and not found.is_ood(0)


def test_every_kind_of_ood_picture_is_measured():
    found = measure_detector()
    assert set(found.error_rates) == {"random strokes", "noise", "black"}
    assert found.error_rates["black"].count == 4
    assert all(0 <= rate.missed <= 1 for rate in found.error_rates.values())
    assert found.real_count == 60


def test_the_same_seed_measures_the_same():
    one, two, other = measure_detector(), measure_detector(), measure_detector(seed=1)
    assert np.array_equal(one.known, two.known) and one.error_rates == two.error_rates
    assert not np.array_equal(one.known, other.known)


def test_a_detector_is_read_back(tmp_path):
    found = measure_detector()
    write_ood_detector(tmp_path / "familiarity-7.npz", found)
    again = read_ood_detector(tmp_path / "familiarity-7.npz")
    assert np.array_equal(again.known, found.known)
    assert (again.threshold, again.error_rates) == (found.threshold, found.error_rates)
    assert [file.name for file in tmp_path.iterdir()] == ["familiarity-7.npz"]


def test_a_missing_or_damaged_file_gives_none(tmp_path):
    assert read_ood_detector(tmp_path / "none.npz") is None
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 and no more")
    assert read_ood_detector(tmp_path / "bad.npz") is None


def test_too_few_pictures_are_refused():
    with pytest.raises(ProbeError, match="has 12 training pictures"):
        exhaust(measure_ood_detector(NET, tiny_prepared(train_count=12), {}))


def test_the_job_stores_the_detector_with_the_run():
    trained = fit("mlp", "digits", Recipe(epochs=1), device="cpu")
    store = RunStore()
    result = exhaust(KINDS["unfamiliar"]({"run": trained.run.id}, store.folders))
    [file] = store.folders.run(trained.run.id).glob("familiarity-*.npz")
    found = read_ood_detector(file)
    assert result["false_alarms"] == found.false_alarms
    assert result["missed"]["noise"] == found.error_rates["noise"].missed
    assert found.false_alarms < 0.2
    store.close()


def test_ood_pictures_are_the_same_for_a_seed_and_have_the_input_size():
    assert noise(2, (3, 8, 8)).shape == (2, 3, 8, 8)
    one, two = scribbles(3, (1, 28, 28), 4), scribbles(3, (1, 28, 28), 4)
    assert np.array_equal(one, two) and one.shape == (3, 1, 28, 28)
    assert (one.reshape(3, -1).max(axis=1) > 100).all()
