"""The cache of tuned execution modes, one file per key. (Does not import torch.)"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from math import inf
from pathlib import Path
from statistics import median_low
from typing import Any

from cnnlib.design.spec import CNNSpec
from cnnlib.errors import CnnlibError
from cnnlib.records.files import replacing
from cnnlib.records.folders import Folders
from cnnlib.records.record import Record

_RUNS_KEPT = 5
_BUSY_CORES = 0.5  # of other programs beside a trial that uses all cores; less is usual


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
        free_cores: The cores that other programs left free during the trial; None if unknown.
        is_given: The mode was requested or continued, not selected by the trial.
        trained_seconds_per_step: Means of the latest runs that trained in this mode, oldest first.
    """

    mode: str
    reason: str
    seconds_per_step: Mapping[str, float] = field(default_factory=dict)
    batch_size: int = 0
    step_flops: int = 0
    design: str = ""
    device: str = ""
    allowed_threads: int = 0
    free_cores: float | None = None
    is_given: bool = False
    trained_seconds_per_step: Sequence[float] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "trained_seconds_per_step", tuple(self.trained_seconds_per_step))

    def measures_like(self, other: TunedMode) -> bool:
        """Return whether both hold times of the same design, batch size and device."""
        return (self.design, self.batch_size, self.device) == (
            *(other.design, other.batch_size, other.device),
        )

    @property
    def was_disturbed(self) -> bool:
        """Whether the trial had too few free cores for its threads, so that its choice may err."""
        free = self.free_cores
        return free is not None and free < self.allowed_threads - _BUSY_CORES

    @property
    def precision(self) -> str:
        """The precision in the mode's name: "fp32" or "bf16"."""
        return "bf16" if "-bf16" in self.mode else "fp32"


class TuningCache:
    """A folder of tuned modes, one file each; the first one that is stored under a key stays.

    One that was measured beside other work gives way to one that was measured with more free cores.

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
        """Store a tuned mode unless there is a better one; return the one that is stored.

        If the file cannot be written (a full disk, say), the given mode is returned.
        """
        path = self._path(key)
        if path is None:
            return tuned
        stored = self.read(key)
        is_quieter = stored is not None and stored.was_disturbed and _had_more_cores(tuned, stored)
        if stored is not None and stored.mode == tuned.mode:
            tuned = replace(tuned, trained_seconds_per_step=stored.trained_seconds_per_step)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path, keeps_old=not is_quieter) as file:
                file.write_text(json.dumps(asdict(tuned)))
        except OSError:
            return tuned
        return self.read(key) or tuned

    def add_training(self, key: str, seconds_per_step: float) -> None:
        """Add the speed of a run to the tuned mode of its key; does nothing if there is none."""
        path, tuned = self._path(key), self.read(key)
        if path is None or tuned is None:
            return
        trained = (*tuned.trained_seconds_per_step, seconds_per_step)[-_RUNS_KEPT:]
        with suppress(OSError), replacing(path) as file:
            file.write_text(json.dumps(asdict(replace(tuned, trained_seconds_per_step=trained))))

    def read_all(self) -> list[TunedMode]:
        """Return every stored mode, sorted by key."""
        if self._folder is None:
            return []
        found = [_read(path) for path in sorted(self._folder.glob("[!.]*.json"))]
        return [tuned for tuned in found if tuned is not None]

    def _path(self, key: str) -> Path | None:
        return self._folder / f"{key}.json" if self._folder else None


def _had_more_cores(one: TunedMode, other: TunedMode) -> bool:
    """Return whether a trial had more free cores than another; an unknown number is enough."""
    return (inf if one.free_cores is None else one.free_cores) > (other.free_cores or 0.0)


def _read(path: Path) -> TunedMode | None:
    """Read a tuned mode; delete a file that is damaged or from another version."""
    try:
        return TunedMode.from_dict(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, CnnlibError):
        path.unlink(missing_ok=True)
        return None


def step_seconds(mode: str, measured: Iterable[TunedMode]) -> float:
    """Return the most credible seconds of a step in a mode; 0 if nothing was measured.

    That is the median of the latest runs that trained in it; without any, the least time of a
    trial, which lasts a moment, so that other programs can slow down all of it. They can slow down
    a run, too: a trial that took less than half as long as all runs counts as one more run.

    Args:
        measured: Of one design, batch size and device.
    """
    known = list(measured)
    trained = [
        each for tuned in known if tuned.mode == mode for each in tuned.trained_seconds_per_step
    ]
    times = (tuned.seconds_per_step.get(mode, 0.0) for tuned in known)
    trial = min((each for each in times if each > 0), default=0.0)
    if not trained:
        return trial
    return median_low([trial, *trained] if 0 < trial < min(trained) / 2 else trained)


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
