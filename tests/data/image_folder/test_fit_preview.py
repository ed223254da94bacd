"""Examples of the fits: which pictures are chosen, and what is made of them."""

from __future__ import annotations

import numpy as np
from sample_data import encoded, write_folder, write_zip

from cnnlib.data.image_folder.fit_preview import fit_examples
from cnnlib.data.image_folder.image_decoder import decode
from cnnlib.data.image_folder.sources import folder_source
from cnnlib.records.folders import Folders


def source_of(files: dict[str, bytes]):
    folders = Folders.from_environment()
    write_zip(folders.data / "own.zip", files)
    return folder_source("folder:own", folders)


def test_the_examples_are_pictures_that_are_not_square_in_each_fit():
    wide = encoded(1, (16, 8))
    source = source_of({"a/0.png": encoded(), "a/1.png": wide, "b/notes.txt": b"no picture"})
    [example] = fit_examples(source, size=16, channels=1)
    assert (example.path, example.width, example.height) == ("a/1.png", 16, 8)
    assert list(example.fitted) == ["crop", "pad", "stretch"]
    for fit, pixels in example.fitted.items():
        assert np.array_equal(pixels, decode(wide, 16, 1, fit))


def test_square_pictures_give_no_example():
    assert fit_examples(source_of({"a/0.png": encoded(), "b/1.png": encoded(1)}), 16, 3) == []


def test_the_examples_are_spread_over_the_dataset():
    files = {f"{c}/{n:02}.png": encoded(n, (9, 8)) for c in "abcd" for n in range(24)}
    examples = fit_examples(source_of(files), 8, 3)
    assert [example.path for example in examples] == ["a/00.png", "a/04.png", "a/08.png"]


def test_a_directory_has_examples_too():
    folders = Folders.from_environment()
    write_folder(folders.data / "own", {"a/0.png": encoded(0, (8, 9)), "b/1.png": encoded(1)})
    [example] = fit_examples(folder_source("folder:own", folders), 8, 3)
    assert example.path == "a/0.png"
