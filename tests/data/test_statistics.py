"""Statistics of datasets: pictures per class, and duplicate pictures."""

from __future__ import annotations

import json

import pytest
from sample_data import class_folders, encoded, prepared_now, write_folder

from cnnlib.cli.main import main
from cnnlib.data.catalogue import dataset_info
from cnnlib.data.image_folder.split_names import SPLITS
from cnnlib.data.prepared import load_prepared
from cnnlib.data.statistics import (
    ClassCount,
    class_counts,
    class_warnings,
    describe_imbalance,
    duplicates,
)
from cnnlib.records.folders import Folders


def test_pictures_are_counted_by_class_and_split():
    folders = Folders.from_environment()
    files = class_folders({"a": 3, "b": 2}, "train/") | class_folders({"b": 1}, "test/", first=9)
    files |= class_folders({"a": 2}, "val/", first=20)
    write_folder(folders.data / "own", files)
    data = prepared_now("folder:own")
    assert class_counts(data) == (ClassCount("a", 3, 2, 0), ClassCount("b", 2, 0, 1))
    assert data.info.counts_text == "5 training pictures, 2 validation pictures, 1 test picture"
    labels = {split: data.split_arrays(split)[1].tolist() for split in SPLITS}
    assert sorted(labels["train"]) == [0, 0, 0, 1, 1]
    assert (labels["validation"], labels["test"]) == ([0, 0], [1])


@pytest.mark.parametrize(
    ("counts", "sentences"),
    [
        ([("a", 2, 0, 1), ("b", 2, 0, 1)], []),
        ([("a", 4, 0, 1)], ["There is only one class, a, so"]),
        (
            [("a", 4, 0, 1), ("b", 0, 2, 3), ("c", 0, 0, 4)],
            ["Without a training picture: b, c. A network cannot learn these classes. 2 "],
        ),
        (
            [("a", 4, 0, 1), ("b", 1, 0, 0)],
            ["With only one training picture: b.", "Without a test picture: b."],
        ),
        ([("a", 2, 0, 0), ("b", 2, 0, 0)], ["There is no test picture, so no test accuracy"]),
    ],
)
def test_classes_that_make_a_result_worth_less_are_warned_of(counts: list, sentences: list[str]):
    warnings = class_warnings([ClassCount(*each) for each in counts])
    assert len(warnings) == len(sentences)
    for warning, start in zip(warnings, sentences, strict=True):
        assert warning.startswith(start)


def test_warnings_are_the_same_before_and_after_the_preparation():
    folders = Folders.from_environment()
    files = class_folders({"a": 3, "b": 3}, "train/") | class_folders(
        {"a": 1, "c": 2}, "test/", first=9
    )
    write_folder(folders.data / "own", files)
    before = dataset_info("folder:own").warnings
    assert (
        before
        == prepared_now("folder:own").info.warnings
        == load_prepared("folder:own").info.warnings
    )
    assert [each.partition(".")[0] for each in before] == [
        "Without a training picture: c",
        "Without a test picture: b",
    ]


def test_equal_pictures_are_found_within_and_across_splits():
    folders = Folders.from_environment()
    pictures = [encoded(number) for number in range(5)]
    files = {
        "train/a/0.png": pictures[0],
        "train/a/0-again.png": pictures[0],
        "train/a/1.png": pictures[1],
        "train/b/1-as-b.png": pictures[1],
        "train/b/2.png": pictures[2],
        "test/a/0.png": pictures[0],
        "test/b/3.png": pictures[3],
        "test/b/3-again.png": pictures[3],
        "test/b/4.png": pictures[4],
    }
    write_folder(folders.data / "own", files)
    own = prepared_now("folder:own")
    found = duplicates(own)
    assert (found.train_repeats, found.test_repeats) == (2, 1)
    ((train, test),) = found.across
    assert (own.train_images[train] == own.test_images[test]).all()
    ((one, other),) = found.contradictions
    assert own.train_labels[one] != own.train_labels[other]
    assert (own.train_images[one] == own.train_images[other]).all()


def test_a_dataset_without_a_test_split_has_no_duplicates_across():
    folders = Folders.from_environment()
    write_folder(folders.data / "own", class_folders({"a": 1, "b": 1}))
    found = duplicates(prepared_now("folder:own"))
    assert (found.across, found.train_repeats, found.test_repeats) == ((), 0, 0)


def test_data_show_prints_the_statistics_of_a_dataset(capsys):
    data = prepared_now("digits")
    assert main(["data", "show", "digits", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert sum(each["train"] for each in shown["per_class"]) == data.info.train_count
    assert shown["mean"] == list(data.info.mean)
    assert shown["duplicates"]["across"] == [] and shown["skipped"] == []
    assert main(["data", "show", "digits"]) == 0
    assert "pictures in both splits" in capsys.readouterr().out
    assert main(["data", "show", "mnist"]) == 2
    assert "mnist" in capsys.readouterr().err


def test_classes_that_differ_three_times_in_size_are_said():
    counts = {"cat": 90, "dog": 30, "eel": 0}
    cat, dog, empty = (ClassCount(name, train, 0, 0) for name, train in counts.items())
    assert describe_imbalance([cat, dog, empty]).startswith(
        "The classes are unequal: cat has 90 training pictures, dog 30."
    )
    assert describe_imbalance([ClassCount("cat", 89, 0, 0), dog, empty]) == ""
    assert describe_imbalance([empty]) == ""


def test_data_show_says_unequal_classes_and_few_validation_pictures(capsys):
    write_folder(Folders.from_environment().data / "own", class_folders({"cat": 24, "dog": 4}))
    assert main(["data", "prepare", "folder:own"]) == 0
    capsys.readouterr()
    assert main(["data", "show", "folder:own", "--json"]) == 0
    unequal, few = json.loads(capsys.readouterr().out)["notes"]
    assert unequal.startswith("The classes are unequal: cat has")
    assert few.startswith("With 2 validation pictures, accuracy moves in steps of 50.0 points")
