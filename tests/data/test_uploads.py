"""Uploads, disk use and removal of datasets."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from sample_data import class_folders, prepared_now, small_mnist, write_folder, write_zip

from cnnlib.data import uploads
from cnnlib.data.catalogue import dataset_info
from cnnlib.data.image_folder.sources import FolderOptions
from cnnlib.data.prepare import prepare
from cnnlib.data.prepared import is_prepared
from cnnlib.data.uploads import add_folder_zip, disk_use, remove_dataset
from cnnlib.errors import DataError
from cnnlib.records.folders import Folders

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folders() -> Folders:
    return Folders.from_environment()


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return write_zip(tmp_path / "pets.zip", class_folders({"cat": 5, "dog": 5}))


def uploaded(folders: Folders) -> list[str]:
    root = folders.runs / "datasets"
    return sorted(path.name for path in root.iterdir()) if root.exists() else []


def test_an_upload_is_a_dataset_with_a_read_only_data_folder(pets: Path, folders: Folders):
    folders.data.mkdir()
    folders.data.chmod(0o555)
    info = add_folder_zip(pets, "My pets")
    assert (info.name, info.classes, info.train_count) == ("folder:My pets", ("cat", "dog"), 8)
    assert prepared_now("folder:My pets").folder.parent == folders.runs / "prepared"
    assert uploaded(folders) == ["My pets.zip", "My pets.zip.json"]


def test_an_open_file_is_accepted(pets: Path):
    assert add_folder_zip(io.BytesIO(pets.read_bytes()), "pets").name == "folder:pets"


def test_the_size_set_at_upload_is_kept(pets: Path):
    info = add_folder_zip(pets, "pets", options=FolderOptions(size=16, channels=1))
    assert info.in_size == prepared_now("folder:pets").info.in_size == (1, 16, 16)


def test_copies_of_uploads_are_in_the_runs_folder(pets: Path, folders: Folders):
    add_folder_zip(pets, "pets")
    prepared_now("folder:pets")
    assert not (folders.data / "prepared").exists()


@pytest.mark.parametrize("name", ["pets", "PETS", " pets "])
def test_names_are_unique_ignoring_case(name: str, pets: Path, folders: Folders):
    write_folder(folders.data / "Pets", class_folders({"a": 1}))
    with pytest.raises(DataError, match=r"already a dataset folder:Pets.*Choose another name"):
        add_folder_zip(pets, name)
    assert uploaded(folders) == []


def test_the_second_of_two_concurrent_uploads_of_a_name_is_refused(
    pets: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch
):
    def upload_meanwhile(*_: object) -> None:
        with monkeypatch.context() as undone:
            undone.setattr(uploads, "arrange", lambda *_: None)
            add_folder_zip(pets, "pets", options=FolderOptions(size=16))

    monkeypatch.setattr(uploads, "arrange", upload_meanwhile)
    with pytest.raises(DataError, match="already a dataset folder:pets"):
        add_folder_zip(pets, "pets")
    assert uploaded(folders) == ["pets.zip", "pets.zip.json"]
    assert dataset_info("folder:pets").in_size == (3, 16, 16)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        ".hidden",
        "a/b",
        "a\\b",
        "../a",
        "a\x00b",
        "a\nb",
        "a:b",
        "what?",
        "end.",
        "x" * 101,
        "猫" * 70,
    ],
)
def test_an_invalid_file_name_is_refused(name: str, pets: Path, folders: Folders):
    with pytest.raises(DataError, match=r"Choose a"):
        add_folder_zip(pets, name)
    assert uploaded(folders) == []


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"../a/1.png": b""}, "x.zip was not accepted: its entry '../a/1.png' points outside"),
        ({"1.png": b""}, "1 picture found, but not inside a folder"),
        ({"a/readme.txt": b""}, "No picture was found"),
    ],
)
def test_a_refused_zip_is_not_stored(files: dict, sentence: str, tmp_path: Path, folders: Folders):
    with pytest.raises(DataError, match=sentence):
        add_folder_zip(write_zip(tmp_path / "x.zip", files), "pets")
    assert uploaded(folders) == []


def test_an_upload_that_cannot_be_finished_leaves_nothing(
    pets: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cnnlib.data.uploads.os.replace", full)
    with pytest.raises(DataError, match="No space left on device.*Free some space"):
        add_folder_zip(pets, "pets")
    assert uploaded(folders) == []


def test_an_upload_is_bounded(pets: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(uploads, "MAX_UPLOAD_BYTES", 100)
    with pytest.raises(DataError, match="more than 100 bytes"):
        add_folder_zip(pets, "pets")
    assert uploaded(folders) == []


def test_a_missing_file_is_a_data_error(tmp_path: Path, folders: Folders):
    with pytest.raises(DataError, match=r"pets.*could not be copied.*No such file"):
        add_folder_zip(tmp_path / "nowhere.zip", "pets")
    assert uploaded(folders) == []


# -- on disk ---------------------------------------------------------------------------------------


def size_below(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def test_disk_use_is_measured_by_origin(pets: Path, folders: Folders):
    add_folder_zip(pets, "pets")
    copy = prepared_now("folder:pets").folder
    use = disk_use("folder:pets")
    assert use.upload_bytes == pets.stat().st_size
    assert use.prepared_bytes == size_below(copy)
    assert use.removable_bytes == use.upload_bytes + use.prepared_bytes
    assert use.own_path == ""


def test_removing_an_upload_leaves_nothing_of_it(pets: Path, folders: Folders):
    add_folder_zip(pets, "pets")
    prepared_now("folder:pets")
    freed = remove_dataset("folder:pets")
    assert freed.removable_bytes > 0
    assert uploaded(folders) == []
    assert [path for path in (folders.runs / "prepared").iterdir() if path.is_dir()] == []
    with pytest.raises(DataError, match="was not found"):
        dataset_info("folder:pets")


def test_files_of_the_user_are_not_removed(folders: Folders):
    write_folder(folders.data / "pets", class_folders({"a": 2, "b": 2}))
    write_folder(folders.data / "MNIST/raw", small_mnist())
    for name in ("folder:pets", "mnist"):
        prepared_now(name)
        remove_dataset(name)
        assert dataset_info(name).state == "here"
    assert disk_use("folder:pets").own_path == str(folders.data / "pets")
    assert disk_use("folder:pets").removable_bytes == 0


def test_downloads_are_removed(folders: Folders):
    write_folder(folders.data / "downloads/mnist", {"train-images-idx3-ubyte.gz": b"123"})
    assert remove_dataset("mnist").download_bytes == 3
    assert disk_use("mnist").removable_bytes == 0


def test_the_copy_of_a_removed_source_can_be_removed(folders: Folders):
    archive = write_zip(folders.data / "pets.zip", class_folders({"a": 2, "b": 2}))
    prepared_now("folder:pets")
    archive.unlink()
    remove_dataset("folder:pets")
    assert not is_prepared("folder:pets")


def test_a_dataset_that_is_being_prepared_is_not_removed():
    work = prepare("digits")
    next(work)
    with pytest.raises(DataError, match="digits is being prepared"):
        remove_dataset("digits")
    assert list(work)[-1].fraction == 1.0
    assert is_prepared("digits")


def test_a_copy_in_a_read_only_folder_is_not_removed(folders: Folders):
    copies = prepared_now("digits").folder.parent
    copies.chmod(0o555)
    with pytest.raises(DataError, match=r"digits could not be removed .*read-only"):
        remove_dataset("digits")
    assert is_prepared("digits")


def test_an_open_copy_can_be_read_after_its_removal():
    digits = prepared_now("digits")
    remove_dataset("digits")
    digits.verify()


def test_an_unknown_dataset_cannot_be_removed():
    with pytest.raises(DataError, match="folder:pets was not found"):
        remove_dataset("folder:pets")
