"""The cache of tuned execution modes, one file per key. (Does not import torch.)"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cnnlib.design.spec import CNNSpec
from cnnlib.errors import CnnlibError
from cnnlib.records.files import replacing
from cnnlib.records.folders import Folders
from cnnlib.records.record import Record


@dataclass(frozen=True)
class TunedMode(Record):
    """The execution mode of a run, and the measured speed.

    Args:
        mode: Name of the mode.
        reason: Why it was selected, as a phrase.
        seconds_per_step: Name of mode -> the least seconds measured; 0 if the time was too short
            to measure.
        batch_size: Pictures per step.
        step_flops: Floating-point operations of one step (`cnnlib.design.cost`).
        design: `design_key` of the spec.
        device: Name of the processor or GPU.
        allowed_threads: The most threads that the measurement could use.
    """

    mode: str
    reason: str
    seconds_per_step: Mapping[str, float] = field(default_factory=dict)
    batch_size: int = 0
    step_flops: int = 0
    design: str = ""
    device: str = ""
    allowed_threads: int = 0

    @property
    def seconds(self) -> float:
        """Seconds of one step in this mode; 0 if not measured."""
        return self.seconds_per_step.get(self.mode, 0.0)

    @property
    def precision(self) -> str:
        """The precision in the mode's name: "fp32" or "bf16"."""
        return "bf16" if "-bf16" in self.mode else "fp32"


class TuningCache:
    """A folder of tuned modes, one file each; the first one that is stored under a key stays.

    Args:
        folder: Folder of the files; None stores nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def read(self, key: str) -> TunedMode | None:
        """Return the tuned mode of a key; None if there is none."""
        path = self._path(key)
        return None if path is None else _read(path)

    def store(self, key: str, tuned: TunedMode) -> TunedMode:
        """Store a tuned mode unless there is one; return the one that is stored.

        If the file cannot be written (a full disk, say), the given mode is returned.
        """
        path = self._path(key)
        if path is None:
            return tuned
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path, keeps_old=True) as file:
                file.write_text(json.dumps(asdict(tuned)))
        except OSError:
            return tuned
        return self.read(key) or tuned

    def read_all(self) -> list[TunedMode]:
        """Return every stored mode, sorted by key."""
        if self._folder is None:
            return []
        found = [_read(path) for path in sorted(self._folder.glob("[!.]*.json"))]
        return [tuned for tuned in found if tuned is not None]

    def _path(self, key: str) -> Path | None:
        return self._folder / f"{key}.json" if self._folder else None


def _read(path: Path) -> TunedMode | None:
    """Read a tuned mode; delete a file that is damaged or from another version."""
    try:
        return TunedMode.from_dict(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, CnnlibError):
        path.unlink(missing_ok=True)
        return None


def modes_folder(folders: Folders) -> Path:
    """Return the folder of tuned modes."""
    return folders.runs / "modes"


def design_key(spec: CNNSpec) -> str:
    """Return a hash of a design."""
    return cache_key(spec=spec.to_dict())


def cache_key(**parts: Any) -> str:
    """Return a hash of all parts that a tuned mode depends on (design, batch size, device...)."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]
