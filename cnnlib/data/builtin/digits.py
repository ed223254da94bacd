"""The embedded dataset: scikit-learn's 1,797 handwritten digits, enlarged to MNIST's 28x28."""

from __future__ import annotations

import gzip
import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from cnnlib.data.builtin.datasets import BUILTIN
from cnnlib.data.fingerprint import split_by_content
from cnnlib.data.prepared_writer import PreparedContent, save_array
from cnnlib.errors import DataError
from cnnlib.records.job import Progress

if TYPE_CHECKING:
    from collections.abc import Generator

SIDE = 28
BOX = 20  # as MNIST's own digits: a box of 20x20 in the middle of 28x28
_BRIGHTEST = 16  # the pictures count 0..16


def make_digits(folder: Path) -> Generator[Progress, None, PreparedContent]:
    """Write the four arrays of ``digits`` into ``folder``."""
    known = BUILTIN["digits"]
    yield Progress(0.0, "reading the digits that come with scikit-learn")
    small, labels = read_digits()
    digests = [hashlib.blake2b(picture.tobytes(), digest_size=16).digest() for picture in small]
    images = enlarge(small)[:, None]  # N x 1 x 28 x 28
    train, test = split_by_content(digests, labels)
    for split, indices in (("train", train), ("test", test)):
        save_array(folder, f"{split}_images", images[indices])
        save_array(folder, f"{split}_labels", labels[indices])
    return PreparedContent(known.title, known.classes, known.note, {"kind": known.form})


def read_digits() -> tuple[np.ndarray, np.ndarray]:
    """The 8x8 pictures and their labels, as ``sklearn.datasets.load_digits`` gives them.

    Reads the file in the package without importing it, which would take seconds.

    Returns:
        N x 8 x 8 uint8 with values 0..16, and N labels.
    """
    package = find_spec("sklearn")
    places = package.submodule_search_locations if package else None
    root = Path(places[0]) if places else Path("sklearn")
    path = root / "datasets" / "data" / "digits.csv.gz"
    try:
        with gzip.open(path, "rt") as file:
            rows = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(
            f"The digits that come with scikit-learn cannot be read ({error}). Install "
            "scikit-learn again."
        ) from error
    return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(np.int64)


def enlarge(pictures: np.ndarray) -> np.ndarray:
    """Pictures of 8x8 with values 0..16 as 28x28 uint8: 20x20 (bicubic) in a border of zeros.

    Args:
        pictures: N x 8 x 8.

    Returns:
        N x 28 x 28.
    """
    grey = np.round(pictures.astype(np.float64) * (255 / _BRIGHTEST)).astype(np.uint8)
    bicubic = Image.Resampling.BICUBIC
    boxes = [np.asarray(Image.fromarray(one).resize((BOX, BOX), bicubic)) for one in grey]
    border = (SIDE - BOX) // 2
    return np.pad(np.stack(boxes), ((0, 0), (border, border), (border, border)))
