"""Prepared copies: atomic writes, detection of damage and changes, and locking."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sample_data import class_folders, prepared_now, write_folder, write_zip

from cnnlib.data.catalogue import catalogue
from cnnlib.data.lock import try_lock
from cnnlib.data.prepare import prepare
from cnnlib.data.prepared import is_prepared, load_prepared
from cnnlib.errors import DataError, RecipeError
from cnnlib.records.folders import Folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def folders() -> Folders:
    return Folders.from_environment()


def test_a_prepared_copy_holds_four_read_only_arrays():
    digits = prepared_now("digits")
    assert digits.train_images.shape == (1438, 1, 28, 28)
    assert (digits.train_images.dtype, digits.train_labels.dtype) == (np.uint8, np.int64)
    assert isinstance(digits.train_images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        digits.train_images[0] = 0
    digits.verify()


def test_a_prepared_copy_is_in_the_data_folder(folders: Folders):
    assert prepared_now("digits").folder == folders.data / "prepared/digits"


def test_a_read_only_data_folder_is_not_written_to(folders: Folders):
    # The superuser could write there, and must not.
    folders.data.mkdir()
    folders.data.chmod(0o555)
    assert prepared_now("digits").folder == folders.runs / "prepared/digits"
    assert list(folders.data.iterdir()) == []


def test_a_read_only_prepared_folder_is_not_written_to(folders: Folders):
    (folders.data / "prepared").mkdir(parents=True)
    (folders.data / "prepared").chmod(0o555)
    assert prepared_now("digits").folder == folders.runs / "prepared/digits"


def test_a_copy_in_a_read_only_data_folder_is_used(folders: Folders):
    prepared_now("digits")
    folders.data.chmod(0o555)
    assert prepared_now("digits").folder == folders.data / "prepared/digits"


def test_the_fingerprint_depends_on_the_content_only(tmp_path: Path):
    here = prepared_now("digits", Folders(tmp_path / "a", tmp_path / "b"))
    there = prepared_now("digits", Folders(tmp_path / "c", tmp_path / "d"))
    assert here.info.fingerprint == there.info.fingerprint


def test_preparing_twice_does_nothing_the_second_time():
    first = prepared_now("digits").folder.stat().st_mtime_ns
    assert [progress.fraction for progress in prepare("digits")] == [1.0]
    assert prepared_now("digits").folder.stat().st_mtime_ns == first


def test_preparing_again_replaces_a_copy_that_is_open():
    old = prepared_now("digits")
    inode = (old.folder / "train_images.npy").stat().st_ino
    for _ in prepare("digits", again=True):
        pass
    new = load_prepared("digits")
    assert (new.folder / "train_images.npy").stat().st_ino != inode
    assert np.array_equal(old.train_images, new.train_images)


# -- damage ----------------------------------------------------------------------------------------


def cut(name: str) -> Callable[[Path], None]:
    return lambda folder: os.truncate(folder / name, (folder / name).stat().st_size // 2)


def other_info(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        values = json.loads((folder / "info.json").read_text())
        values["info"] |= changes.pop("info", {})
        (folder / "info.json").write_text(json.dumps(values | changes))

    return change


def no_info(folder: Path) -> None:
    (folder / "info.json").write_text('{"version": 1, "info": 5}')


def other_shape(folder: Path) -> None:
    values = np.load(folder / "train_labels.npy")
    np.save(folder / "train_labels.npy", values.reshape(2, -1))


DAMAGES = {
    "train_images.npy has .* bytes instead of": cut("train_images.npy"),
    "info.json cannot be read": cut("info.json"),
    "test_labels.npy is missing": lambda folder: (folder / "test_labels.npy").unlink(),
    "it has version 99 instead of 1": other_info(version=99),
    "it contains the dataset 'mnist'": other_info(info={"name": "mnist"}),
    r"info.json cannot be read \('train_images'\)": other_info(arrays={}),
    r"train_labels.npy is <i8 of shape \[2, 719\] instead of <i8 \[1438\]": other_shape,
    r"info.json cannot be read \(The DatasetInfo is 5": no_info,
}


@pytest.mark.parametrize("sentence", DAMAGES)
def test_a_damaged_copy_is_found_and_can_be_made_again(sentence: str):
    digits = prepared_now("digits")
    DAMAGES[sentence](digits.folder)
    with pytest.raises(DataError, match=f"digits in .* is damaged: {sentence}.*Prepare it again"):
        load_prepared("digits")
    for _ in prepare("digits", again=True):
        pass
    assert load_prepared("digits").info.fingerprint == digits.info.fingerprint


def test_a_copy_of_the_wrong_size_is_replaced():
    cut("test_images.npy")(prepared_now("digits").folder)
    assert not is_prepared("digits")
    prepared_now("digits").verify()


def test_verify_detects_changed_content():
    digits = prepared_now("digits")
    path = digits.folder / "train_images.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="its content has changed"):
        load_prepared("digits").verify()


def test_arrays_are_never_unpickled(tmp_path: Path):
    digits = prepared_now("digits")
    path = digits.folder / "train_labels.npy"
    size = path.stat().st_size
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    os.truncate(path, size)
    with pytest.raises(DataError, match="train_labels.npy cannot be read"):
        load_prepared("digits")


# -- whole or not at all ---------------------------------------------------------------------------


def test_a_preparation_that_is_stopped_leaves_nothing_behind(folders: Folders):
    work = prepare("digits")
    next(work)
    work.close()
    assert [path.name for path in (folders.data / "prepared").iterdir()] == [".lock-digits"]
    assert not is_prepared("digits")


def test_files_of_a_killed_process_are_removed(folders: Folders):
    write_folder(folders.data / "prepared/.making-digits", {"train_images.npy": b"half"})
    prepared_now("digits")
    left = sorted(path.name for path in (folders.data / "prepared").iterdir())
    assert left == [".lock-digits", "digits"]


def test_a_second_preparation_waits_for_the_first(folders: Folders):
    first, second = prepare("digits"), prepare("digits")
    next(first)
    waiting = next(second)
    assert waiting.text == "another process is preparing digits"
    rest = list(first)
    assert rest[-1].fraction == 1.0
    assert [progress.text for progress in second] == ["digits is prepared"]


def test_a_released_lock_is_free_again(tmp_path: Path):
    held = try_lock(tmp_path / "lock")
    assert held is not None
    assert try_lock(tmp_path / "lock") is None
    held.release()
    again = try_lock(tmp_path / "lock")
    assert again is not None
    again.release()


def test_a_lock_is_released_on_another_thread(tmp_path: Path):
    held = try_lock(tmp_path / "lock")
    with ThreadPoolExecutor() as pool:
        pool.submit(held.release).result()
    assert try_lock(tmp_path / "lock") is not None


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path):
    script = (
        "import sys; from pathlib import Path; from cnnlib.data.lock import try_lock;"
        "lock = try_lock(Path(sys.argv[1])); print(lock is not None, flush=True); input()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "lock")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as other:
        assert other.stdout.readline() == "True\n"
        assert try_lock(tmp_path / "lock") is None
        other.kill()
        other.wait()
    assert try_lock(tmp_path / "lock") is not None


def test_a_full_disk_is_a_data_error(monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cnnlib.data.builtin.digits.save_array", full)
    with pytest.raises(
        DataError, match=r"digits could not be written to .*No space left.*Free some space"
    ):
        list(prepare("digits"))
    assert not is_prepared("digits")


# -- copies and what they were made of -------------------------------------------------------------


def test_a_copy_is_outdated_when_its_zip_changed(folders: Folders):
    write_zip(folders.data / "cats.zip", class_folders({"a": 3, "b": 3}))
    before = prepared_now("folder:cats")
    write_zip(folders.data / "cats.zip", class_folders({"a": 4, "b": 4}))
    assert not is_prepared("folder:cats")
    with pytest.raises(DataError, match=r"folder:cats in .*cats.zip changed after"):
        load_prepared("folder:cats")
    assert prepared_now("folder:cats").info.fingerprint != before.info.fingerprint


def test_a_copy_is_outdated_when_a_picture_was_added(folders: Folders):
    write_folder(folders.data / "cats", class_folders({"a": 3, "b": 3}))
    assert prepared_now("folder:cats").info.train_count == 4
    write_folder(folders.data / "cats", class_folders({"c/deep": 3}, first=100))
    assert not is_prepared("folder:cats")
    assert prepared_now("folder:cats").info.classes == ("a", "b", "c")


def test_a_copy_of_a_removed_source_is_used(folders: Folders):
    archive = write_zip(folders.data / "cats.zip", class_folders({"a": 3, "b": 3}))
    before = prepared_now("folder:cats")
    archive.unlink()
    assert load_prepared("folder:cats").info == before.info


@pytest.mark.parametrize("name", ["imagenet", "folder:", "folder:..", "folder:a/b", "../mnist", ""])
def test_an_invalid_dataset_name_is_refused(name: str, folders: Folders):
    for use in (load_prepared, is_prepared, prepared_now):
        with pytest.raises(RecipeError, match="^dataset is "):
            use(name)
    assert not folders.data.exists()


def test_names_that_are_invalid_folder_names_get_separate_folders(folders: Folders):
    names = ["CON", "con", "a.b", "a b", "猫と犬", "ünï", "x" * 90]
    for name in names:
        write_zip(folders.data / f"{name}.zip", class_folders({"a": 1, "b": 1}))
        prepared_now(f"folder:{name}")
    made = [path.name for path in (folders.data / "prepared").iterdir() if path.is_dir()]
    assert len({name.casefold() for name in made}) == len(names)
    assert all(name.isascii() and len(name) < 80 for name in made)


@pytest.mark.skipif(os.name == "nt", reason="file names are bytes on Unix only")
def test_names_that_are_not_utf_8_are_skipped(folders: Folders):
    pictures = class_folders({"cat": 3, "dog": 3})
    write_folder(folders.data / os.fsdecode(b"caf\xe9"), pictures)
    root = write_folder(folders.data / "pets", pictures)
    (root / "cat" / os.fsdecode(b"\xe9.png")).write_bytes(b"no picture")
    (root / "cat" / os.fsdecode(b"inner\xe9")).mkdir()
    names = [info.name for info in catalogue(folders)]
    assert "folder:pets" in names
    assert not [name for name in names if "caf" in name]  # not valid in a run's request
    assert prepared_now("folder:pets").skipped[0].path == "cat/?.png"


@pytest.mark.parametrize(
    "seen", [3, {}, {"kind": "directory"}, {"kind": "directory", "folders": 3}]
)
def test_a_copy_with_an_invalid_source_state_is_replaced(folders: Folders, seen):
    write_folder(folders.data / "pets", class_folders({"cat": 3, "dog": 3}))
    record = prepared_now("folder:pets").folder / "info.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"seen": seen}))
    assert not is_prepared("folder:pets")
    assert prepared_now("folder:pets").info.train_count > 0
