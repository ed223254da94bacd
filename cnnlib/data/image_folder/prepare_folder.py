"""Preparation of a user's own dataset: class folders of pictures, resized to one size."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from cnnlib.data.fingerprint import TEST_FRACTION, split_by_content
from cnnlib.data.image_folder.archive_reader import Files, UnreadableFile, open_files
from cnnlib.data.image_folder.image_decoder import BrokenPicture, decode_picture
from cnnlib.data.image_folder.layout import Layout, Placed, arrange
from cnnlib.data.image_folder.split_names import SPLITS, TEST, TRAIN, VALIDATION
from cnnlib.data.prepared import SkippedPicture
from cnnlib.data.prepared_writer import PreparedContent, save_array
from cnnlib.errors import DataError
from cnnlib.records.job import Progress
from cnnlib.units import format_size, plural
from cnnlib.vocabulary.datasets import FITS

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from cnnlib.data.image_folder.sources import FolderOptions, FolderSource

_LISTED_SKIPPED = 1_000
_NAMED_FLAT = 3
_BLOCK_FILES = 64
_BLOCK_BYTES = 8 << 20
_THREADS = 2  # a picture of 50 million pixels can take a gigabyte while it is decoded
_COPY_ROWS = 4_096
_SPARE_BYTES = 64 << 20
_REPORT_SECONDS = 0.1
_DECODED_FRACTION = 0.9  # progress after decoding


@dataclass(frozen=True)
class _Encoded:
    """The content of a file, or the reason why it could not be read."""

    placed: Placed
    path: str
    content: bytes = b""
    reason: str = ""


@dataclass(frozen=True)
class _Decoded:
    """A resized picture with the hash of its file, or the reason why it could not be decoded.

    Args:
        problem: What is wrong with the contrast of a picture that is used; "" if nothing is.
    """

    placed: Placed
    digest: bytes = b""
    pixels: np.ndarray | None = None
    reason: str = ""
    problem: str = ""


@dataclass
class _Collected:
    """Metadata of the pictures decoded so far; their pixels are in a file."""

    placed: list[Placed] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    skipped: list[SkippedPicture] = field(default_factory=list)
    skipped_count: int = 0
    flat: list[str] = field(default_factory=list)
    flat_count: int = 0

    def skip(self, path: str, reason: str) -> None:
        self.skipped_count += 1
        if len(self.skipped) < _LISTED_SKIPPED:
            self.skipped.append(SkippedPicture(_shown(path), reason))

    def note_flat(self, path: str, problem: str) -> None:
        """Note a picture that is used, though it has hardly any contrast."""
        self.flat_count += 1
        if len(self.flat) < _NAMED_FLAT:
            self.flat.append(f"{_shown(path)} ({problem})")


def prepare_image_folder(
    source: FolderSource, folder: Path, options: FolderOptions
) -> Generator[Progress, None, PreparedContent]:
    """Write the four arrays of a user's own dataset to ``folder``.

    Files that cannot be decoded are left out and listed. Pictures are streamed: memory holds only
    a few of them, and some hundred bytes per picture.

    Raises:
        DataError: The zip is unsafe, there are no class folders, or no picture can be read.
    """
    yield Progress(0.0, f"searching {source.path.name} for pictures")
    source_state = source.state()
    collected = _Collected()
    pictures = folder / "pictures"
    with open_files(source) as files, pictures.open("wb") as out:
        layout = arrange(files.paths, files.folders, options.roles)
        layout.check_certain(source.name)
        _check_room(len(layout.placed), options, folder)
        for unused in layout.unused:
            collected.skip(files.paths[unused.file], unused.reason)
        yield from _collect(files, layout, options, collected, out)
    if not collected.placed:
        first = collected.skipped[0]
        raise DataError(
            f"{source.name} has no readable picture ({plural(collected.skipped_count, 'file')}). "
            f"The first is {first.path}: {first.reason}. Replace the files with valid pictures."
        )
    yield Progress(_DECODED_FRACTION, "splitting into training and test pictures")
    classes = _write_splits(folder, pictures, layout, collected, options)
    pictures.unlink()
    return _describe_content(source, options, layout, collected, classes, source_state)


def _check_room(count: int, options: FolderOptions, folder: Path) -> None:
    """Check the free disk space: pictures are written unsorted first, and then per split.

    Raises:
        DataError: There is too little space.
    """
    needed = 2 * count * options.picture_bytes + _SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"Preparing {plural(count, 'picture')} needs {format_size(needed)}, but "
            f"{folder.parent} has only {format_size(free)} free. "
            "Free some space, or choose a smaller picture size."
        )


def _collect(
    files: Files, layout: Layout, options: FolderOptions, collected: _Collected, out: BinaryIO
) -> Generator[Progress]:
    last = time.monotonic()
    done, total = 0, len(layout.placed)
    for block in _decoded_blocks(files, layout, options):
        for picture in block:
            if picture.pixels is None:
                collected.skip(files.paths[picture.placed.file], picture.reason)
                continue
            if picture.problem:
                collected.note_flat(files.paths[picture.placed.file], picture.problem)
            out.write(picture.pixels.tobytes())
            collected.placed.append(picture.placed)
            collected.digests.append(picture.digest)
        done, now = done + len(block), time.monotonic()
        if now - last >= _REPORT_SECONDS:
            last = now
            text = f"reading pictures: {done:,} of {total:,}"
            yield Progress(_DECODED_FRACTION * done / total, text)


def _decoded_blocks(
    files: Files, layout: Layout, options: FolderOptions
) -> Generator[list[_Decoded]]:
    """Decode files on several threads, a few blocks ahead, in the order of the files."""
    threads = min(_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        ahead: deque[Future[list[_Decoded]]] = deque()
        for block in _blocks(files, layout):
            ahead.append(pool.submit(_decode_block, block, options))
            if len(ahead) > threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _blocks(files: Files, layout: Layout) -> Generator[list[_Encoded]]:
    """Read files in blocks of up to 64 files and about 8 MB."""
    block: list[_Encoded] = []
    size = 0
    for placed in layout.placed:
        path = files.paths[placed.file]
        try:
            block.append(_Encoded(placed, path, files.read(placed.file)))
        except UnreadableFile as error:
            block.append(_Encoded(placed, path, reason=str(error)))
        size += len(block[-1].content)
        if len(block) == _BLOCK_FILES or size >= _BLOCK_BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block


def _decode_block(block: list[_Encoded], options: FolderOptions) -> list[_Decoded]:
    return [_decode_one(encoded, options) for encoded in block]


def _decode_one(encoded: _Encoded, options: FolderOptions) -> _Decoded:
    if encoded.reason:
        return _Decoded(encoded.placed, reason=encoded.reason)
    try:
        picture = decode_picture(
            encoded.content, options.size, options.channels, options.fit, encoded.path
        )
    except BrokenPicture as error:
        return _Decoded(encoded.placed, reason=str(error))
    digest = hashlib.blake2b(encoded.content, digest_size=16).digest()
    return _Decoded(encoded.placed, digest, picture.pixels, problem=picture.problem)


def _write_splits(
    folder: Path, pictures: Path, layout: Layout, collected: _Collected, options: FolderOptions
) -> tuple[str, ...]:
    """Write the arrays, each split sorted by the pictures' hashes.

    The validation pictures are the last of the training arrays.

    Returns:
        The classes that have pictures.
    """
    old_labels = np.array([placed.label for placed in collected.placed], dtype=np.int64)
    used, labels = np.unique(old_labels, return_inverse=True)
    splits = np.array([placed.split for placed in collected.placed])
    digests = collected.digests
    order = np.array(sorted(range(len(labels)), key=lambda index: (digests[index], index)))
    train, validation, test = (order[splits[order] == split] for split in SPLITS)
    if not len(test):
        own_train, own_test = split_by_content([digests[i] for i in train], labels[train])
        train, test = train[own_train], train[own_test]
    train = np.concatenate((train, validation))
    shape = (len(labels), options.channels, options.size, options.size)
    unsorted = np.memmap(pictures, dtype=np.uint8, mode="r", shape=shape)
    for split, indices in ((TRAIN, train), (TEST, test)):
        _gather(unsorted, indices, folder / f"{split}_images.npy")
        save_array(folder, f"{split}_labels", labels[indices])
    return tuple(layout.classes[label] for label in used)


def _gather(images: np.ndarray, indices: np.ndarray, path: Path) -> None:
    shape = (len(indices), *images.shape[1:])
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    for start in range(0, len(indices), _COPY_ROWS):
        part = indices[start : start + _COPY_ROWS]
        out[start : start + len(part)] = images[part]
    out.flush()


def _describe_content(
    source: FolderSource,
    options: FolderOptions,
    layout: Layout,
    collected: _Collected,
    classes: tuple[str, ...],
    source_state: dict[str, object],
) -> PreparedContent:
    notes = [
        f"Pictures are {FITS[options.fit].note} and resized to {options.text}.",
        *layout.notes,
    ]
    if not any(placed.split == TEST for placed in collected.placed):
        notes.insert(1, f"CNN Lab chose {TEST_FRACTION:.0%} of each class as the test split.")
    empty = sorted(set(layout.classes) - set(classes))
    if empty:
        notes.append(f"Classes without a readable picture were left out: {', '.join(empty)}.")
    if collected.skipped_count:
        notes.append(f"Files that are not used: {collected.skipped_count:,}.")
    if collected.flat_count:
        notes.append(_flat_note(collected))
    recorded = {"kind": source.kind, "skipped": str(collected.skipped_count)}
    title = source.name.removeprefix("folder:")
    return PreparedContent(
        title,
        classes,
        " ".join(notes),
        recorded | options.as_source(),
        source_state,
        tuple(collected.skipped),
        sum(placed.split == VALIDATION for placed in collected.placed),
    )


def _flat_note(collected: _Collected) -> str:
    """Count and name the pictures with hardly any contrast."""
    more = collected.flat_count - len(collected.flat)
    names = ", ".join([*collected.flat, *([f"{more:,} more"] if more else [])])
    return f"Pictures with hardly any contrast, which are used: {collected.flat_count:,}. {names}."


def _shown(path: str) -> str:
    """Return a path without lone surrogates, which a page cannot show."""
    return path.encode("utf-8", "replace").decode()
