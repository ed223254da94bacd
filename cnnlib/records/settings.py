"""Settings for sharing a machine: class mode, and the limits of each person and of the machine.

They are read from a TOML file. Without one, the lab has a single user without limits::

    [class]
    on = true

    [person]
    runs_waiting = 10

    [machine]
    runs_at_once = 2
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from cnnlib.design.checks import check_fields
from cnnlib.errors import RecipeError, SettingsError
from cnnlib.records.files import file_errors
from cnnlib.records.folders import Folders
from cnnlib.records.record import checks

FILE = "cnnlab.toml"  # in the folder of runs, unless CNNLAB_CONFIG is another path
MB = 1_000_000


@dataclass(frozen=True)
class ClassMode:
    """Whether several people share the server.

    Args:
        on: Only the person who started a run or a job may change it.
        sign_in: People sign in with Streamlit's sign-in; otherwise a cookie identifies a browser.
    """

    on: bool = False
    sign_in: bool = False

    def __post_init__(self) -> None:
        check_fields(self, {"on": checks.flag, "sign_in": checks.flag})


@dataclass(frozen=True)
class PersonLimits:
    """Limits of one person who uses the pages, in class mode.

    Args:
        runs_waiting: Runs in the queue.
        jobs_waiting: Jobs that wait or run.
        parameters: Parameters of a network.
        macs: Multiply-accumulates of a network for one picture.
        memory_mb: Forecast memory of a training step, in MB.
        epochs: Epochs of a run.
        disk_mb: Total size of the weights of the person's runs, in MB.
        upload_mb: Size of an upload, in MB.
        uploads: Datasets of the person, sets of labelled drawings included.
    """

    runs_waiting: int = 20
    jobs_waiting: int = 4
    parameters: int = 5_000_000
    macs: int = 300_000_000
    memory_mb: int = 2_000
    epochs: int = 200
    disk_mb: int = 500
    upload_mb: int = 50
    uploads: int = 20

    def __post_init__(self) -> None:
        check_fields(self, {each.name: checks.integer(0, 10**15) for each in fields(self)})


@dataclass(frozen=True)
class MachineLimits:
    """Limits of the machine.

    Args:
        runs_at_once: Runs that train in parallel; 0: one per GPU, or one per core without a GPU.
        runs_waiting: Runs of all people in the queue; in class mode.
        disk_mb: Total size of the weights of all runs, in MB; in class mode.
        free_disk_mb: With less free disk space (MB), new runs are refused; in class mode.
        pause_minutes: A paused run is interrupted after this time if others wait; 0: never.
    """

    runs_at_once: int = 0
    runs_waiting: int = 300
    disk_mb: int = 20_000
    free_disk_mb: int = 500
    pause_minutes: float = 5.0

    def __post_init__(self) -> None:
        count = checks.integer(0, 10**12)
        check_fields(
            self,
            {
                "runs_at_once": checks.integer(0, 64),
                **dict.fromkeys(("runs_waiting", "disk_mb", "free_disk_mb"), count),
                "pause_minutes": checks.number(0, 10_000),
            },
        )


@dataclass(frozen=True)
class ClusterNeeds:
    """What a cluster gives to one run; see the guide on clusters.

    Args:
        cpus: Processor cores.
        gpus: GPUs; a fraction where several runs share one.
        memory_mb: Memory that is kept for it, in MB; 0: none is kept.
    """

    cpus: int = 1
    gpus: float = 0.0
    memory_mb: int = 0

    def __post_init__(self) -> None:
        check_fields(
            self,
            {
                "cpus": checks.integer(1, 1024),
                "gpus": checks.number(0, 64),
                "memory_mb": checks.integer(0, 10**9),
            },
        )


@dataclass(frozen=True)
class Settings:
    """All settings, by section of the file."""

    class_mode: ClassMode = field(default_factory=ClassMode)
    person: PersonLimits = field(default_factory=PersonLimits)
    machine: MachineLimits = field(default_factory=MachineLimits)
    cluster: ClusterNeeds = field(default_factory=ClusterNeeds)

    @classmethod
    def read(cls, folders: Folders) -> Self:
        """Read the settings file; without one, return the defaults.

        Raises:
            SettingsError: It cannot be read, or has an unknown key or an invalid value; the text
                names the key.
        """
        named = os.environ.get("CNNLAB_CONFIG", "")
        path = Path(named) if named else folders.runs / FILE
        if not named and not path.exists():
            return cls()
        advice = "Allow reading it, or set CNNLAB_CONFIG to another file."
        try:
            with file_errors(SettingsError, f"The settings file {path} cannot be read", advice):
                tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"The settings file {path} is not valid TOML: {error}. Write lines such as on = "
                "true below headings such as [class]."
            ) from error
        sections = _known_sections(path, tables)
        return cls(**{_FIELDS[name]: _read_section(path, name, tables) for name in sections})

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """The settings by section and key, as in the file."""
        return {name: asdict(getattr(self, _FIELDS[name])) for name in _SECTIONS}


_SECTIONS = {
    "class": ClassMode,
    "person": PersonLimits,
    "machine": MachineLimits,
    "cluster": ClusterNeeds,
}
_FIELDS = {name: "class_mode" if name == "class" else name for name in _SECTIONS}


def _known_sections(path: Path, tables: Mapping[str, Any]) -> list[str]:
    """The section names of a file; an unknown one raises SettingsError."""
    for name in tables:
        if name not in _SECTIONS:
            sections = ", ".join(f"[{each}]" for each in _SECTIONS)
            raise SettingsError(
                f"{path}: {name!r} is not a section of the settings. Known sections: {sections}."
            )
    return list(tables)


def _read_section(path: Path, name: str, tables: Mapping[str, Any]) -> Any:
    """Convert one section to its record."""
    values, kind = tables[name], _SECTIONS[name]
    if not isinstance(values, Mapping):
        raise SettingsError(f"{path}: {name} is a section. Write [{name}] on a separate line.")
    keys = [each.name for each in fields(kind)]
    for key in values:
        if key not in keys:
            raise SettingsError(
                f"{path}: [{name}] has no key {key!r}. Known keys: {', '.join(keys)}."
            )
    try:
        return kind(**values)
    except RecipeError as error:
        raise SettingsError(f"{path}: in section [{name}]: {error}") from error
