"""Preparation of users' own pictures: classes, splits, sizes, and skipped files."""

from __future__ import annotations

import io
import json
import os
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from sample_data import class_folders, encoded, prepared_now, write_folder, write_zip

from cnnlib.data.catalogue import dataset_info
from cnnlib.data.image_folder.image_decoder import decode
from cnnlib.data.image_folder.sources import FolderOptions, folder_source
from cnnlib.data.prepare import prepare
from cnnlib.data.prepared import (
    SkippedPicture,
    changed_options,
    folder_options,
    is_prepared,
    load_prepared,
)
from cnnlib.data.split import run_split
from cnnlib.data.uploads import add_folder_zip
from cnnlib.design.presets import preset
from cnnlib.errors import DataError, RecipeError
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.vocabulary.datasets import BUILTIN, FITS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folders() -> Folders:
    return Folders.from_environment()


def test_a_directory_and_a_zip_of_it_are_the_same_dataset(folders: Folders):
    files = class_folders({"cat": 6, "dog": 4})
    write_folder(folders.data / "plain", files)
    write_zip(folders.data / "packed.zip", {f"wrapper/{name}": it for name, it in files.items()})
    plain, packed = prepared_now("folder:plain"), prepared_now("folder:packed")
    assert plain.info.fingerprint == packed.info.fingerprint
    assert plain.info.classes == ("cat", "dog")
    assert plain.info.in_size == (3, 32, 32)


def test_the_test_split_depends_on_the_pictures_and_not_on_their_names(folders: Folders):
    files = class_folders({"cat": 20, "dog": 20})
    renamed = {f"{name.split('/')[0]}/{hash(it)}.png": it for name, it in files.items()}
    write_folder(folders.data / "one", files)
    write_folder(folders.data / "two", renamed)
    one, two = prepared_now("folder:one"), prepared_now("folder:two")
    assert one.info.fingerprint == two.info.fingerprint
    assert np.bincount(one.test_labels).tolist() == [4, 4]  # a fifth of each class


def test_the_test_split_does_not_depend_on_the_size_of_the_pictures(folders: Folders):
    write_folder(folders.data / "one", class_folders({"a": 30, "b": 10}))
    write_folder(folders.data / "two", class_folders({"a": 30, "b": 10}))
    for _ in prepare("folder:two", options=FolderOptions(size=8, channels=1)):
        pass
    assert np.array_equal(
        prepared_now("folder:one").test_labels, load_prepared("folder:two").test_labels
    )


def test_train_and_test_folders_are_kept(folders: Folders):
    train, test = {"a": 3, "b": 3}, {"a": 2, "b": 1}
    files = class_folders(train, root="train/") | class_folders(test, root="test/", first=50)
    write_folder(folders.data / "kept", files)
    kept = prepared_now("folder:kept")
    assert np.bincount(kept.train_labels).tolist() == [3, 3]
    assert np.bincount(kept.test_labels).tolist() == [2, 1]
    assert "Test split made" not in kept.info.note
    decoded = {decode(files[name], 32, 3).tobytes() for name in files if name.startswith("test")}
    assert {image.tobytes() for image in kept.test_images} == decoded


def test_each_picture_has_the_label_of_its_folder(folders: Folders):
    files = class_folders({"red": 5, "blue": 5, "green": 1})
    write_zip(folders.data / "own.zip", files)
    own = prepared_now("folder:own")
    labels = {decode(it, 32, 3).tobytes(): name.split("/")[0] for name, it in files.items()}
    images = np.concatenate([own.train_images, own.test_images])
    for image, label in zip(images, [*own.train_labels, *own.test_labels], strict=True):
        assert own.info.classes[label] == labels[image.tobytes()]


def test_size_and_channels_can_be_set_and_are_kept(folders: Folders):
    write_folder(folders.data / "own", class_folders({"a": 3, "b": 3}))
    for _ in prepare("folder:own", options=FolderOptions(size=28, channels=1)):
        pass
    assert load_prepared("folder:own").info.in_size == (1, 28, 28)
    write_folder(folders.data / "own", class_folders({"c/more": 2}, first=90))
    changed = prepared_now("folder:own").info
    assert (changed.in_size, changed.classes) == ((1, 28, 28), ("a", "b", "c"))
    assert changed.note.startswith(
        "Pictures are cropped to a centred square and resized to 28x28x1."
    )


def wide_pictures() -> dict[str, bytes]:
    """Two classes of pictures that are twice as wide as high."""
    return {f"{c}/{n}.png": encoded(10 * n + ord(c), (16, 8)) for c in "ab" for n in range(3)}


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_the_fit_is_applied_and_recorded(folders: Folders, fit: str):
    files = wide_pictures()
    write_zip(folders.data / "own.zip", files)
    for _ in prepare("folder:own", options=FolderOptions(16, 3, fit)):
        pass
    own = load_prepared("folder:own")
    assert own.info.fit == fit
    assert FITS[fit].note in own.info.note
    expected = {decode(content, 16, 3, fit).tobytes() for content in files.values()}
    found = np.concatenate([own.train_images, own.test_images])
    assert {picture.tobytes() for picture in found} == expected


def test_another_fit_is_another_dataset_and_stays_when_it_is_prepared_again(folders: Folders):
    write_folder(folders.data / "own", wide_pictures())
    cropped = prepared_now("folder:own").info
    for _ in prepare("folder:own", options=FolderOptions(fit="pad")):
        pass
    padded = load_prepared("folder:own").info
    assert (cropped.fit, padded.fit) == ("crop", "pad")
    assert cropped.fingerprint != padded.fingerprint
    for _ in prepare("folder:own", again=True):
        pass
    assert load_prepared("folder:own").info == padded


def test_the_options_of_an_upload_are_those_of_its_last_preparation(folders: Folders):
    add_folder_zip(write_zip(folders.data.parent / "own.zip", wide_pictures()), "own")
    for _ in prepare("folder:own", options=FolderOptions(16, 1, "stretch")):
        pass
    for _ in prepare("folder:own", again=True):
        pass
    info = load_prepared("folder:own").info
    assert (info.in_size, info.fit) == ((1, 16, 16), "stretch")


def test_a_copy_of_an_earlier_version_was_cropped(folders: Folders):
    write_folder(folders.data / "own", wide_pictures())
    record = prepared_now("folder:own").folder / "info.json"
    values = json.loads(record.read_text())
    del values["info"]["source"]["fit"]
    record.write_text(json.dumps(values))
    source = folder_source("folder:own", folders)
    assert load_prepared("folder:own").info.fit == "crop"
    assert folder_options(source, folders) == FolderOptions()


def test_pictures_with_hardly_any_contrast_are_used_counted_and_named(folders: Folders):
    grey = io.BytesIO()
    Image.new("L", (8, 8), 9).save(grey, "PNG")
    flat = {f"a/flat{number}.png": grey.getvalue() for number in range(5)}
    write_folder(folders.data / "own", class_folders({"a": 2, "b": 2}) | flat)
    info = prepared_now("folder:own").info
    assert info.train_count + info.test_count == 9
    same = "all its pixels have the same value"
    assert (
        f"Pictures with hardly any contrast, which are used: 5. a/flat0.png ({same}), "
        f"a/flat1.png ({same}), a/flat2.png ({same}), 2 more." in info.note
    )


def test_an_unknown_fit_is_refused():
    with pytest.raises(RecipeError, match="^fit is 'cut', but it must be one of these: crop, pad"):
        FolderOptions(fit="cut")


def test_a_new_size_replaces_a_copy_in_a_read_only_data_folder(folders: Folders):
    write_folder(folders.data / "own", class_folders({"a": 3, "b": 3}))
    prepared_now("folder:own")
    (folders.data / "prepared").chmod(0o555)
    for _ in prepare("folder:own", options=FolderOptions(size=16)):
        pass
    assert load_prepared("folder:own").info.in_size == (3, 16, 16)


@pytest.mark.parametrize(
    "options", [{"size": 7}, {"size": 257}, {"channels": 2}, {"size": True}, {"channels": "3"}]
)
def test_an_invalid_size_is_refused(options: dict):
    with pytest.raises(RecipeError, match="^(size|channels) is "):
        FolderOptions(**options)


def test_broken_pictures_are_counted_listed_and_left_out(folders: Folders):
    broken = {"a/text.png": b"Dear diary", "b/half.jpg": encoded(form="JPEG")[:300]}
    files = (
        class_folders({"a": 4, "b": 4}) | broken | {"loose.png": encoded(99), "b/notes.txt": b""}
    )
    write_zip(folders.data / "own.zip", files)
    own = prepared_now("folder:own")
    assert own.info.train_count + own.info.test_count == 8
    assert own.info.note.endswith("Files that are not used: 4.")
    assert own.info.source["skipped"] == "4"
    assert own.skipped[:2] == (
        SkippedPicture("b/notes.txt", "it is not a picture"),
        SkippedPicture("loose.png", "it is not inside a class folder"),
    )
    assert {each.path for each in own.skipped[2:]} == {"a/text.png", "b/half.jpg"}


def test_pictures_that_are_all_broken_are_no_dataset(folders: Folders):
    write_folder(folders.data / "own", {"a/1.png": b"x", "b/2.png": b"y"})
    with pytest.raises(
        DataError, match=r"no readable picture \(2 files\). The first is .*a/1.png: its content is"
    ):
        list(prepare("folder:own"))
    assert not is_prepared("folder:own")


def test_a_class_without_a_readable_picture_is_left_out(folders: Folders):
    write_folder(folders.data / "own", class_folders({"a": 2, "c": 2}) | {"b/1.png": b"x"})
    own = prepared_now("folder:own")
    assert own.info.classes == ("a", "c")
    assert set(own.train_labels) == {0, 1}
    assert "Classes without a readable picture were left out: b." in own.info.note


def test_one_class_with_one_picture_is_a_dataset(folders: Folders):
    write_folder(folders.data / "own", class_folders({"a": 1}))
    own = prepared_now("folder:own")
    assert (own.info.train_count, own.info.test_count) == (1, 0)
    assert own.test_images.shape == (0, 3, 32, 32)
    assert own.info.warnings[0].startswith("There is only one class, a, so a network has nothing")
    assert own.info.warnings[-1].startswith("There is no test picture")


def test_test_pictures_alone_are_no_dataset(folders: Folders):
    files = {"train/a/1.png": b"broken"} | class_folders({"a": 2}, root="test/")
    write_folder(folders.data / "own", files)
    with pytest.raises(DataError, match="folder:own has no training pictures"):
        list(prepare("folder:own"))


@pytest.mark.skipif(os.name == "nt", reason="cannot run here: no pipes in folders")
def test_pipes_and_broken_links_are_skipped(folders: Folders):
    root = write_folder(folders.data / "own", class_folders({"a": 2, "b": 2}))
    os.mkfifo(root / "a/pipe.png")
    (root / "a/gone.png").symlink_to(root / "nowhere.png")
    (root / "a/around").symlink_to(root)
    own = prepared_now("folder:own")
    reasons = {skipped.path: skipped.reason for skipped in own.skipped}
    assert reasons == {
        "a/pipe.png": "it is not a regular file",
        "a/gone.png": "the system cannot open it (No such file or directory); check the file and "
        "its permissions",
    }


def test_progress_has_the_count_alone_since_its_job_has_the_time_left(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cnnlib.data.image_folder.prepare_folder._REPORT_SECONDS", 0.0)
    monkeypatch.setattr("cnnlib.data.image_folder.prepare_folder._BLOCK_FILES", 4)
    write_folder(folders.data / "own", class_folders({"a": 5, "b": 5}))
    updates = list(prepare("folder:own"))
    texts = [progress.text for progress in updates if progress.text.startswith("reading")]
    assert texts == [
        "reading pictures: 4 of 10",
        "reading pictures: 8 of 10",
        "reading pictures: 10 of 10",
    ]
    fractions = [progress.fraction for progress in updates]
    assert fractions == sorted(fractions)


def test_stopping_leaves_nothing_behind(folders: Folders, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cnnlib.data.image_folder.prepare_folder._REPORT_SECONDS", 0.0)
    write_folder(folders.data / "own", class_folders({"a": 5, "b": 5}))
    work = prepare("folder:own")
    assert next(progress for progress in work if progress.text.startswith("reading"))
    work.close()
    assert [path for path in (folders.data / "prepared").iterdir() if path.is_dir()] == []


def test_a_full_disk_is_detected_before_writing(folders: Folders, monkeypatch: pytest.MonkeyPatch):
    write_folder(folders.data / "own", class_folders({"a": 5, "b": 5}))
    nearly_full = os.statvfs_result((4096, 4096, 10, 10, 10, 0, 0, 0, 0, 255))
    monkeypatch.setattr("os.statvfs", lambda _: nearly_full)
    with pytest.raises(DataError, match=r"needs 67.2 MB, but .* has only 41 kB free"):
        list(prepare("folder:own"))  # twice 10 x 3,072 bytes, and 67.1 MB to spare


def test_the_real_cifar_pictures_are_as_in_their_zip(cifar_jpeg_zip: Path, folders: Folders):
    # A cut of the real zip: the first picture of each class and split.
    with zipfile.ZipFile(cifar_jpeg_zip) as archive:
        names = [name for name in archive.namelist() if name.endswith("/0000.jpg")]
        files = {name: archive.read(name) for name in names}
    cut = Folders(folders.runs / "data", folders.runs)
    write_zip(cut.data / "cifar.zip", files)
    cifar = prepared_now("folder:cifar", cut)
    assert (cifar.info.train_count, cifar.info.test_count) == (10, 10)
    assert cifar.info.classes == BUILTIN["cifar10"].classes
    with Image.open(io.BytesIO(files["cifar10-jpeg/train/ship/0000.jpg"])) as image:
        pixels = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    (ship,) = cifar.train_images[cifar.train_labels == 8]
    assert np.array_equal(ship, pixels)


def split_folders(*splits: str) -> dict[str, bytes]:
    """Folders of splits, each with five pictures of two classes."""
    return {
        f"{split}/{path}": content
        for number, split in enumerate(splits)
        for path, content in class_folders({"cat": 5, "dog": 5}, first=10 * number).items()
    }


def test_a_validation_folder_becomes_the_validation_split_of_every_run(folders: Folders):
    write_folder(folders.data / "three", split_folders("train", "val", "test"))
    info = dataset_info("folder:three", folders)
    assert (info.train_count, info.validation_count, info.test_count) == (20, 10, 10)
    own = prepared_now("folder:three")
    assert (own.info.train_count, own.info.validation_count) == (20, 10)
    request = RunRequest(preset("lenet5").spec, Recipe(), "folder:three", split_seed=3)
    train, validation = run_split(request, own)
    assert train.tolist() == list(range(10))
    assert validation.tolist() == list(range(10, 20))
    everything, none = run_split(replace(request, validation=0.0), own)
    assert (len(everything), len(none)) == (20, 0)
    own.verify()
    write_folder(folders.data / "two", split_folders("train", "val"))
    cut = prepared_now("folder:two").info
    assert (cut.train_count, cut.validation_count, cut.test_count) == (18, 10, 2)


def test_what_is_unclear_is_not_prepared_until_it_is_said(folders: Folders):
    write_folder(folders.data / "odd", class_folders({"cat": 4, "dog": 4, "test": 4}))
    with pytest.raises(DataError, match="test/ is called like a split.*--folder test=ROLE"):
        prepared_now("folder:odd")
    options = changed_options("folder:odd", {"roles": {"test": "class"}, "size": 16}, folders)
    for _ in prepare("folder:odd", folders, options=options):
        pass
    assert load_prepared("folder:odd", folders).info.classes == ("cat", "dog", "test")
    for _ in prepare("folder:odd", folders, again=True):
        pass
    again = load_prepared("folder:odd", folders).info
    assert (again.classes, again.in_size) == (("cat", "dog", "test"), (3, 16, 16))
    with pytest.raises(RecipeError, match="cannot be 'klass'"):
        changed_options("folder:odd", {"roles": {"test": "klass"}}, folders)


def test_every_file_that_is_not_used_is_counted_with_its_reason(folders: Folders):
    files = class_folders({"a": 4, "b": 4}) | {
        "a/notes.txt": b"x",
        "b/photo.heic": b"\0\0\0\x18ftypheic",
        "stray.png": encoded(1),
    }
    write_folder(folders.data / "mixed", files)
    own = prepared_now("folder:mixed")
    reasons = {each.path: each.reason for each in own.skipped}
    assert set(reasons) == {"a/notes.txt", "b/photo.heic", "stray.png"}
    assert reasons["a/notes.txt"] == "it is not a picture"
    assert all(reasons.values())
    assert own.info.source["skipped"] == "3"
    assert own.info.train_count + own.info.test_count == 8
