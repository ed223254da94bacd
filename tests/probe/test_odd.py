"""The odd pictures of a dataset: arithmetic worked by hand, and the job on a small dataset."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from sample_data import class_folders, encoded, prepared_now, write_folder

from cnnlib.errors import ProbeError
from cnnlib.probe.odd import (
    best_run,
    find_odd_pictures,
    likely_wrong_labels,
    neighbour_distances,
)
from cnnlib.records.folders import Folders
from cnnlib.records.job import Progress, run_job
from cnnlib.records.recipe import Recipe
from cnnlib.runs import RunStore
from cnnlib.train.api import fit


def test_a_label_is_likely_wrong_where_another_class_is_confident():
    labels = np.array([0, 0, 0, 1, 1, 1])
    of_class_1 = np.array([0.1, 0.2, 0.9, 0.8, 0.7, 0.3])
    # Means of their own class: (0.9 + 0.8 + 0.1) / 3 = 0.6 and (0.8 + 0.7 + 0.3) / 3 = 0.6.
    # Picture 2 is confidently of class 1 (0.9), picture 5 of class 0 (0.7).
    found = likely_wrong_labels(np.stack([1 - of_class_1, of_class_1], axis=1), labels)
    assert found == [(2, 1), (5, 0)]  # margins 0.1 - 0.9 = -0.8 and 0.3 - 0.7 = -0.4


def test_a_probability_below_the_mean_of_its_class_is_no_evidence():
    labels = np.array([0, 1, 1])
    of_class_1 = np.array([0.6, 0.9, 0.9])  # 0.6 is below 0.9, the mean of class 1
    assert likely_wrong_labels(np.stack([1 - of_class_1, of_class_1], axis=1), labels) == []


def test_a_class_without_pictures_is_never_suggested():
    probabilities = np.array([[0.1, 0.2, 0.7], [0.2, 0.1, 0.7]])
    assert likely_wrong_labels(probabilities, np.array([0, 0])) == []


def test_the_distance_is_that_to_the_kth_nearest_other_row():
    angles = np.radians([0, 10, 20, 90])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    chord = 2 * np.sin(np.radians([20, 10, 20, 80]) / 2)  # of the second nearest by angle
    assert neighbour_distances(rows, 2) == pytest.approx(chord)


@pytest.mark.parametrize(("count", "expected"), [(0, []), (1, [0.0])])
def test_few_rows_have_a_distance_too(count, expected):
    assert neighbour_distances(np.ones((count, 1)), 5).tolist() == expected


def test_without_a_run_only_duplicates_are_found():
    files = class_folders({"a": 4, "b": 4}) | {"a/same.png": encoded(77), "b/same.png": encoded(77)}
    folders = Folders.from_environment()
    write_folder(folders.data / "own", files)
    prepared_now("folder:own")
    found = run_job(find_odd_pictures({"dataset": "folder:own", "run": ""}, folders))
    assert found["counts"] == {"label": 0, "duplicate": 1, "outlier": 0}
    [picture] = found["pictures"]
    assert picture["kind"] == "duplicate" and "the same picture is" in picture["sentence"]


def test_the_job_lists_wrong_labels_then_duplicates_then_outliers():
    info = prepared_now("digits").info
    loaded = fit("lenet5", "digits", Recipe(epochs=4), device="cpu")
    args = {"dataset": "digits", "run": loaded.run.id}
    *progress, found = iter_progress(find_odd_pictures(args, Folders.from_environment()))
    fractions = [each.fraction for each in progress]
    assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(1)
    kinds = [each["kind"] for each in found["pictures"]]
    assert kinds == sorted(kinds, key=["label", "duplicate", "outlier"].index)
    assert kinds.count("outlier") == 2 * 10 * 6  # splits, classes, the farthest of each
    assert found["counts"]["label"] < 200  # of 1,797: most labels are right
    with closing(RunStore()) as store:
        assert best_run(store, info).id == loaded.run.id
        assert best_run(store, replace(info, fingerprint="changed")) is None


def iter_progress(job):
    """Yield the progress of a job, then its result."""
    result = yield from job
    yield result


def test_a_run_on_another_dataset_is_refused():
    prepared_now("digits")
    write_folder(Folders.from_environment().data / "own", class_folders({"a": 4, "b": 4}))
    prepared_now("folder:own")
    loaded = fit("mlp", "digits", Recipe(epochs=1, max_batches=1), device="cpu")
    args = {"dataset": "folder:own", "run": loaded.run.id}
    with pytest.raises(ProbeError, match="was trained on Digits.*Choose a run on folder:own"):
        run_job(find_odd_pictures(args, Folders.from_environment()))


def test_progress_is_reported_before_the_end():
    prepared_now("digits")
    folders = Folders.from_environment()
    first = next(find_odd_pictures({"dataset": "digits", "run": ""}, folders))
    assert first == Progress(0.0, "comparing pixels")
