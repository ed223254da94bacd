"""Reader of the idx file format of MNIST and Fashion-MNIST, packed with gzip or not."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

# MD5 of MNIST's unpacked files, to detect other files of the same name.
PUBLISHED_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
_LARGEST_BYTES = 1 << 30
_UNSIGNED_BYTE = 0x08
_GZIP = b"\x1f\x8b"  # the first bytes of a packed file, whatever its name


@dataclass(frozen=True)
class IdxSummary:
    """What a file holds, without its values.

    Args:
        highest: The highest value, of labels the highest label.
        md5: MD5 of the unpacked file.
        problem: Sentence on a file that cannot be used; "" for any other.
    """

    shape: tuple[int, ...] = ()
    highest: int = 0
    md5: str = ""
    problem: str = ""


def summarise_idx(path: Path) -> IdxSummary:
    """Read the whole file once, and again only after it has changed."""
    status = path.stat()
    return _summary(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _summary(path: Path, size_bytes: int, mtime_ns: int) -> IdxSummary:
    try:
        values, md5 = read_idx(path)
    except DataError as error:
        return IdxSummary(problem=str(error))
    return IdxSummary(values.shape, int(values.max(initial=0)), md5)


def read_idx(path: Path) -> tuple[np.ndarray, str]:
    """Read one file, plain or packed with gzip.

    The header is two zero bytes, the type (8 is uint8), the number of dimensions, and each size as
    a big-endian 32-bit integer (LeCun, Cortes and Burges, "The MNIST database").

    Returns:
        The uint8 array, and the MD5 of the unpacked file.

    Raises:
        DataError: The file cannot be read, or is not a complete idx file of unsigned bytes.
    """
    try:
        with path.open("rb") as file:
            is_packed = file.read(2) == _GZIP
        content = _unpacked(path) if is_packed else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read ({error}). Replace it with the original file, or delete it to "
            "download it again."
        ) from error
    return _parse(content, path), hashlib.md5(content, usedforsecurity=False).hexdigest()


def _unpacked(path: Path) -> bytes:
    with gzip.open(path) as file:
        content = file.read(_LARGEST_BYTES + 1)
    if len(content) > _LARGEST_BYTES:
        raise DataError(
            f"{path} unpacks to more than {_LARGEST_BYTES:,} bytes, the maximum. Replace it with "
            "the original file, or delete it to download it again."
        )
    return content


def _parse(content: bytes, path: Path) -> np.ndarray:
    dimensions = content[3] if len(content) >= 4 else 0
    start = 4 + 4 * dimensions
    is_idx = content[:2] == b"\0\0" and content[2:3] == bytes([_UNSIGNED_BYTE])
    if not is_idx or not 1 <= dimensions <= 3 or len(content) < start:
        raise DataError(
            f"{path} is not an idx file of unsigned bytes. "
            "Replace it with the original file, or delete it to download it again."
        )
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", dimensions, offset=4))
    wanted = start + int(np.prod(shape, dtype=object))
    if len(content) != wanted:
        raise DataError(
            f"{path} has {len(content):,} bytes, but its header gives {wanted:,}. "
            "The file is incomplete: copy it again, or delete it to download it again."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
