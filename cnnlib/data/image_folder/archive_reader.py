"""Reader of the files of a user's own dataset: a directory, or a zip that is not unpacked."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from typing import TYPE_CHECKING, Protocol

from cnnlib.data.image_folder.sources import FolderSource, is_visible
from cnnlib.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

MAX_FILES = 200_000
MAX_FILE_BYTES = 32 << 20
MAX_TOTAL_BYTES = 4 << 30
MAX_RATIO = 200  # unpacked size over packed size; pictures are compressed, with a ratio near 1
_RATIO_COUNTS_FROM_BYTES = 1 << 20
_MAX_READ_BYTES = MAX_FILE_BYTES + 1  # in one read, including a zip's central directory
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Errors of zipfile on damaged files; ValueError includes UnicodeError.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
)
_UTF8_FLAG = 0x800
_ENCRYPTED_FLAG = 0x1


class UnreadableFile(Exception):
    """A single file cannot be read."""


class Files(Protocol):
    """Readable files, sorted by path."""

    @property
    def paths(self) -> Sequence[str]:
        """Paths relative to the folder or the archive, sorted."""

    @property
    def folders(self) -> Sequence[str]:
        """Paths of folders, of which some may be empty."""

    @property
    def total_bytes(self) -> int:
        """Total size of the files."""

    def read(self, index: int) -> bytes:
        """Return the content of one file.

        Raises:
            UnreadableFile: It cannot be read, or is larger than `MAX_FILE_BYTES`.
        """


@contextmanager
def open_files(source: FolderSource) -> Generator[Files]:
    """Open a user's own dataset for reading.

    Raises:
        DataError: It is not a zip, it is unsafe, or it has too many files.
    """
    if source.kind == "zip":
        with open_zip(source.path) as files:
            yield files
    else:
        yield _DirectoryFiles(source.path)


class _DirectoryFiles:
    """The visible regular files below a directory; links to folders are not followed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.folders: list[str] = []
        self.paths = sorted(_walk(root, self.folders))
        self.total_bytes = sum(_size(root / path) for path in self.paths)

    def read(self, index: int) -> bytes:
        path = self._root / self.paths[index]
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise UnreadableFile("it is not a regular file")
            with path.open("rb") as file:
                return _bounded(file.read(MAX_FILE_BYTES + 1))
        except OSError as error:
            raise UnreadableFile(
                f"the system cannot open it ({error.strerror}); check the file and its permissions"
            ) from error


def _walk(root: Path, folders: list[str]) -> Generator[str]:
    """Yield the visible files, and collect the visible folders."""
    count = 0
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if is_visible(name)]
        below = os.path.relpath(folder, root).replace(os.sep, "/")
        if below != ".":
            folders.append(below)
        for name in filter(is_visible, names):
            count += 1
            if count > MAX_FILES:
                raise _too_many(root.name)
            yield name if below == "." else f"{below}/{name}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a broken link; `read` raises for it
        return 0


class _ZipFiles:
    """The files in a zip, read one at a time from the archive."""

    def __init__(self, archive: zipfile.ZipFile, display_name: str, size: int) -> None:
        self._archive = archive
        members = archive.infolist()
        if len(members) > MAX_FILES:
            raise _too_many(display_name)
        for member in members:
            _check_member(display_name, _entry_path(member), member)
        self.folders = [_entry_path(member).rstrip("/") for member in members if member.is_dir()]
        members = [member for member in members if not member.is_dir()]
        named = sorted(
            ((_entry_path(member), member) for member in members), key=lambda pair: pair[0]
        )
        self.paths = [name for name, _ in named]
        self._members = [member for _, member in named]
        self.total_bytes = sum(member.file_size for member in members)
        _check_total(display_name, size, members)

    def read(self, index: int) -> bytes:
        member = self._members[index]
        if member.file_size > MAX_FILE_BYTES:
            raise UnreadableFile(
                f"it has {member.file_size:,} bytes; the maximum is {MAX_FILE_BYTES:,}"
            )
        try:
            with self._archive.open(member) as file:
                return _bounded(file.read(MAX_FILE_BYTES + 1))
        except _ZIP_ERRORS as error:
            raise UnreadableFile("it is damaged in the zip; make the zip again") from error


@contextmanager
def open_zip(path: Path, display_name: str = "") -> Generator[_ZipFiles]:
    """Open a zip and check all its entries before any is read.

    Args:
        display_name: Name in error messages; "" for the file's name.

    Raises:
        DataError: It is not a zip; an entry has an unsafe name, is a link or is encrypted; or its
            unpacked size is too large.
    """
    display_name = display_name or path.name
    with ExitStack() as stack:
        try:
            file = stack.enter_context(_BoundedFile(path))
            archive = stack.enter_context(zipfile.ZipFile(file))
            files = _ZipFiles(archive, display_name, path.stat().st_size)
        except _ZIP_ERRORS as error:
            raise DataError(
                f"{display_name} cannot be read as a zip: it is another kind of file, or it is "
                "damaged or incomplete. Make the zip again, or copy it again."
            ) from error
        yield files


class _BoundedFile(FileIO):
    """A file with a limit per read, because zipfile reads a central directory in one read."""

    def read(self, size: int | None = -1) -> bytes:
        remaining = max(0, os.fstat(self.fileno()).st_size - self.tell())
        count = remaining if size is None or size < 0 else min(size, remaining)
        if count > _MAX_READ_BYTES:
            raise DataError(
                f"The zip has a table of contents of {count:,} bytes; the maximum is "
                f"{_MAX_READ_BYTES:,}. Use a zip with fewer files."
            )
        return super().read(count) or b""


def _entry_path(member: zipfile.ZipInfo) -> str:
    """Return an entry's path; some programs write UTF-8 without its flag, or backslashes."""
    name = member.filename
    if not name.isascii() and not member.flag_bits & _UTF8_FLAG:
        with suppress(UnicodeError):  # the name is cp437, as zipfile decoded it
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/").removeprefix("./")


def _check_member(display_name: str, name: str, member: zipfile.ZipInfo) -> None:
    if not member.filename:
        raise _unsafe(display_name, name, "has no name", "Make the zip again from a plain folder.")
    has_drive = name[1:2] == ":" and name[:1].isalpha()
    if name.startswith("/") or has_drive or (".." in name and ".." in name.split("/")):
        raise _unsafe(
            display_name, name, "points outside the zip", "Make the zip again from a plain folder."
        )
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _unsafe(
            display_name,
            name,
            "is a link or a device, not a file",
            "Make the zip again with the files themselves.",
        )
    if member.flag_bits & _ENCRYPTED_FLAG:
        raise _unsafe(display_name, name, "is encrypted", "Make the zip again without a password.")
    if member.compress_type not in _METHODS:
        raise _unsafe(
            display_name,
            name,
            f"uses the unsupported compression method {member.compress_type}",
            "Make the zip again with default settings.",
        )
    if member.file_size > max(_RATIO_COUNTS_FROM_BYTES, MAX_RATIO * member.compress_size):
        raise _unsafe(
            display_name,
            name,
            f"unpacks from {member.compress_size:,} to {member.file_size:,} bytes, more than the "
            f"allowed factor of {MAX_RATIO}",
            "Remove this file from the zip.",
        )


def _check_total(display_name: str, size: int, members: Sequence[zipfile.ZipInfo]) -> None:
    total = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if total > MAX_TOTAL_BYTES:
        raise DataError(
            f"{display_name} unpacks to {total:,} bytes; the maximum is {MAX_TOTAL_BYTES:,}. "
            "Use fewer or smaller pictures."
        )
    if packed > size:
        raise DataError(
            f"{display_name} is not a valid zip: its entries overlap, because together they are "
            "larger than the file. Make the zip again."
        )


def _bounded(content: bytes) -> bytes:
    if len(content) > MAX_FILE_BYTES:
        raise UnreadableFile(f"it is larger than {MAX_FILE_BYTES:,} bytes, the maximum")
    return content


def _unsafe(display_name: str, name: str, problem: str, repair: str) -> DataError:
    return DataError(
        f"{display_name} was not accepted: its entry {name[:200]!r} {problem}. {repair}"
    )


def _too_many(display_name: str) -> DataError:
    return DataError(
        f"{display_name} has more than {MAX_FILES:,} files, the maximum. Use fewer files."
    )
