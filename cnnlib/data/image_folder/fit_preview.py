"""Examples of the ways in which pictures that are not square are fitted into a square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnlib.data.image_folder.archive_reader import Files, UnreadableFile, open_files
from cnnlib.data.image_folder.image_decoder import BrokenPicture, decode, decode_picture
from cnnlib.vocabulary.datasets import CROP, FITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from cnnlib.data.image_folder.sources import FolderSource

_MOST_OPENED = 24  # files that are opened to find pictures that are not square


@dataclass(frozen=True, eq=False)
class FitExample:
    """A picture that is not square, fitted in each way.

    Args:
        path: In the dataset.
        fitted: By name of the fit: channels x size x size, uint8.
    """

    path: str
    width: int
    height: int
    fitted: Mapping[str, np.ndarray]


def fit_examples(
    source: FolderSource, size: int, channels: int, count: int = 3
) -> list[FitExample]:
    """Find pictures that are not square, spread over the dataset; [] if none is found.

    Files that cannot be read are passed over here: the preparation lists them.

    Raises:
        DataError: The dataset is not a zip, it is unsafe, or it has too many files.
    """
    found: list[FitExample] = []
    with open_files(source) as files:
        step = max(1, len(files.paths) // _MOST_OPENED)
        for index in range(0, len(files.paths), step):
            example = _example(files, index, size, channels)
            if example is not None:
                found.append(example)
            if len(found) == count or index >= step * _MOST_OPENED:
                break
    return found


def _example(files: Files, index: int, size: int, channels: int) -> FitExample | None:
    """Fit one picture in each way; None if it is square, or cannot be read."""
    try:
        content = files.read(index)
        cropped = decode_picture(content, size, channels, CROP)
    except (UnreadableFile, BrokenPicture):
        return None
    if cropped.width == cropped.height:
        return None
    fitted = {name: decode(content, size, channels, name) for name in FITS}
    return FitExample(files.paths[index], cropped.width, cropped.height, fitted)
