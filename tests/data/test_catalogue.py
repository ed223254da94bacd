"""The catalogue of datasets and their states."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sample_data import class_folders, prepared_now, small_mnist, write_folder, write_zip

from cnnlib.data.catalogue import catalogue, dataset_info
from cnnlib.data.image_folder.sources import folder_source, folder_sources
from cnnlib.errors import DataError, RecipeError
from cnnlib.records.folders import Folders
from cnnlib.vocabulary.datasets import BUILTIN

if TYPE_CHECKING:
    from pathlib import Path

KNOWN_NAMES = ["digits", "mnist", "fashion-mnist", "cifar10", "cifar100"]


@pytest.fixture
def folders() -> Folders:
    return Folders.from_environment()


def names(folders: Folders) -> list[str]:
    return [info.name for info in catalogue(folders)]


def test_a_fresh_machine_has_digits_and_may_download_the_rest(folders: Folders):
    states = {info.name: info.state for info in catalogue()}
    assert list(states) == KNOWN_NAMES
    assert states.pop("digits") == "here"
    assert set(states.values()) == {"download"}
    assert dataset_info("cifar10").note == "170 MB to download."
    assert not folders.data.exists()


@pytest.mark.parametrize("name", KNOWN_NAMES)
def test_a_known_dataset_is_described_before_it_is_there(name: str):
    info = dataset_info(name)
    assert len(info.classes) == {"cifar100": 100}.get(name, 10)
    assert info.in_size == ((3, 32, 32) if name.startswith("cifar") else (1, 28, 28))
    assert info.train_count > info.test_count > 0


def test_digits_are_described_as_they_are_prepared():
    before, after = dataset_info("digits"), prepared_now("digits").info
    for field in ("in_size", "classes", "train_count", "test_count", "title", "note", "source"):
        assert getattr(before, field) == getattr(after, field)


def test_files_in_the_data_folder_are_found_and_then_prepared(folders: Folders):
    files = small_mnist()
    write_folder(folders.data / "MNIST/raw", files)
    info = dataset_info("mnist")
    assert (info.state, info.size_bytes) == ("here", sum(map(len, files.values())))
    prepared_now("mnist")
    assert dataset_info("mnist").state == "prepared"
    assert names(folders) == KNOWN_NAMES  # MNIST/ is not a user's dataset


def test_mnist_with_a_file_missing_is_to_be_downloaded(folders: Folders):
    files = small_mnist()
    files.popitem()
    write_folder(folders.data / "MNIST/raw", files)
    assert dataset_info("mnist").state == "download"


def test_own_directories_and_zips_are_listed_by_name(folders: Folders):
    write_folder(folders.data / "pets", class_folders({"cat": 10, "dog": 5}))
    write_zip(folders.data / "Letters.ZIP", class_folders({"A": 1, "B": 1}))
    write_folder(folders.runs / "datasets/drawn", class_folders({"1": 1, "2": 1}))
    write_folder(folders.data, {"notes.txt": b"", "empty/readme.md": b"", ".hidden/a/1.png": b""})
    own = ["folder:Letters", "folder:drawn", "folder:pets"]
    assert names(folders) == KNOWN_NAMES + own
    info = dataset_info("folder:pets")
    assert (info.title, info.state, info.classes) == ("pets", "here", ("cat", "dog"))
    assert (info.train_count, info.test_count) == (8 + 4, 2 + 1)


def test_counts_before_preparation_are_those_after(folders: Folders):
    kept = class_folders({"a": 4}, root="train/") | class_folders({"a": 3}, "test/", first=9)
    write_folder(folders.data / "kept", kept)
    write_folder(folders.data / "divided", class_folders({"a": 13, "b": 1, "c": 2}))
    for name in ("folder:kept", "folder:divided"):
        before, after = dataset_info(name), prepared_now(name).info
        assert (before.train_count, before.test_count) == (after.train_count, after.test_count)
        assert (before.classes, before.in_size) == (after.classes, after.in_size)


def test_own_pictures_that_cannot_be_used_are_listed_with_the_reason(folders: Folders):
    write_folder(folders.data, {"broken.zip": b"no zip"})
    info = next(info for info in catalogue() if info.name == "folder:broken")
    assert info.classes == ()
    assert info.note.startswith("broken.zip cannot be read as a zip")
    with pytest.raises(DataError, match=r"broken.zip cannot be read as a zip"):
        dataset_info("folder:broken")


def test_the_data_folder_precedes_uploads_and_a_directory_a_zip(folders: Folders):
    write_zip(folders.runs / "datasets/pets.zip", class_folders({"upload": 1}))
    assert folder_source("folder:pets", folders).uploaded
    write_zip(folders.data / "pets.zip", class_folders({"zip": 1}))
    assert folder_source("folder:pets", folders).path == folders.data / "pets.zip"
    write_folder(folders.data / "pets", class_folders({"directory": 1}))
    assert dataset_info("folder:pets").classes == ("directory",)
    assert len(folder_sources(folders)) == 1


@pytest.mark.parametrize(("write", "name"), [(write_zip, "pets.zip"), (write_folder, "pets")])
def test_pictures_are_counted_once_for_each_state_of_them(
    write, name: str, folders: Folders, monkeypatch: pytest.MonkeyPatch
):
    write(folders.data / name, class_folders({"a": 1, "b": 1}))
    assert dataset_info("folder:pets").classes == ("a", "b")
    with monkeypatch.context() as patched:
        patched.setattr("cnnlib.data.catalogue.open_files", None)
        assert dataset_info("folder:pets").classes == ("a", "b")
    write(folders.data / name, class_folders({"a": 1, "b": 1, "c": 1}))
    assert dataset_info("folder:pets").classes == ("a", "b", "c")


def test_the_error_for_an_unknown_dataset_lists_the_datasets(folders: Folders):
    write_zip(folders.data / "pets.zip", class_folders({"a": 1}))
    with pytest.raises(DataError, match=r"folder:cats was not found.*cifar100, folder:pets\.$"):
        dataset_info("folder:cats")
    with pytest.raises(RecipeError, match="'imagenet'"):
        dataset_info("imagenet")


def test_every_builtin_dataset_has_a_folder_and_a_form():
    for name, known in BUILTIN.items():
        assert known.name == name
        assert known.form in ("idx", "cifar", "scikit-learn")
        assert bool(known.files) == bool(known.folder) == (known.form != "scikit-learn")
        assert all(len(file.md5) == 32 and file.size_bytes for file in known.files)


def test_the_catalogue_loads_neither_torch_nor_pictures(tmp_path: Path):
    script = (
        "import sys; from cnnlib.data.catalogue import catalogue; catalogue();"
        "print(sorted({'torch', 'torchvision', 'sklearn', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_spaces_around_the_name_of_a_dataset_are_ignored(folders: Folders):
    write_folder(folders.data / " pets ", class_folders({"cat": 2, "dog": 2}))
    write_zip(folders.data / "cars .zip", class_folders({"bus": 2, "van": 2}))
    assert names(folders)[len(KNOWN_NAMES) :] == ["folder:cars", "folder:pets"]
    assert prepared_now("folder:pets").info.classes == ("cat", "dog")


def test_pictures_without_class_folders_do_not_hide_a_zip_of_the_same_name(folders: Folders):
    write_folder(folders.data / "pets", {"1.png": b"", "2.png": b""})
    with pytest.raises(DataError, match="2 pictures found, but not inside a folder of a class"):
        dataset_info("folder:pets")
    write_zip(folders.data / "pets.zip", class_folders({"cat": 2, "dog": 2}))
    assert dataset_info("folder:pets").classes == ("cat", "dog")
    assert names(folders) == [*KNOWN_NAMES, "folder:pets"]
