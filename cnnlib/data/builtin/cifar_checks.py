"""What was found about CIFAR's files, stored so that they are read once and not by every page."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import TYPE_CHECKING

from cnnlib.data.builtin.cifar import cifar_problem, expected_md5s
from cnnlib.data.paths import search_roots, write_root
from cnnlib.records.files import replacing
from cnnlib.records.folders import PREPARED

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.records.folders import Folders


class CifarChecks:
    """Checks of folders and archives, each stored under names, sizes and times of its files."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders

    def known_problem(self, name: str, path: Path) -> str | None:
        """Return what `problem` found earlier, in any process; None if a file has changed since."""
        for root in search_roots(self._folders):
            # No such check, or a damaged one.
            with suppress(OSError, ValueError, KeyError, TypeError):
                found = json.loads((root / PREPARED / _file_name(name, path)).read_text("utf-8"))
                return str(found["problem"])
        return None

    def problem(self, name: str, path: Path) -> str:
        """Read all parts, and store why they cannot be used: a sentence, or ""."""
        file_name = _file_name(name, path)  # before the files are read: they may change meanwhile
        found = cifar_problem(name, path)
        target = write_root(self._folders, PREPARED) / PREPARED / file_name
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as file:
            file.write_text(json.dumps({"path": str(path), "problem": found}), encoding="utf-8")
        return found


def _file_name(name: str, path: Path) -> str:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    states = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    content = json.dumps([str(path), states, expected_md5s(name)])
    return f"{name}-{hashlib.blake2b(content.encode(), digest_size=8).hexdigest()}.checked.json"
