"""Error statistics of stored predictions, checked by hand, and the Errors panel."""

import io
import zipfile

import numpy as np
import pytest
from apps import components
from inspecting import a_saved_run, open_inspect, page_text
from sample_data import prepared_now

from cnnlib.errors import ProbeError
from cnnlib.figures.inspect import calibration_figure, class_accuracy_figure
from cnnlib.probe.errors import (
    calibration,
    class_accuracy,
    confusion,
    most_confused,
    pictures_of,
    read_predictions,
)
from cnnlib.records.events import RunEnd, SplitResult
from cnnlib.records.probe import Calibration, Predicted
from cnnlib.runs import RunStore

pytestmark = pytest.mark.usefixtures("page_viewer")

# Five pictures of three classes; class 2 has none.
FOUND = Predicted(
    labels=np.array([0, 0, 0, 1, 1]),
    predicted=np.array([0, 1, 1, 1, 0]),
    probabilities=np.array(
        [[0.9, 0.1, 0], [0.4, 0.6, 0], [0.05, 0.95, 0], [0.2, 0.8, 0], [0.7, 0.3, 0]], np.float32
    ),
)


def test_the_table_counts_true_classes_in_rows():
    assert confusion(FOUND, 3).tolist() == [[1, 2, 0], [1, 1, 0], [0, 0, 0]]


def test_accuracy_is_nan_for_classes_without_pictures():
    # 1 of 3, 1 of 2, 0 of 0.
    np.testing.assert_allclose(class_accuracy(confusion(FOUND, 3)), [1 / 3, 1 / 2, np.nan])


def test_the_most_confident_picture_of_a_cell_comes_first():
    assert pictures_of(FOUND, 0, 1).tolist() == [2, 1]  # 95 % before 60 %


def test_the_largest_confusion_is_found():
    assert most_confused(confusion(FOUND, 3)) == (0, 1)


def test_calibration_by_hand():
    record = calibration(FOUND, bins=2)
    # All five are in the upper bin: mean confidence (0.9 + 0.6 + 0.95 + 0.8 + 0.7) / 5 = 0.79,
    # accuracy 2 / 5.
    assert record.counts.tolist() == [0, 5]
    assert record.confidence[1] == pytest.approx(0.79)
    assert record.accuracy[1] == pytest.approx(0.4)
    assert record.error == pytest.approx(0.39)


def test_a_confidence_of_one_falls_into_the_last_bin():
    sure = Predicted(np.array([0]), np.array([0]), np.array([[1.0, 0.0]], np.float32))
    assert calibration(sure).counts.tolist() == [0] * 9 + [1]


def test_stored_predictions_are_read_back(tmp_path):
    path = write_predictions(tmp_path / "p.npz", FOUND)
    again = read_predictions(path)
    np.testing.assert_array_equal(again.labels, FOUND.labels)
    np.testing.assert_allclose(again.confidence, FOUND.confidence, atol=1e-3)


@pytest.mark.parametrize("content", [None, b"", b"no npz"])
def test_unreadable_predictions_are_a_probe_error(tmp_path, content):
    path = tmp_path / "p.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ProbeError, match="p.npz cannot be read.*until it finishes"):
        read_predictions(path)


def test_predictions_with_a_changed_byte_are_read_or_a_probe_error(tmp_path):
    whole = write_predictions(tmp_path / "whole.npz", FOUND).read_bytes()
    path = tmp_path / "p.npz"
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_predictions(path)
        except ProbeError as error:
            assert "p.npz cannot be read" in str(error)


def test_inconsistent_predictions_are_a_probe_error(tmp_path):
    short = Predicted(FOUND.labels[:3], FOUND.predicted, FOUND.probabilities)
    beyond = Predicted(FOUND.labels + 2, FOUND.predicted, FOUND.probabilities)  # class 3 of 3
    flat = Predicted(FOUND.labels, FOUND.predicted, FOUND.labels.astype(np.float32))
    for found in (short, beyond, flat):
        path = write_predictions(tmp_path / "p.npz", found)
        with pytest.raises(ProbeError, match="do not match"):
            read_predictions(path)
    with pytest.raises(ProbeError, match="trained with 3 classes, but its dataset has 4"):
        confusion(FOUND, 4)


def test_predictions_that_would_fill_the_memory_are_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("cnnlib.runs.predictions._MOST_BYTES", 1_000)
    path = tmp_path / "p.npz"
    np.savez_compressed(path, labels=np.zeros(9_000, np.uint8))  # in some hundred bytes
    with pytest.raises(ProbeError, match="unpacks to 9,1"):
        read_predictions(path)


def test_predictions_with_a_wrong_length_in_the_header_are_a_probe_error(tmp_path):
    header = io.BytesIO()
    fields = {"descr": "|u1", "fortran_order": False, "shape": (10**16,)}
    np.lib.format.write_array_header_1_0(header, fields)
    path = tmp_path / "p.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("labels.npy", header.getvalue() + b"0123456789")
    with pytest.raises(ProbeError, match="p.npz cannot be read"):
        read_predictions(path)


def test_empty_figures_have_a_note():
    nothing = Calibration(np.zeros(2), np.zeros(2), np.zeros(2, int), 0.0)
    assert "No test picture" in calibration_figure(nothing).layout.annotations[0].text
    empty = class_accuracy_figure(np.array([np.nan]), ["a"])
    assert "No test picture" in empty.layout.annotations[0].text


def test_figures_show_what_was_measured():
    bars = class_accuracy_figure(class_accuracy(confusion(FOUND, 3)), ["a", "b", "c"])
    assert bars.data[0].x == ("a", "b")
    assert bars.data[0].y == pytest.approx((100 / 3, 50))
    curve = calibration_figure(calibration(FOUND, bins=2))
    assert curve.data[1].y == pytest.approx((40,))


# -- the panel -------------------------------------------------------------------------------------


@pytest.fixture
def store():
    with_folders = RunStore()
    yield with_folders
    with_folders.close()


def write_predictions(path, found: Predicted):
    np.savez_compressed(
        path,
        labels=found.labels.astype(np.uint8),
        predicted=found.predicted.astype(np.uint8),
        probabilities=found.probabilities.astype(np.float16),
    )
    return path


def with_predictions(store, run_id: str, predicted: np.ndarray, labels: np.ndarray) -> None:
    """Write predictions for the test split of a run."""
    share = np.full((len(labels), 10), 0.02, np.float32)
    share[np.arange(len(labels)), predicted] = 0.82
    write_predictions(store.folders.run(run_id) / "p.npz", Predicted(labels, predicted, share))


def a_measured_run(store, predicted_for_first: int) -> str:
    """Make a run with correct predictions, except possibly for the first test picture."""
    labels = np.array(prepared_now("digits").test_labels)
    result = SplitResult(0.1, 0.9, len(labels), (), (), "p.npz")
    run_id = a_saved_run(store, end=RunEnd("finished", step=5, test=result))
    predicted = labels.copy()
    predicted[0] = predicted_for_first
    with_predictions(store, run_id, predicted, labels)
    return run_id


def test_the_errors_panel_shows_the_picture_and_the_runs_that_are_right(store):
    truth = int(prepared_now("digits").test_labels[0])
    wrong = (truth + 1) % 10
    a_measured_run(store, truth)
    bad = a_measured_run(store, wrong)
    app = open_inspect(run=bad, view="Errors", picture="0")
    assert app.selectbox(key="inspect_true").value == str(truth)
    assert app.selectbox(key="inspect_predicted").value == str(wrong)
    assert f"Pictures of {truth}, predicted as {wrong} (1)" in "".join(s.value for s in app.header)
    [other] = [each for each in app.expander if each.label.startswith("Other runs on picture 0")]
    assert other.label == "Other runs on picture 0: 1 of 1 right"
    assert f"own design on Digits (scikit-learn), seed 0: {truth} ✓" in other.markdown[0].value
    [grid] = [part for part in components(app) if part["script"].endswith("grid.js")]
    assert grid["names"] == ["Picture 0, 81.98 % confidence"]


def test_a_run_without_predictions_has_a_message(store):
    a_saved_run(store, end=RunEnd("stopped", step=5))
    assert "has no predictions for the test split" in page_text(open_inspect(view="Errors"))
