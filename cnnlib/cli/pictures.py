"""Pictures in files that commands are given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cnnlib.cli.parser import shown
from cnnlib.errors import DataError

if TYPE_CHECKING:
    import numpy as np

_MOST_BYTES = 100_000_000


def file_picture(path: str, size: int, channels: int) -> np.ndarray:
    """The square in the middle of a picture, brought to a size: C x size x size, uint8.

    Raises:
        DataError: It is not there, or no picture.
    """
    from cnnlib.data.image_folder.image_decoder import BrokenPicture, decode

    try:
        with Path(path).open("rb") as file:
            return decode(file.read(_MOST_BYTES), size, channels)
    except (OSError, ValueError, BrokenPicture) as error:  # ValueError: no name of a file
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(
            f"The picture {shown(path)} cannot be read: {why}. Choose another."
        ) from error
