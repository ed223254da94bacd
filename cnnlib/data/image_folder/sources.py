"""Users' own datasets: directories and zips of class folders, in the data folder or uploaded."""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from cnnlib.data.paths import DOWNLOADS
from cnnlib.design.checks import check_fields
from cnnlib.errors import RecipeError
from cnnlib.records.folders import PREPARED, UPLOADS
from cnnlib.records.record import Record, checks
from cnnlib.records.run import check_dataset_name
from cnnlib.vocabulary.datasets import BUILTIN, CROP, FITS, FOLDER_ROLES

if TYPE_CHECKING:
    from cnnlib.records.folders import Folders

# Files with other suffixes, and with none, may be pictures too: their content decides.
PICTURE_SUFFIXES = tuple(
    ".png .jpg .jpeg .jpe .jfif .webp .bmp .dib .gif .tif .tiff .avif .heic .heif .ppm .pgm .pbm "
    ".pnm .jp2 .tga .ico".split()
)
NOT_PICTURE_SUFFIXES = tuple(
    ".txt .md .rst .csv .tsv .json .jsonl .xml .yaml .yml .toml .ini .cfg .html .htm .log .py .pyc "
    ".ipynb .m .r .js .css .sh .bat .c .h .cpp .java .pdf .doc .docx .odt .xls .xlsx .ppt .pptx "
    ".zip .tar .gz .tgz .bz2 .xz .7z .rar .npy .npz .mat .h5 .hdf5 .pt .pth .pkl .pickle .parquet "
    ".feather .arrow .db .sqlite .mp4 .avi .mov .mkv .webm .mp3 .wav .exe .dll .so .license".split()
)

WHAT_IS_TAKEN = (
    "CNN Lab takes a zip with one folder of pictures per class, or a folder like that in the data "
    "folder."
)

# Names in the data folder that are not users' datasets: torchvision's folders and this package's.
_RESERVED = {PREPARED, DOWNLOADS, UPLOADS} | {
    dataset.folder.split("/")[0] for dataset in BUILTIN.values() if dataset.folder
}

_Candidate: TypeAlias = (
    "tuple[os.DirEntry[str], str, bool]"  # with its name, and if it is an upload
)


@dataclass(frozen=True)
class FolderOptions(Record):
    """Size, channels and fit of the prepared pictures of a user's own dataset.

    Args:
        size: Side of the square, in pixels.
        channels: 3 for colour, 1 for grey.
        fit: How pictures that are not square are fitted, one of `FITS`.
        roles: What folders are, where it was not to be guessed: by path, one of `FOLDER_ROLES`.
    """

    size: int = 32
    channels: int = 3
    fit: str = CROP
    roles: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self, {"size": checks.integer(8, 256), "fit": checks.choice(FITS)})
        for path, role in self.roles.items():
            if role not in FOLDER_ROLES:
                raise RecipeError(
                    f"The folder {path} cannot be {role!r}. Choose one of: "
                    f"{', '.join(FOLDER_ROLES)}."
                )
        if self.channels not in (1, 3):
            raise RecipeError(
                f"channels is {self.channels!r}, but it must be 1 (grey) or 3 (colour). "
                "Choose one of the two."
            )

    @classmethod
    def from_source(cls, recorded: Mapping[str, str]) -> FolderOptions:
        """Read the options from the record of a prepared copy; see `as_source`."""
        roles = json.loads(recorded.get("roles", "{}"))
        fit = recorded.get("fit", CROP)
        return cls(int(recorded["size"]), int(recorded["channels"]), fit, roles)

    def as_source(self) -> dict[str, str]:
        """Return the options for the record of a prepared copy."""
        texts = {"size": str(self.size), "channels": str(self.channels), "fit": self.fit}
        return texts | ({"roles": json.dumps(dict(self.roles))} if self.roles else {})

    @property
    def picture_bytes(self) -> int:
        """Bytes of one picture."""
        return self.channels * self.size * self.size

    @property
    def text(self) -> str:
        """Text form, such as 32x32x3."""
        return f"{self.size}x{self.size}x{self.channels}"


@dataclass(frozen=True)
class FolderSource:
    """Source of a ``folder:`` dataset.

    Args:
        name: With the prefix ``folder:``.
        uploaded: It is an upload, which `remove_dataset` deletes.
        is_shared: It is a copy of an upload in an object store; its times say nothing.
    """

    name: str
    path: Path
    kind: Literal["directory", "zip"]
    uploaded: bool
    is_shared: bool = False

    @property
    def options_file(self) -> Path:
        """File with the options of an upload, in the same folder."""
        return self.path.with_name(f"{self.path.name}.json")

    def state(self) -> dict[str, Any]:
        """Return the file metadata from which a change is detected.

        For a zip these are its size and modification time. For a directory these are the
        modification times of all its folders, which change when a picture is added or removed, not
        when it is overwritten.
        """
        if self.is_shared:
            return {"kind": self.kind, "files": self._digest()}
        if self.kind == "zip":
            status = self.path.stat()
            return {"kind": "zip", "bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
        return {"kind": "directory", "folders": dict(_folder_times(self.path))}

    def matches_state(self, state: Mapping[str, Any]) -> bool:
        """Return whether the source is unchanged; of a directory only known folders are read."""
        if self.kind != state.get("kind"):
            return False
        if "files" in state:
            return bool(state["files"] == self._digest())
        if self.is_shared:  # recorded before the upload was in an object store
            return self.kind != "zip" or state.get("bytes") == self.path.stat().st_size
        if self.kind == "zip":
            with suppress(FileNotFoundError):  # removed in the meantime
                return self.state() == dict(state)
            return False
        times = state.get("folders")
        return isinstance(times, Mapping) and all(
            _mtime_ns(self.path / folder) == time for folder, time in times.items()
        )

    def _digest(self) -> str:
        """Return a hash of the names and sizes of all files."""
        below = sorted(self.path.rglob("*")) if self.kind == "directory" else [self.path]
        files = [path for path in below if path.is_file()]
        found = [(each.relative_to(self.path).as_posix(), each.stat().st_size) for each in files]
        return hashlib.blake2b(json.dumps(found).encode(), digest_size=16).hexdigest()


def folder_sources(folders: Folders) -> list[FolderSource]:
    """List all ``folder:`` datasets, sorted by name.

    Of several with one name, the data folder has precedence over the uploads, and a directory over
    a zip.
    """
    found: dict[str, FolderSource] = {}
    for source in _sources(_candidates(folders), folders):
        found.setdefault(source.name, source)
    return [found[name] for name in sorted(found)]


def folder_source(name: str, folders: Folders) -> FolderSource | None:
    """Return the source of the dataset ``folder:<name>``; None if there is none."""
    check_dataset_name(name)
    named = (each for each in _candidates(folders) if each[1] == name)
    return next(_sources(named, folders), None)


def _sources(candidates: Iterable[_Candidate], folders: Folders) -> Generator[FolderSource]:
    """Yield the sources in order of precedence.

    Last come directories of pictures without class folders: people mean them as datasets, and are
    told what is missing.
    """
    flat = []
    for candidate in candidates:
        path = Path(candidate[0].path)
        if candidate[0].is_file() or has_class_folders(path):
            yield _source(candidate, bool(folders.files))
        elif _holds_picture(path):
            flat.append(candidate)
    yield from (_source(each, bool(folders.files)) for each in flat)


def _source(candidate: _Candidate, is_shared: bool) -> FolderSource:
    entry, name, uploaded = candidate
    kind: Literal["directory", "zip"] = "directory" if entry.is_dir() else "zip"
    return FolderSource(name, Path(entry.path), kind, uploaded, uploaded and is_shared)


def _candidates(folders: Folders) -> Generator[_Candidate]:
    """Yield entries, their dataset names and whether they are uploads, in order of precedence."""
    for root, uploaded in ((folders.data, False), (folders.runs / UPLOADS, True)):
        for entry in sorted(_entries(root), key=lambda entry: (entry.is_file(), entry.name)):
            name = _dataset_name(entry)
            if name is not None and (uploaded or entry.name not in _RESERVED):
                yield entry, name, uploaded


def _dataset_name(entry: os.DirEntry[str]) -> str | None:
    """Return the dataset name of a directory or zip; None if it is not a valid one."""
    is_zip = entry.name.lower().endswith(".zip") and entry.is_file()
    if not is_visible(entry.name) or not (is_zip or entry.is_dir()):
        return None
    own = entry.name[: -len(".zip")] if is_zip else entry.name
    name = f"folder:{unicodedata.normalize('NFC', own).strip()}"
    try:
        check_dataset_name(name)
    except RecipeError:
        return None  # not valid in a run's request
    return name


def _entries(root: Path) -> Generator[os.DirEntry[str]]:
    try:
        with os.scandir(root) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # not readable, so not a dataset


def has_class_folders(path: Path, depth: int = 5) -> bool:
    """Return whether a folder in ``path``, at most ``depth`` levels down, contains a picture."""
    entries = [entry for entry in _entries(path) if is_visible(entry.name)]
    inner = [Path(entry.path) for entry in entries if entry.is_dir()]
    if any(_holds_picture(folder) for folder in inner):
        return True
    return depth > 1 and any(has_class_folders(folder, depth - 1) for folder in inner)


def is_visible(name: str) -> bool:
    """Return whether a file or folder is neither hidden nor made by a file manager."""
    return not name.startswith(".") and name not in ("__MACOSX", "Thumbs.db", "desktop.ini")


def is_picture_name(name: str) -> bool:
    """Return whether a file name has a picture's suffix; the content is not checked."""
    return is_visible(name) and name.lower().endswith(PICTURE_SUFFIXES)


def may_be_picture(name: str) -> bool:
    """Return whether a file may be a picture: its name has no suffix of something else."""
    return not name.lower().endswith(NOT_PICTURE_SUFFIXES)


def _holds_picture(folder: Path) -> bool:
    return any(is_picture_name(entry.name) and entry.is_file() for entry in _entries(folder))


def _folder_times(path: Path) -> Generator[tuple[str, int]]:
    for folder, inner, _ in os.walk(path):
        inner[:] = sorted(name for name in inner if is_visible(name))
        yield os.path.relpath(folder, path), os.stat(folder).st_mtime_ns


def _mtime_ns(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except (OSError, ValueError):  # a null byte in a path is a ValueError
        return None
