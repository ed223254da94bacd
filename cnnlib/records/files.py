"""Atomic writing of files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from cnnlib.errors import CnnlibError


@contextmanager
def replacing(path: Path, *, keeps_old: bool = False) -> Generator[Path]:
    """Write to a temporary file or folder, which gets the name ``path`` at the end of the block.

    After an error, such as a full disk, the old content stays and the temporary file is removed.
    If ``path`` is no regular file but a pipe or a terminal, it is written to directly.

    Args:
        path: The file, which may exist; or a folder that does not.
        keeps_old: Keep a file that exists at the end, as the first of several writers wrote it; on
            a file system without hard links it is replaced.

    Yields:
        The path to write to, with the suffix of ``path``.

    Raises:
        OSError: ``path`` cannot be written.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    path = path.resolve()  # so that a symbolic link stays a link
    unfinished = path.with_name(f".{uuid4().hex}{path.suffix}")
    try:
        yield unfinished
        if keeps_old and _link(unfinished, path):
            return
        if path.exists():
            path.open("ab").close()  # raises if the old file is not writable
            shutil.copymode(path, unfinished)
        unfinished.replace(path)
    finally:
        if unfinished.is_dir():
            shutil.rmtree(unfinished, ignore_errors=True)
        else:
            unfinished.unlink(missing_ok=True)


def _link(file: Path, path: Path) -> bool:
    """Give a file a second name unless that exists; return False where there are no hard links."""
    try:
        path.hardlink_to(file)
    except FileExistsError:
        pass
    except OSError:
        return False
    return True


@contextmanager
def file_errors(
    kind: type[CnnlibError], what: str, advice: str, *, also: tuple[type[Exception], ...] = ()
) -> Generator[None]:
    """Turn errors of the file system, and others in `also`, into one of the library.

    Args:
        what: What failed, such as ``The file x.csv cannot be written``.
        advice: What to do, as a whole sentence.
    """
    known: tuple[type[Exception], ...] = (OSError, *also)
    try:
        yield
    except known as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise kind(f"{what}: {reason}. {advice}") from error


def copy_file(source: Path, target: Path) -> None:
    """Copy the content of a file, and return when it is on the disk."""
    with source.open("rb") as content, target.open("wb") as copy:
        shutil.copyfileobj(content, copy)
        copy.flush()
        os.fsync(copy.fileno())
