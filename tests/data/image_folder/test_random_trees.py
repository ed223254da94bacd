"""Random folder trees with a known truth: read rightly, or asked, never silently wrong."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from cnnlib.data.image_folder.layout import arrange

TREES = 500
CLASSES = [
    "cat",
    "dog",
    "Bus",
    "train",
    "test tube",
    "Häuser",
    "猫",
    "0",
    "9",
    "n01440764",
    "images",
]
SPLIT_NAMES = [
    ("train", "val", "test"),
    ("Training", "Validation", "Testing"),
    ("TRAIN", "VALID", "TEST"),
    ("training_set", "validation_set", "test_set"),
    ("seg_train", "seg_val", "seg_test"),
    ("train-images", "val-images", "test-images"),
    ("TrainData", "ValData", "TestData"),
    ("pets train 2017", "pets val 2017", "pets test 2017"),
]
SPLITS = ("train", "validation", "test")
WRAPPERS = ["", "dataset/", "archive/pets/", "data/", "Mein Ordner/"]
SUFFIXES = [".jpg", ".JPEG", ".png", ".heic", "", ".ppm"]


@dataclass
class Tree:
    """Paths with the truth about them.

    Args:
        truth: Split and class by path; None for a file that belongs to no class.
    """

    truth: dict[str, tuple[str, str] | None] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)


def random_tree(seed: int) -> Tree:
    """Make a tree of one of the kinds that people publish, with disturbances."""
    draw = random.Random(seed)
    tree = Tree()
    classes = draw.sample(CLASSES, draw.randint(2, 6))
    names = dict(zip(SPLITS, draw.choice(SPLIT_NAMES), strict=True))
    used = draw.choice([(), ("train",), ("train", "test"), ("train", "validation"), SPLITS])
    wrapper = draw.choice(WRAPPERS)
    order = draw.choice(["split first", "class first"]) if "test" in used else "split first"
    inner = draw.choice(["", "", "own"]) if order == "split first" and used else ""
    blanks = random.Random(-seed)
    spaced = {
        (name, split): name + blanks.choice(["", "", "", " "])
        for name in classes
        for split in ("", *SPLITS)
    }
    tree.kinds += [order, inner, wrapper, *used]
    for split in used or ("train",):
        for name in classes:
            deeper = draw.choice(["", "", "", "old/", "a/b/"]) if order == "split first" else ""
            own = f"{names[split]}/" if inner else ""
            above = f"{names[split]}/{own}" if used else ""
            if order == "class first":
                folder = f"{spaced[name, '']}/{names[split]}/"
            else:
                folder = f"{above}{spaced[name, split]}/"
            for number in range(draw.randint(1, 5)):
                path = f"{wrapper}{folder}{deeper}{number}{draw.choice(SUFFIXES)}"
                tree.truth[path] = (split, name)
    _disturb(tree, draw, wrapper, names if order == "split first" and used else {})
    return tree


def _disturb(tree: Tree, draw: random.Random, wrapper: str, names: dict[str, str]) -> None:
    whole = dict(tree.truth)
    if draw.random() < 0.3:
        tree.truth[f"{wrapper}overview.png"] = None
    if draw.random() < 0.3:
        tree.truth |= {f"{wrapper}labels.csv": None, "readme.txt": None}
    if draw.random() < 0.2:
        tree.truth |= {f"__MACOSX/{path}": None for path in list(whole)[:3]}
    if names and draw.random() < 0.3:
        tree.kinds.append("unlabelled")
        tree.truth |= {f"{wrapper}Meta/{number}.png": None for number in range(4)}
    if names and "test" not in tree.kinds and draw.random() < 0.4:
        tree.kinds.append("unlabelled test")
        tree.truth |= {f"{wrapper}{names['test']}/{number}.png": None for number in range(4)}
    if wrapper and draw.random() < 0.2:
        tree.kinds.append("repeated")
        last = wrapper.rstrip("/").rpartition("/")[2]
        tree.truth |= {f"{wrapper}{last}/{path[len(wrapper) :]}": None for path in whole}


@pytest.mark.parametrize("start", range(0, TREES, 50))
def test_random_trees_are_read_rightly_or_asked(start: int):
    asked = 0
    for seed in range(start, start + 50):
        tree = random_tree(seed)
        paths = sorted(tree.truth)
        layout = arrange(paths)
        asked += bool(layout.questions)
        if layout.questions:
            continue
        found = {
            paths[each.file]: (each.split, layout.classes[each.label]) for each in layout.placed
        }
        expected = {path: truth for path, truth in tree.truth.items() if truth is not None}
        assert found == expected, (seed, tree.kinds)
        visible = [path for path in paths if not path.startswith("__MACOSX")]
        assert len(layout.placed) + len(layout.unused) == len(visible)
    assert asked <= 10, "most of these trees have one meaning"


def test_a_large_tree_is_read_at_once():
    classes = [f"class {number}" for number in range(200)]
    paths = [f"big/{s}/{c}/{n}.jpg" for s in ("train", "test") for c in classes for n in range(25)]
    layout = arrange(paths)
    assert Counter(each.split for each in layout.placed) == {"train": 5_000, "test": 5_000}
    assert len(layout.classes) == 200
