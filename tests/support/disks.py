"""Small disks that tests may fill: a file system in memory, where this process may mount one."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@contextmanager
def small_disk(place: Path, size_bytes: int) -> Generator[Path]:
    """A disk of that size, mounted at a place that need not be there."""
    if os.name == "nt" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("cannot run here: only root may mount a disk")
    place.mkdir(parents=True)
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(place)]
    if subprocess.run(mounting, capture_output=True).returncode:
        pytest.skip("cannot run here: this system mounts no disk for us")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> Path:
    """Take all the space that is left; returns the file that has it."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65_536, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:  # full
                continue
    return filler


def make_read_only(place: Path) -> None:
    """Refuse every write to a mounted disk; nothing on it may be open for writing."""
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)


def make_writable(place: Path) -> None:
    """The inverse."""
    subprocess.run(["mount", "-o", "remount,rw", str(place)], check=True)
