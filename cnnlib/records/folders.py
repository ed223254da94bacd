"""Locations of data and runs: two folders and a database, from three environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


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
        """Read CNNLAB_DATA (default ``data/``), CNNLAB_RUNS (``runs/``) and CNNLAB_DATABASE."""
        return cls(
            data=Path(os.environ.get("CNNLAB_DATA") or "data").absolute(),
            runs=Path(os.environ.get("CNNLAB_RUNS") or "runs").absolute(),
            database=os.environ.get("CNNLAB_DATABASE", ""),
        )

    def run(self, run_id: str) -> Path:
        """The folder with one run's weights and predictions."""
        return self.runs / "files" / run_id
