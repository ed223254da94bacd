"""Collections of drawings, fine-tuning datasets, and the measurement of a fine-tuned run."""

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from sample_data import prepared_now

from cnnlib.data.catalogue import dataset_info
from cnnlib.data.drawings import (
    class_folders,
    collection_name,
    drawings_zip,
    save_drawing,
    saved_drawings,
)
from cnnlib.data.labelled_drawings import labelled_drawings, make_fine_tune_dataset
from cnnlib.data.uploads import remove_dataset
from cnnlib.errors import DataError
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import Origin, RunRequest
from cnnlib.runs import RunStore
from cnnlib.train.api import fit
from cnnlib.train.control import Control
from cnnlib.train.worker.execute_run import execute_run
from cnnlib.train.worker.job_kinds import KINDS


@pytest.fixture
def folders() -> Folders:
    return Folders.from_environment()


@pytest.fixture
def digits():
    return prepared_now("digits")


def a_drawing(number: int = 0) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (1, 28, 28), dtype=np.uint8)


def test_a_drawing_is_kept_as_it_is_with_its_class(digits, folders):
    save_drawing(a_drawing(1), 7, digits.info, folders)
    save_drawing(a_drawing(2), 3, digits.info, folders)
    kept = saved_drawings(digits.info, folders)
    assert kept.labels.tolist() == [3, 7]
    assert np.array_equal(kept.pictures, np.stack([a_drawing(2), a_drawing(1)]))


def test_the_collection_is_a_dataset_and_can_be_removed(digits, folders):
    save_drawing(a_drawing(), 7, digits.info, folders)
    name = collection_name("digits")
    info = dataset_info(name)
    assert (info.classes, info.in_size) == (("7",), (1, 28, 28))
    remove_dataset(name)
    assert len(saved_drawings(digits.info, folders)) == 0


def test_the_collection_can_be_downloaded_as_a_zip_of_class_folders(digits, folders):
    for number in range(2):
        save_drawing(a_drawing(number), 4, digits.info, folders)
    with zipfile.ZipFile(io.BytesIO(drawings_zip(digits.info, folders))) as archive:
        assert archive.namelist() == ["4/drawing-0001.png", "4/drawing-0002.png"]


def test_a_truncated_drawing_is_skipped(digits, folders):
    _whole, half = (save_drawing(a_drawing(n), 7, digits.info, folders) for n in range(2))
    half.write_bytes(half.read_bytes()[:60])
    assert np.array_equal(saved_drawings(digits.info, folders).pictures, a_drawing(0)[None])


def test_drawings_are_resized_to_the_size_of_the_dataset(digits, folders):
    save_drawing(a_drawing(), 7, digits.info, folders)
    larger = replace(digits.info, in_size=(3, 32, 32))
    save_drawing(np.zeros((3, 32, 32), np.uint8), 7, larger, folders)
    assert saved_drawings(larger, folders).pictures.shape == (2, 3, 32, 32)


def test_a_drawing_that_cannot_be_written_is_a_data_error(digits, folders):
    folders.runs.mkdir(parents=True, exist_ok=True)
    (folders.runs / "datasets").write_text("in the way")
    with pytest.raises(DataError, match="could not be saved in .* Free some space"):
        save_drawing(a_drawing(), 7, digits.info, folders)


def test_a_dataset_with_a_long_name_has_drawings_and_a_fine_tune_dataset(digits, folders):
    info = replace(digits.info, name="folder:" + "é" * 100)
    save_drawing(a_drawing(), 7, info, folders)
    name = make_fine_tune_dataset(replace(digits, info=info), folders)
    assert prepared_now(name).info.classes == digits.info.classes
    assert dataset_info(collection_name(info.name)).classes == ("7",)


def test_fine_tune_datasets_made_concurrently_have_different_names(digits, folders):
    save_drawing(a_drawing(), 7, digits.info, folders)
    with ThreadPoolExecutor(3) as threads:
        made = threads.map(lambda _: make_fine_tune_dataset(digits, folders), range(3))
    assert sorted(made) == [f"folder:lesson {number} for digits" for number in (1, 2, 3)]


def test_a_fine_tune_dataset_that_cannot_be_written_leaves_nothing(digits, folders, monkeypatch):
    save_drawing(a_drawing(), 7, digits.info, folders)
    before = sorted((folders.runs / "datasets").iterdir())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cnnlib.data.labelled_drawings._write_drawings", full)
    with pytest.raises(DataError, match="No space left on device.* Free some space"):
        make_fine_tune_dataset(digits, folders)
    assert sorted((folders.runs / "datasets").iterdir()) == before


def test_a_fine_tune_dataset_without_drawings_is_refused(digits, folders):
    with pytest.raises(DataError, match="fine-tuning needs at least one"):
        make_fine_tune_dataset(digits, folders)


def test_a_fine_tune_dataset_has_all_classes_and_holds_out_every_4th_drawing(digits, folders):
    for number in range(5):
        save_drawing(a_drawing(number), 7, digits.info, folders)
    name = make_fine_tune_dataset(digits, folders)
    dataset = prepared_now(name)
    assert dataset.info.classes == digits.info.classes
    # 30 original pictures of each of 10 classes, and 4 drawings, each 300 / 3 / 5 = 20 times.
    assert dataset.info.train_count == 300 + 4 * 20
    assert dataset.info.test_count == 10 * 10 + 1
    held_out = labelled_drawings(name, digits.info, folders, "test")
    assert np.array_equal(held_out.pictures, a_drawing(3)[None])
    assert len(labelled_drawings(name, digits.info, folders, "train")) == 4


def test_a_fine_tune_dataset_does_not_change_when_drawings_are_added(digits, folders):
    save_drawing(a_drawing(1), 7, digits.info, folders)
    first = make_fine_tune_dataset(digits, folders)
    before = prepared_now(first).info.fingerprint
    save_drawing(a_drawing(2), 2, digits.info, folders)
    second = make_fine_tune_dataset(digits, folders)
    assert first != second
    assert prepared_now(first).info.fingerprint == before


def test_class_folders_keep_the_labels():
    classes = ("T-shirt/top", "Bag", "Ankle boot")
    assert sorted(class_folders(classes)) == class_folders(classes)


def test_a_fine_tuned_run_is_compared_with_its_original(digits, folders):
    trained = fit("lenet5", "digits", Recipe(epochs=8), device="cpu")
    # Upside-down fours with the label 7, which the network has not seen.
    fours = digits.train_images[digits.train_labels == 4][:5, :, ::-1]
    for picture in fours:
        save_drawing(np.ascontiguousarray(picture), 7, digits.info, folders)
    name = make_fine_tune_dataset(digits, folders)
    prepared_now(name)
    recipe = Recipe(epochs=6, batch_size=32, lr=0.001)
    origin = Origin(trained.run.id, trained.step, weights_only=True)
    request = RunRequest(trained.spec, recipe, name, device="cpu", origin=origin, validation=0.0)
    store = RunStore()
    run_id = store.submit(replace(request, name="taught"))
    worker = store.workers.register()
    execute_run(store.claim(worker, run_id), store, worker, Control(), lambda event: None)
    assert store.run(run_id).state == "finished"

    work = KINDS["taught"]({"run": run_id}, folders)
    with pytest.raises(StopIteration) as end:
        while True:
            next(work)
    found = end.value.value
    assert found["trained on"]["count"] == 4 and found["kept apart"]["count"] == 1
    assert found["trained on"]["after"] > found["trained on"]["before"]
    assert found["test"]["count"] == len(digits.test_labels)
    assert found["test"]["before"] == pytest.approx(trained.history.test.accuracy, abs=0.01)
    store.workers.unregister(worker)
    store.close()
