"""Small disks that tests may fill: file systems in memory, which only root can mount."""

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
    """Mount a disk of that size at `place`, a new folder; skip the test without the rights."""
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
    """Fill the remaining space with a file; return that file."""
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
    """Remount a disk read-only; no file on it may be open for writing."""
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)


def make_writable(place: Path) -> None:
    """Remount a disk writable."""
    subprocess.run(["mount", "-o", "remount,rw", str(place)], check=True)
