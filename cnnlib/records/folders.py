"""Where data and runs live: two folders and a database, named by three environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Folders:
    """The places that the lab reads and writes.

    Args:
        data: Datasets as people or torchvision left them; may be read-only.
        runs: Everything that the lab makes: the database, weights, prepared datasets.
        database: SQLAlchemy URL of the run store; "" means SQLite in ``runs``. It may hold a
            password, so that no message shows it.
    """

    data: Path
    runs: Path
    database: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls) -> Folders:
        """``CNNLAB_DATA`` (default ``data/``), ``CNNLAB_RUNS`` (``runs/``), ``CNNLAB_DATABASE``."""
        return cls(
            data=Path(os.environ.get("CNNLAB_DATA") or "data").absolute(),
            runs=Path(os.environ.get("CNNLAB_RUNS") or "runs").absolute(),
            database=os.environ.get("CNNLAB_DATABASE", ""),
        )

    def run(self, run_id: str) -> Path:
        """The folder with one run's weights and predictions."""
        return self.runs / "files" / run_id
