"""Locations of the app's files, of data and of runs; environment variables change the latter."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import cnnlib


@dataclass(frozen=True)
class Folders:
    """The locations that the lab reads and writes.

    Args:
        data: Datasets as downloaded or provided; may be read-only.
        runs: Everything that the lab writes: the database, weights, prepared datasets.
        database: SQLAlchemy URL of the run store; "" means SQLite in ``runs``. It may contain
            a password, so messages must not show it.
        files: Address of the object store with the files of the run store; "" means ``runs``. With
            one, ``runs`` is a local cache, of this machine alone.
        database_direct: URL of the same PostgreSQL database without a pooler between, on which
            workers listen for notifications; "" means that they poll.
    """

    data: Path
    runs: Path
    database: str = field(default="", repr=False)
    files: str = ""
    database_direct: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls) -> Folders:
        """Read CNNLAB_DATA, CNNLAB_RUNS, CNNLAB_DATABASE, CNNLAB_FILES and CNNLAB_DATABASE_DIRECT.

        The defaults are the folders ``data/`` and ``runs/`` of the clone; of the user's folder for
        application data where the package was installed from a wheel.
        """
        return cls(
            data=Path(os.environ.get("CNNLAB_DATA") or _home() / "data").absolute(),
            runs=Path(os.environ.get("CNNLAB_RUNS") or _home() / "runs").absolute(),
            database=os.environ.get("CNNLAB_DATABASE", ""),
            files=os.environ.get("CNNLAB_FILES", ""),
            database_direct=os.environ.get("CNNLAB_DATABASE_DIRECT", ""),
        )

    def run(self, run_id: str) -> Path:
        """The folder with one run's weights and predictions."""
        return self.runs / run_prefix(run_id)


# Keys of stored files are paths below the folder of runs, and the same in an object store.
RUNS, UPLOADS, PREPARED = "files", "datasets", "prepared"


def run_prefix(run_id: str) -> str:
    """Return the key below which the files of a run lie; it ends with a slash."""
    return f"{RUNS}/{run_id}/"


def run_key(run_id: str, name: str) -> str:
    """Return the key of a file of a run."""
    return f"{run_prefix(run_id)}{name}"


def attempt_name(name: str, attempt: int) -> str:
    """Return the name of a file that an attempt of a run writes, which no other attempt writes.

    Example:
        >>> attempt_name("latest.safetensors", 1), attempt_name("latest.safetensors", 2)
        ('latest.safetensors', 'latest.a2.safetensors')
    """
    stem, dot, suffix = name.rpartition(".")
    return name if attempt == 1 else f"{stem}.a{attempt}{dot}{suffix}"


def app_folder() -> Path:
    """Return the folder with ``app.py``, ``pages/`` and ``.streamlit/``.

    They are in the package where it was installed from a wheel, else at the top of the clone.
    """
    return _packaged_app() if _packaged_app().is_dir() else _packaged_app().parents[1]


def _home() -> Path:
    """Return the clone, or the user's folder for application data where there is none."""
    if not _packaged_app().is_dir():
        return app_folder()
    from platformdirs import user_data_path

    return user_data_path("cnnlab", appauthor=False)


def _packaged_app() -> Path:
    return Path(cnnlib.__file__).parent / "app"
