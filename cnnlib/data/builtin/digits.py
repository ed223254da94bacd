"""The ``digits`` dataset: 1,797 handwritten digits, enlarged to MNIST's 28x28.

They are those of scikit-learn, from a file of this package; its licence lies beside it.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from cnnlib.data.fingerprint import split_by_content
from cnnlib.data.prepared_writer import PreparedContent, save_array
from cnnlib.errors import DataError
from cnnlib.records.job import Progress
from cnnlib.vocabulary.datasets import BUILTIN

if TYPE_CHECKING:
    from collections.abc import Generator

FILE = Path(__file__).with_name("digits.csv.gz")
SIDE = 28
BOX = 20  # as in MNIST, a digit fills a box of 20x20 in the centre of 28x28
_BRIGHTEST = 16  # grey levels are 0..16


def prepare_digits(folder: Path) -> Generator[Progress, None, PreparedContent]:
    """Write the four arrays of ``digits`` to ``folder``."""
    dataset = BUILTIN["digits"]
    yield Progress(0.0, "reading the digits")
    small, labels = read_digits()
    digests = [hashlib.blake2b(picture.tobytes(), digest_size=16).digest() for picture in small]
    images = enlarge(small)[:, None]  # N x 1 x 28 x 28
    train, test = split_by_content(digests, labels)
    for split, indices in (("train", train), ("test", test)):
        save_array(folder, f"{split}_images", images[indices])
        save_array(folder, f"{split}_labels", labels[indices])
    return PreparedContent(dataset.title, dataset.classes, dataset.note, {"kind": dataset.form})


def read_digits() -> tuple[np.ndarray, np.ndarray]:
    """Read the 8x8 pictures and their labels, equal to ``sklearn.datasets.load_digits``.

    Returns:
        N x 8 x 8 uint8 with values 0..16, and N labels.

    Raises:
        DataError: The file is missing or damaged.
    """
    try:
        with gzip.open(FILE, "rt") as file:
            rows = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(
            f"The digits cannot be read ({error}), but they are part of CNN Lab. Install it again."
        ) from error
    return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(np.int64)


def enlarge(pictures: np.ndarray) -> np.ndarray:
    """Enlarge 8x8 pictures with values 0..16 to 28x28 uint8: 20x20 (bicubic) and a zero border.

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
