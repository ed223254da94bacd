"""Classes and splits from file paths."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlib.data.image_folder.layout import MAX_CLASSES, Layout, arrange
from cnnlib.errors import DataError


def divided(layout: Layout, paths: list[str]) -> dict[str, tuple[str, str]]:
    """Map each path to its split and class."""
    return {
        paths[placed.file]: (placed.split, layout.classes[placed.label]) for placed in layout.placed
    }


def test_one_folder_is_one_class_and_classes_are_sorted():
    paths = ["dog/1.png", "cat/1.jpg", "cat/2.JPEG", "ant/1.webp"]
    layout = arrange(paths)
    assert layout.classes == ("ant", "cat", "dog")
    assert [placed.label for placed in layout.placed] == [2, 1, 1, 0]
    assert not layout.has_test_split


def test_pictures_further_down_belong_to_the_class_at_the_top():
    paths = ["cat/1.png", "cat/old/white/2.png", "dog/new/3.png"]
    assert [own for _, own in divided(arrange(paths), paths).values()] == ["cat", "cat", "dog"]


@pytest.mark.parametrize("wrapper", ["pets/", "a/b/c/", "train/"])
def test_folders_around_all_files_are_skipped(wrapper: str):
    layout = arrange([f"{wrapper}cat/1.png", f"{wrapper}dog/1.png"])
    assert layout.classes == ("cat", "dog")


def test_a_single_folder_of_pictures_is_a_class():
    layout = arrange(["cat/1.png", "cat/2.png"])
    assert layout.classes == ("cat",)
    assert layout.notes == ("There is only one class, so a network has nothing to distinguish.",)


def test_train_and_test_are_kept():
    paths = ["x/train/a/1.png", "x/train/b/2.png", "x/Test/a/3.png"]
    layout = arrange(paths)
    assert divided(layout, paths) == {
        "x/train/a/1.png": ("train", "a"),
        "x/train/b/2.png": ("train", "b"),
        "x/Test/a/3.png": ("test", "a"),
    }
    assert layout.has_test_split


def test_a_validation_folder_beside_both_joins_the_training_pictures():
    paths = ["train/a/1.png", "valid/a/2.png", "test/a/3.png"]
    layout = arrange(paths)
    assert [placed.split for placed in layout.placed] == ["train", "train", "test"]
    assert "valid/ is part of the training pictures." in layout.notes


def test_a_validation_folder_without_a_test_folder_is_the_test_split():
    layout = arrange(["train/a/1.png", "train/b/2.png", "val/a/3.png", "val/b/4.png"])
    assert [placed.split for placed in layout.placed] == ["train", "train", "test", "test"]
    assert layout.notes == ("val/ is part of the test split.",)


def test_folders_called_train_and_bus_are_classes():
    assert arrange(["train/1.png", "test/2.png"]).classes == ("test", "train")
    assert arrange(["train/x/1.png", "bus/x/2.png"]).classes == ("bus", "train")


def test_loose_pictures_are_named_and_left_out():
    layout = arrange(["1.png", "a/2.png", "b/3.png"])
    assert layout.loose == (0,)
    assert [placed.file for placed in layout.placed] == [1, 2]


def test_files_of_file_managers_are_ignored():
    paths = [
        "__MACOSX/a/._1.png",
        "a/.hidden.png",
        ".git/b/1.png",
        "a/Thumbs.db",
        "a/readme.txt",
        "a/1.png",
    ]
    layout = arrange(paths)
    assert [placed.file for placed in layout.placed] == [5]
    assert layout.loose == ()


def test_classes_that_differ_in_capital_letters_are_kept_apart_with_a_note():
    layout = arrange(["A/1.png", "a/2.png", "b/3.png"])
    assert layout.classes == ("A", "a", "b")
    assert layout.notes == (
        "Names that differ only in capital letters are separate classes: A, a.",
    )


def test_names_of_any_script_are_classes_and_composed_in_one_way():
    apart = unicodedata.normalize("NFD", "Häuser")
    layout = arrange(["猫/1.png", "собака/1.png", f"{apart}/1.png", "Häuser/2.png", "🐈/1.png"])
    assert layout.classes == ("Häuser", "собака", "猫", "🐈")


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        ([], "No picture was found.*Make one folder per class"),
        (["readme.txt", "a/notes.md"], "No picture was found"),
        (["1.png", "2.png"], "2 pictures found, but not inside a folder"),
        (["a\nb/1.png"], r"'a\\nb' is not a valid name"),
        (["x" * 101 + "/1.png"], "is not a valid name"),
        ([f"{number}/1.png" for number in range(MAX_CLASSES + 1)], "1,001 class folders"),
    ],
)
def test_paths_without_valid_classes_are_refused(paths: list[str], sentence: str):
    with pytest.raises(DataError, match=sentence):
        arrange(paths)


parts = st.sampled_from(["a", "b", "train", "test", "val", "Train", "x.png", "1.jpg", ".h", ""])


@given(st.lists(st.lists(parts, min_size=1, max_size=5).map("/".join), max_size=12))
def test_any_list_of_paths_is_divided_or_refused(paths: list[str]):
    try:
        layout = arrange(paths)
    except DataError:
        return
    files = [placed.file for placed in layout.placed] + list(layout.loose)
    assert len(files) == len(set(files))
    assert {placed.label for placed in layout.placed} == set(range(len(layout.classes)))
    assert len({bool(placed.split) for placed in layout.placed}) == 1
