"""Classes and splits from file paths."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlib.data.image_folder.archive_reader import open_zip
from cnnlib.data.image_folder.layout import MAX_CLASSES, Layout, arrange
from cnnlib.data.image_folder.roles import NO_CLASSES
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


def test_train_and_test_are_kept():
    paths = ["x/train/a/1.png", "x/train/b/2.png", "x/Test/a/3.png"]
    layout = arrange(paths)
    assert divided(layout, paths) == {
        "x/train/a/1.png": ("train", "a"),
        "x/train/b/2.png": ("train", "b"),
        "x/Test/a/3.png": ("test", "a"),
    }
    assert layout.has_test_split


@pytest.mark.parametrize("name", ["val", "Valid", "validation", "ValidationData"])
def test_a_validation_folder_is_the_validation_split(name: str):
    paths = ["train/a/1.png", f"{name}/a/2.png", "test/a/3.png"]
    assert [split for split, _ in divided(arrange(paths), paths).values()] == [
        "train",
        "validation",
        "test",
    ]
    without_test = arrange(paths[:2])
    assert without_test.splits == {"train", "validation"}
    assert not without_test.has_test_split


def test_a_class_that_is_called_like_a_split_is_a_warning():
    layout = arrange(["train/1.png", "bus/2.png", "car/3.png"])
    assert layout.classes == ("bus", "car", "train")
    assert not layout.questions
    assert "train is called like a split, but taken for a class." in layout.notes


def test_stray_pictures_are_named_and_left_out():
    layout = arrange(["1.png", "a/2.png", "b/3.png"])
    assert layout.unused == ((0, "it is not inside a class folder"),)
    assert [placed.file for placed in layout.placed] == [1, 2]
    assert layout.notes == ("Left out, because not inside a class folder: 1.png.",)


CASES = Path(__file__).parents[2] / "cases"


@pytest.mark.parametrize(
    ("name", "counts", "left_out"),
    [
        ("brain.zip", {(s, c): 6 for s in ("train", "test") for c in ("glioma", "notumor")}, {}),
        (
            "intel.zip",
            {(s, c): 6 for s in ("train", "test") for c in ("buildings", "sea", "street")},
            {"seg_pred/ is neither a split nor a class": 6},
        ),
        (
            "stray.zip",
            {(s, c): 6 for s in ("train", "test") for c in ("cat", "dog")},
            {"it is not inside a class folder": 1},
        ),
        (
            "unlabelled_test.zip",
            {("train", "cat"): 6, ("train", "dog"): 6},
            {"test/ has no class folders, so its pictures have no label": 6},
        ),
    ],
)
def test_published_layouts(name: str, counts: dict, left_out: dict[str, int]):
    with open_zip(CASES / name) as files:
        layout = arrange(files.paths, files.folders)
    assert Counter((each.split, layout.classes[each.label]) for each in layout.placed) == counts
    assert Counter(each.reason for each in layout.unused) == left_out
    assert not layout.questions


def folders(*names: str) -> list[str]:
    """Two pictures in each folder."""
    return [f"{name}/{number}.jpg" for name in names for number in range(2)]


def sizes(layout: Layout) -> dict[tuple[str, str], int]:
    return dict(Counter((each.split, layout.classes[each.label]) for each in layout.placed))


BOTH = {(split, name): 2 for split in ("train", "test") for name in ("cat", "dog")}


@pytest.mark.parametrize(
    "pair",
    [
        ("Training", "TESTING"),
        ("training_set", "test_set"),
        ("asl_train", "asl_test"),
        ("TrainSet", "TestSet"),
        ("trainset", "testset"),
        ("train-images", "test-images"),
        ("pets train 2017", "pets test 2017"),
        ("data/train", "data/test"),
        ("train/train", "test/test"),
        ("train/data/images", "test"),
    ],
)
def test_names_of_splits_in_use(pair: tuple[str, str]):
    layout = arrange(folders(*(f"{split}/{name}" for split in pair for name in ("cat", "dog"))))
    assert sizes(layout) == BOTH
    assert not layout.questions
    assert not layout.unused


def test_splits_inside_the_classes():
    layout = arrange(folders("x/cat/train", "x/cat/test", "x/dog/train", "x/dog/test"))
    assert sizes(layout) == BOTH
    assert not layout.questions


def test_a_test_folder_beside_the_classes():
    layout = arrange(folders("cat", "dog", "test/cat", "test/dog"))
    assert sizes(layout) == BOTH
    assert not layout.questions


@pytest.mark.parametrize("top", ["", "pets/"])
def test_a_tree_that_is_there_twice_counts_once(top: str):
    once = [f"{split}/{name}" for split in ("train", "test") for name in ("cat", "dog")]
    layout = arrange(folders(*(f"{top}{each}" for each in once + [f"pets/{x}" for x in once])))
    assert sizes(layout) == BOTH
    assert {each.reason for each in layout.unused} == {f"{top}pets/ repeats the folders beside it"}


def test_a_repeated_tree_with_other_pictures_is_a_question():
    paths = [*folders("cat", "dog", "more/cat", "more/dog"), "more/cat/new.jpg"]
    (question,) = arrange(paths).questions
    assert question.paths == ("more",)
    answered = arrange(paths, roles={"more": "group"})
    assert sizes(answered) == {("train", "cat"): 5, ("train", "dog"): 4}
    assert not answered.questions


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        (("train", "test"), {"train", "test"}),
        (("trainA", "trainB", "testA", "testB"), {"trainA", "trainB", "testA", "testB"}),
        (("train/images", "val/images"), {"train", "val"}),
        (("cat", "dog", "test"), {"test"}),
        (("cat", "dog", "unlabelled"), {"unlabelled"}),
        (("train", "bus"), {"train"}),
        (("train/x", "bus/x"), {"train", "bus"}),
        (("train/cat", "train/dog", "extra/cat"), {"extra"}),
        (("train/cat", "train/dog", "test/n1", "test/n2"), {"test"}),
        (("val/cat", "val/dog", "test/cat", "test/dog"), {"val", "test"}),
        (("siteA/cat", "siteA/dog", "siteB/cat", "siteB/dog"), {"siteA", "siteB"}),
        (("covid/images", "covid/masks", "well/images", "well/masks"), {"covid", "well"}),
        (("cat/train", "cat/test", "dog"), {"cat", "dog"}),
        (("fast_train/cat", "fast_train/dog", "x"), {"fast_train"}),
    ],
)
def test_what_names_do_not_decide_is_asked(names: tuple[str, ...], asked: set[str]):
    layout = arrange(folders(*names))
    assert {path for question in layout.questions for path in question.paths} == asked
    with pytest.raises(DataError, match="can be understood in several ways"):
        layout.check_certain("folder:x")


@pytest.mark.parametrize("role", ["class", "unused", "train", "validation", "test", "group"])
def test_an_answer_ends_the_question(role: str):
    layout = arrange(folders("cat", "dog", "test"), roles={"test": role})
    assert not layout.questions
    used = {each.file for each in layout.placed}
    assert ({4, 5} <= used) == (role == "class")


def test_a_split_without_classes_says_that_it_gives_no_pictures():
    layout = arrange(folders("cat", "dog", "test"), roles={"test": "test"})
    assert layout.folders[-1] == ("test", "test", 2, NO_CLASSES)


def test_the_sentence_about_questions_can_be_pasted_into_a_shell():
    layout = arrange(folders("site A/cat", "site A/dog", "site B/cat", "site B/dog"))
    command = (
        "python -m cnnlib data prepare 'folder:two sites' "
        "--folder 'site A'=ROLE --folder 'site B'=ROLE"
    )
    with pytest.raises(DataError) as refused:
        layout.check_certain("folder:two sites")
    assert command in str(refused.value)


def test_roles_by_hand_are_stronger_than_names():
    paths = folders("train/cat", "train/dog", "test/cat", "test/dog", "holdout/cat")
    roles = {"test": "unused", "holdout": "test", "train/dog": "unused"}
    layout = arrange(paths, roles=roles)
    assert sizes(layout) == {("train", "cat"): 2, ("test", "cat"): 2}
    assert not layout.questions
    gone = arrange(paths, roles=roles | {"gone/away": "test"})
    assert "Not there any more: gone/away." in gone.notes


def test_classes_of_several_sites_are_joined_where_the_sites_are_groups():
    paths = folders("siteA/cat", "siteA/dog", "siteB/cat", "siteB/dog")
    layout = arrange(paths, roles={"siteA": "group", "siteB": "group"})
    assert sizes(layout) == {("train", "cat"): 4, ("train", "dog"): 4}


def test_a_class_that_another_split_writes_otherwise_is_one_class():
    layout = arrange(folders("train/Cat", "train/dog", "test/cat", "test/dog"))
    assert layout.classes == ("Cat", "dog")
    assert "Taken for the same class with other capital letters: cat." in layout.notes


def test_empty_classes_are_said():
    paths = [*folders("train/a", "train/b", "test/a"), "train/texts/1.txt"]
    layout = arrange(paths, ["train/nothing"])
    assert "Without a picture: train/nothing/, train/texts/." in layout.notes


def test_spaces_around_the_name_of_a_folder_are_no_part_of_the_class():
    layout = arrange(["train /cat /1.png", "train /dog/2.png", "test/ cat/3.png", "test/dog/4.png"])
    assert sizes(layout) == {
        ("train", "cat"): 1,
        ("train", "dog"): 1,
        ("test", "cat"): 1,
        ("test", "dog"): 1,
    }
    assert not layout.questions
    assert (
        "Spaces before and after the names of folders are ignored: 'test/ cat', 'train ', "
        "'train /cat '." in layout.notes
    )


def test_folders_inside_a_class_are_listed_and_can_have_a_role():
    paths = ["cat/old/1.png", "cat/new/a/2.png", "cat/new/b/3.png", "dog/4.png"]
    rows = {row.path: (row.role, row.pictures) for row in arrange(paths).folders}
    assert rows == {
        "cat": ("class", 3),
        "cat/new": ("part", 2),
        "cat/new/a": ("part", 1),
        "cat/new/b": ("part", 1),
        "cat/old": ("part", 1),
        "dog": ("class", 1),
    }
    changed = arrange(paths, roles={"cat/new/a": "test", "cat/old": "unused", "cat/new": "part"})
    assert sizes(changed) == {("test", "cat"): 1, ("train", "cat"): 1, ("train", "dog"): 1}


def test_a_class_inside_a_class_makes_the_outer_folder_a_group():
    paths = ["pets/cat/1.png", "pets/cat/2.png", "pets/dog/3.png", "car/4.png"]
    assert arrange(paths).classes == ("car", "pets")
    layout = arrange(paths, roles={"pets/cat": "class"})
    assert layout.classes == ("car", "cat", "dog")
    with pytest.raises(DataError, match="pets/ is set to be a class, so a folder inside cannot"):
        arrange(paths, roles={"pets": "class", "pets/cat": "class"})


@pytest.mark.parametrize(
    ("roles", "found"),
    [
        ({"cat": "unused", "dog": "unused"}, "cat/ was left out by hand; dog/ was left out"),
        ({"cat": "test", "dog": "unused"}, "cat/ has no class folders"),
    ],
)
def test_leaving_out_all_training_pictures_is_refused(roles: dict[str, str], found: str):
    with pytest.raises(DataError, match=rf"None of 4 pictures is a training picture.*{found}"):
        arrange(folders("cat", "dog"), roles=roles)


def test_files_with_any_suffix_are_placed_and_texts_are_counted():
    paths = ["a/1.heic", "a/2", "a/3.ppm", "b/4.xyz", "b/notes.txt", "b/5.jpg", "labels.csv"]
    layout = arrange(paths)
    assert [placed.file for placed in layout.placed] == [0, 1, 2, 3, 5]
    assert layout.unused == ((4, "it is not a picture"), (6, "it is not a picture"))


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
    assert layout.unused == ((4, "it is not a picture"),)


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
        (["readme.txt", "a/notes.md"], r"No picture .* among 2 files \(readme.txt, notes.md\)"),
        ([" /1.png"], "'' is not a valid name"),
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
    files = [each.file for each in (*layout.placed, *layout.unused)]
    hidden = [any(part.startswith(".") for part in path.split("/")) for path in paths]
    assert sorted(files) == [index for index, is_hidden in enumerate(hidden) if not is_hidden]
    assert {placed.label for placed in layout.placed} == set(range(len(layout.classes)))
    assert all(each.reason for each in layout.unused)
