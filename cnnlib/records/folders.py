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
    """

    data: Path
    runs: Path
    database: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls) -> Folders:
        """Read CNNLAB_DATA, CNNLAB_RUNS and CNNLAB_DATABASE.

        The defaults are the folders ``data/`` and ``runs/`` of the clone; of the user's folder for
        application data where the package was installed from a wheel.
        """
        return cls(
            data=Path(os.environ.get("CNNLAB_DATA") or _home() / "data").absolute(),
            runs=Path(os.environ.get("CNNLAB_RUNS") or _home() / "runs").absolute(),
            database=os.environ.get("CNNLAB_DATABASE", ""),
        )

    def run(self, run_id: str) -> Path:
        """The folder with one run's weights and predictions."""
        return self.runs / "files" / run_id


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
