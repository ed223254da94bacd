"""A person's saved designs, by name, each in one JSON file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from cnnlib.design.spec import CNNSpec
from cnnlib.errors import SpecError, StoreError
from cnnlib.records.files import file_errors, replacing
from cnnlib.records.folders import Folders
from cnnlib.units import plural

NAME_LIMIT = 60
MOST_DESIGNS = 500
FILE_LIMIT_BYTES = 100_000


@dataclass(frozen=True)
class SavedDesign:
    """A design with the name that a person chose."""

    name: str
    spec: CNNSpec


class SavedDesigns:
    """The saved designs in one folder; in class mode, each owner has a folder.

    A file's name is a hash of the design's name, so that any name is safe and has one file.
    """

    def __init__(self, folders: Folders, owner: str = "") -> None:
        self.folder = folders.runs / "designs" / owner

    def designs(self) -> list[SavedDesign]:
        """All designs, sorted by name; files that are not designs are skipped."""
        files = self.folder.glob("[!.]*.json") if self.folder.is_dir() else ()
        read = (_read(file) for file in files)
        return sorted((design for design in read if design), key=lambda d: d.name.casefold())

    def save(self, name: str, spec: CNNSpec) -> str:
        """Save a design, replacing one of the same name; returns the cleaned name.

        Raises:
            StoreError: The name is empty or too long, there are too many designs, or the file
                cannot be written.
        """
        name = _clean_name(name)
        file = self._file(name)
        if not file.exists() and len(self.designs()) >= MOST_DESIGNS:
            raise StoreError(
                f"There are {MOST_DESIGNS} saved designs, the maximum. Remove one first."
            )
        text = json.dumps({"name": name, "spec": spec.to_dict()}, indent=2)
        advice = "Free some space, or allow writing there."
        with file_errors(StoreError, f"The design cannot be written to {self.folder}", advice):
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(file) as place:
                place.write_text(text, encoding="utf-8")
        return name

    def remove(self, name: str) -> None:
        """Remove a design; a missing one is no error.

        Raises:
            StoreError: Its file cannot be removed.
        """
        what = f"The design cannot be removed from {self.folder}"
        with file_errors(StoreError, what, "Allow writing there."):
            self._file(name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self.folder / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.json"


def _clean_name(name: str) -> str:
    """The name with single blanks inside and none around it.

    Raises:
        StoreError: It is empty or too long.
    """
    name = " ".join(name.split())
    if not name or len(name) > NAME_LIMIT:
        raise StoreError(
            f"The name has {plural(len(name), 'character')}, but it needs 1 to {NAME_LIMIT}. "
            f"{'Enter a name.' if not name else 'Shorten it.'}"
        )
    return name


def _read(file: Path) -> SavedDesign | None:
    """Read a design from a file; None if the file is not a valid design."""
    try:
        if file.stat().st_size > FILE_LIMIT_BYTES:
            return None
        values = json.loads(file.read_text(encoding="utf-8"))
        return SavedDesign(str(values["name"]), CNNSpec.from_dict(values["spec"]))
    except (OSError, ValueError, TypeError, KeyError, SpecError, RecursionError):
        return None
