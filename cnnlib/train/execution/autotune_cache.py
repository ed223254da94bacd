"""Which execution mode was chosen for a design, and where choices are kept. (No torch here.)"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from cnnlib.errors import CnnlibError
from cnnlib.records.record import Record

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.design.spec import CNNSpec
    from cnnlib.records.folders import Folders


@dataclass(frozen=True)
class ModeChoice(Record):
    """Which mode a run is executed in, and what is known about its speed.

    Args:
        mode: Its name.
        reason: A sentence.
        seconds_per_step: By name of mode, the best that was measured; 0 where the time was too
            short to measure it.
        batch_size: Pictures per step.
        step_flops: Floating-point operations of one step (`cnnlib.design.cost`).
        design: `design_key` of the spec.
        device: Name of the processor or GPU.
        allowed_threads: The most that the trial might use.
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
        """Of one step in the chosen mode; 0 where it was not measured."""
        return self.seconds_per_step.get(self.mode, 0.0)

    @property
    def precision(self) -> str:
        """ "fp32" or "bf16", as the mode's name has it."""
        return "bf16" if "-bf16" in self.mode else "fp32"


class ModeCache:
    """Choices that were made before, one small file each; the first to make one keeps it.

    Args:
        folder: Where they lie; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def read(self, key: str) -> ModeChoice | None:
        """What was chosen for this key, if anything was."""
        path = self._path(key)
        return None if path is None else _read(path)

    def keep(self, key: str, choice: ModeChoice) -> ModeChoice:
        """Keep a choice, unless another process was first; the one that now holds for all.

        Where it cannot be written (a full disk, say), it holds for this run alone.
        """
        path = self._path(key)
        if path is None:
            return choice
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_text(json.dumps(asdict(choice)))
                _give_name(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError:
            return choice
        return self.read(key) or choice

    def all(self) -> list[ModeChoice]:
        """Every choice that was kept, in no order that means anything."""
        if self._folder is None:
            return []
        choices = [_read(path) for path in sorted(self._folder.glob("*.json"))]
        return [choice for choice in choices if choice is not None]

    def _path(self, key: str) -> Path | None:
        return self._folder / f"{key}.json" if self._folder else None


def _give_name(temporary: Path, path: Path) -> None:
    """Let a file appear whole under a name, unless there is one: both take what that one chose."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    except OSError:  # a disk whose files have one name each: there the last one stays
        os.replace(temporary, path)


def _read(path: Path) -> ModeChoice | None:
    """A choice from its file; one that is damaged, or from another version, is made anew."""
    try:
        return ModeChoice.from_dict(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, CnnlibError):
        path.unlink(missing_ok=True)
        return None


def modes_folder(folders: Folders) -> Path:
    """Where the choices of this lab lie."""
    return folders.runs / "modes"


def design_key(spec: CNNSpec) -> str:
    """A short name for a design."""
    return choice_key(spec=spec.to_dict())


def choice_key(**parts: Any) -> str:
    """A short name for what a choice depends on: plan, batch size, device, threads, versions."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]
