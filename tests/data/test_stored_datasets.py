"""Uploads, drawings and prepared copies that several machines share through an object store."""

import io
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlib.data import stored_datasets
from cnnlib.data.drawings import save_drawing, saved_drawings
from cnnlib.data.image_folder.sources import FolderOptions, folder_source
from cnnlib.data.labelled_drawings import make_fine_tune_dataset
from cnnlib.data.prepare import prepare
from cnnlib.data.prepared import is_prepared, load_prepared
from cnnlib.data.stored_datasets import pull_uploads
from cnnlib.data.uploads import add_folder_zip, remove_dataset
from cnnlib.errors import DataError, FilesUnreachable
from cnnlib.records.folders import Folders
from cnnlib.records.stored.opening import open_files

Node = Callable[[str], Folders]


@pytest.fixture
def node(tmp_path, files_address) -> Node:
    """The folders of a machine of a name."""

    def folders(name: str) -> Folders:
        return Folders(tmp_path / name / "data", tmp_path / name / "runs", files=files_address)

    return folders


def two_classes(count: int = 4) -> io.BytesIO:
    """A zip with pictures of two classes."""
    out, rng = io.BytesIO(), np.random.default_rng(count)
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("cats", "dogs"):
            for number in range(count):
                picture = io.BytesIO()
                Image.fromarray(rng.integers(0, 255, (16, 16, 3), np.uint8)).save(picture, "PNG")
                archive.writestr(f"{name}/{number}.png", picture.getvalue())
    out.seek(0)
    return out


def make(name: str, folders: Folders, **options) -> None:
    for _ in prepare(name, folders, **options):
        pass


def downloads(monkeypatch) -> list[str]:
    """The keys that are downloaded from now on."""
    from cnnlib.records.stored.object_files import ObjectFiles

    keys, copy_to = [], ObjectFiles.copy_to
    monkeypatch.setattr(
        ObjectFiles, "copy_to", lambda self, key, path: keys.append(key) or copy_to(self, key, path)
    )
    return keys


def test_an_upload_of_one_machine_is_prepared_on_another(node):
    add_folder_zip(two_classes(), "Katzen & Hunde", node("first"), FolderOptions(size=16))
    make("folder:Katzen & Hunde", node("second"))
    info = load_prepared("folder:Katzen & Hunde", node("second")).info
    assert (info.classes, info.in_size, info.train_count + info.test_count) == (
        ("cats", "dogs"),
        (3, 16, 16),
        8,
    )


def test_a_prepared_copy_is_fetched_once_per_machine(node, monkeypatch):
    first, second = node("first"), node("second")
    make("digits", first)
    keys = downloads(monkeypatch)
    make("digits", second)
    arrays = [key for key in keys if key.endswith(".npy")]
    assert len(arrays) == 4 and all(
        load_prepared("digits", first).info.fingerprint in k for k in arrays
    )
    load_prepared("digits", second).verify()
    assert second.data in load_prepared("digits", second).folder.parents

    keys.clear()
    make("digits", second)
    assert keys == ["prepared/digits/info.json"]


def test_a_machine_that_only_reads_fetches_a_prepared_copy(node):
    make("digits", node("first"))
    load_prepared("digits", node("second")).verify()


def test_a_dataset_that_was_prepared_again_replaces_older_copies(node):
    first, second = node("first"), node("second")
    add_folder_zip(two_classes(), "pets", first)
    make("folder:pets", first)
    make("folder:pets", second)
    make("folder:pets", first, options=FolderOptions(size=16))
    make("folder:pets", second)
    found = load_prepared("folder:pets", second)
    assert found.info.in_size == (3, 16, 16)
    found.verify()
    stored = open_files(second).names("prepared/")
    assert len(stored) == 5  # the arrays of the former copy are removed


def test_a_copy_from_before_the_object_store_is_stored_when_it_is_used(node):
    first = node("first")
    make("digits", Folders(first.data, first.runs))
    make("digits", first)
    load_prepared("digits", node("second")).verify()


def test_a_name_is_taken_on_all_machines(node):
    add_folder_zip(two_classes(), "pets", node("first"))
    with pytest.raises(DataError, match="already a dataset folder:pets"):
        add_folder_zip(two_classes(5), "pets", node("second"))


def test_a_removed_dataset_is_removed_on_all_machines(node, monkeypatch):
    first, second = node("first"), node("second")
    add_folder_zip(two_classes(), "pets", first)
    make("folder:pets", first)
    pull_uploads(second)
    assert folder_source("folder:pets", second) is not None

    remove_dataset("folder:pets", first)
    monkeypatch.setattr(stored_datasets, "_YOUNG_SECONDS", -1.0)
    pull_uploads(second)

    assert open_files(first).names() == []
    assert folder_source("folder:pets", second) is None


def test_drawings_of_two_machines_are_all_kept(node):
    first, second = node("first"), node("second")
    make("digits", first)
    info = load_prepared("digits", first).info
    picture = np.full((1, 28, 28), 200, np.uint8)
    for folders in (first, second, first):
        save_drawing(picture, 3, info, folders)
    for folders in (first, second, node("third")):
        pull_uploads(folders)
        assert len(saved_drawings(info, folders)) == 3

    name = make_fine_tune_dataset(load_prepared("digits", second), second)
    make(name, node("third"))
    assert is_prepared(name, node("third"))


def test_an_upload_to_an_unreachable_place_is_no_dataset(tmp_path):
    folders = Folders(tmp_path / "data", tmp_path / "runs", files=(tmp_path / "gone").as_uri())
    with pytest.raises(FilesUnreachable):
        add_folder_zip(two_classes(), "pets", folders)
    assert folder_source("folder:pets", folders) is None


def test_an_unreachable_place_removes_no_local_upload(tmp_path, monkeypatch):
    objects = tmp_path / "objects"
    objects.mkdir()
    first = Folders(tmp_path / "data", tmp_path / "runs", files=objects.as_uri())
    add_folder_zip(two_classes(), "pets", first)
    monkeypatch.setattr(stored_datasets, "_YOUNG_SECONDS", -1.0)
    shutil.move(objects, tmp_path / "unmounted")
    with pytest.raises(FilesUnreachable):
        pull_uploads(first)
    assert folder_source("folder:pets", first) is not None


def test_without_an_object_store_nothing_is_copied(tmp_path):
    folders = Folders(tmp_path / "data", tmp_path / "runs")
    add_folder_zip(two_classes(), "pets", folders)
    make("folder:pets", folders)
    found: list[Path] = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert sum(each.suffix == ".zip" for each in found) == 1
    assert sum(each.suffix == ".npy" for each in found) == 4
    assert os.path.samefile(
        load_prepared("folder:pets", folders).folder,
        next(each.parent for each in found if each.suffix == ".npy"),
    )
