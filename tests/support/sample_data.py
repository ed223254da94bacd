"""Small datasets for tests: pictures, zips of pictures, and MNIST's files."""

from __future__ import annotations

import atexit
import io
import shutil
import zipfile
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from cnnlib.data.prepare import prepare
from cnnlib.data.prepared import Prepared, is_prepared, load_prepared
from cnnlib.records.folders import Folders

if TYPE_CHECKING:
    from collections.abc import Mapping


def encoded(
    number: int = 0, size: tuple[int, int] = (8, 8), form: str = "PNG", mode: str = "RGB"
) -> bytes:
    """The content of an image file with noise, different for every number."""
    noise = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise, "RGBA").convert(mode).save(out, form)
    return out.getvalue()


def class_folders(
    counts: Mapping[str, int], root: str = "", form: str = "PNG", first: int = 0
) -> dict[str, bytes]:
    """Paths and contents of `counts` different pictures per class."""
    files: dict[str, bytes] = {}
    for name, count in counts.items():
        for _ in range(count):
            number = first + len(files)
            files[f"{root}{name}/{number:04}.{form.lower()}"] = encoded(number, form=form)
    return files


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a zip of these files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_folder(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write these files below a directory."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def prepared_now(name: str, folders: Folders | None = None) -> Prepared:
    """Load a dataset; prepare it first if necessary."""
    for _ in prepare(name, folders):
        pass
    return load_prepared(name, folders)


def copied_digits(folders: Folders | None = None) -> Prepared:
    """Load the digits from a copy of those that this process prepared once, which is faster."""
    folders = folders or Folders.from_environment()
    if not is_prepared("digits", folders):
        shutil.copytree(_digits(), folders.data, dirs_exist_ok=True)
    return load_prepared("digits", folders)


@cache
def _digits() -> Path:
    """A data folder with the prepared digits; it is removed at the end of this process."""
    folder = Path(mkdtemp(prefix="cnnlab-digits-"))
    atexit.register(shutil.rmtree, folder)
    prepared_now("digits", Folders(data=folder, runs=folder))
    return folder


def idx_bytes(values: np.ndarray) -> bytes:
    """An array in MNIST's file format: two zeros, 8 for uint8, dimensions, sizes, values."""
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    return header + values.astype(np.uint8).tobytes()


def small_mnist(train: int = 20, test: int = 10) -> dict[str, bytes]:
    """The contents of MNIST's four files, with few pictures of noise and labels 0, 1, 2..."""
    random = np.random.default_rng(0)
    files = {}
    for prefix, count in (("train", train), ("t10k", test)):
        images = random.integers(0, 256, (count, 28, 28))
        files[f"{prefix}-images-idx3-ubyte"] = idx_bytes(images)
        files[f"{prefix}-labels-idx1-ubyte"] = idx_bytes(np.arange(count) % 10)
    return files
