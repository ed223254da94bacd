"""Files in an object store, through ``pyarrow.fs``, with copies in the local folder of runs."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa
from pyarrow import fs

from cnnlib.errors import FileMissing, FilesUnreachable, StoreError
from cnnlib.records.files import copy_file, replacing
from cnnlib.records.stored.files import StoredFile, file_missing, is_listed, remove_path

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 10.0  # without a byte; a request is tried three times
_SECOND_NS = 1_000_000_000
_OPTIONS = ("endpoint_override", "region", "scheme")
_FORM = "Write it as s3://bucket/prefix?endpoint_override=host:port, or unset it."


class ObjectFiles:
    """Files in an object store.

    Credentials are those of the variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
    AWS_SESSION_TOKEN, or of the machine's role.

    Args:
        address: ``s3://bucket/prefix?endpoint_override=...&region=...&scheme=...``, or
            ``file:///folder`` for a folder that is used like an object store.
        cache: The local folder of runs; a fetched file lies there under its key.

    Raises:
        StoreError: The address is none.
    """

    is_remote = True

    def __init__(self, address: str, cache: Path) -> None:
        self._cache = cache
        self._system, self._root = _open(address)
        self._name = address.partition("?")[0]

    def __str__(self) -> str:
        return self._name

    def put(self, key: str, path: Path) -> None:
        """Upload a file; an interrupted upload leaves what was there."""
        with _reachable(self):
            if self._is_folder:
                self._check_root()
                target = Path(self._path(key))
                target.parent.mkdir(parents=True, exist_ok=True)
                with replacing(target) as file:
                    copy_file(path, file)
                return
            with pa.memory_map(str(path)) as source:
                content = source.read_buffer()
                # One write: an object is complete at its close, also after an error between two.
                with self._system.open_output_stream(self._path(key)) as target:
                    target.write(content)

    def fetch(self, key: str, *, refresh: bool = False) -> Path:
        """Return the local copy of a file, after its download where there is none."""
        path = self._cache / key
        if not path.is_file() or (refresh and self._is_newer(key, path)):
            self.copy_to(key, path)
        return path

    def copy_to(self, key: str, path: Path) -> None:
        """Download a file; its time is that of the object, with a fraction of its own on S3."""
        with _reachable(self):
            info = self._info(key)
            if info.type != fs.FileType.File:
                self._check_root()
                raise file_missing(key, self._name)
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as target:
                with self._system.open_input_stream(info.path) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
                written = info.mtime_ns or 0
                if not self._is_folder:  # two contents of one second get different times
                    written = written // _SECOND_NS * _SECOND_NS + time.time_ns() % _SECOND_NS
                os.utime(target, ns=(written, written))

    def names(self, prefix: str = "") -> list[StoredFile]:
        """List the files below a prefix."""
        base = self._path(prefix).rstrip("/")
        with _reachable(self):
            selector = fs.FileSelector(base, recursive=True, allow_not_found=True)
            found = self._system.get_file_info(selector)
            if not found:
                self._check_root()  # a missing bucket or folder has no files, too
        listed = [
            StoredFile(info.path.removeprefix(self._root), info.size, info.mtime_ns / 1e9)
            for info in found
            if info.type == fs.FileType.File
        ]
        return sorted((each for each in listed if is_listed(each.key)), key=lambda each: each.key)

    def remove(self, keys: Iterable[str]) -> None:
        """Remove files and their local copies."""
        for key in keys:
            below = [each.key for each in self.names(key)] if key.endswith("/") else [key]
            with _reachable(self):
                for each in below:
                    try:
                        self._system.delete_file(self._path(each))
                    except FileNotFoundError:
                        self._check_root()
                remove_path(self._cache / key, is_folder=key.endswith("/"))

    def trim_cache(self, prefix: str, before: float) -> None:
        """Delete local copies that were neither written nor fetched since a time."""
        for path in (self._cache / prefix).rglob("*"):
            with suppress(FileNotFoundError):
                status = path.stat()
                if path.is_file() and max(status.st_atime, status.st_ctime) < before:
                    path.unlink()

    @property
    def _is_folder(self) -> bool:
        return isinstance(self._system, fs.LocalFileSystem)

    def _path(self, key: str) -> str:
        return f"{self._root}{key}"

    def _info(self, key: str) -> fs.FileInfo:
        [info] = self._system.get_file_info([self._path(key)])
        return info

    def _is_newer(self, key: str, path: Path) -> bool:
        unit = 1 if self._is_folder else _SECOND_NS
        with _reachable(self):
            return bool((self._info(key).mtime_ns or 0) // unit != path.stat().st_mtime_ns // unit)

    def _check_root(self) -> None:
        """Check that the bucket or folder exists.

        Raises:
            FilesUnreachable: It does not: it is no empty store.
        """
        root = self._root.rstrip("/") if self._is_folder else self._root.partition("/")[0]
        [info] = self._system.get_file_info([root])
        if info.type == fs.FileType.NotFound:
            what = "folder" if self._is_folder else "bucket"
            raise self.unreachable(f"there is no {what} {root}")

    def unreachable(self, reason: str) -> FilesUnreachable:
        """Return the error for a reason."""
        return FilesUnreachable(
            f"The files of the run store in {self._name} cannot be used: {reason[:300]}. They were "
            "not taken for deleted. Check CNNLAB_FILES, the network and the variables AWS_..., "
            "then try again."
        )


@contextmanager
def _reachable(files: ObjectFiles) -> Generator[None]:
    try:
        yield
    except (FileMissing, FilesUnreachable):
        raise
    except (OSError, pa.ArrowException) as error:
        raise files.unreachable(str(error)) from error


def _open(address: str) -> tuple[Any, str]:
    """Return a file system, and the path in it before every key, which ends with a slash.

    Raises:
        StoreError: The address is none; the sentence does not repeat it, as it may hold a password.
    """
    parts = urlsplit(address)
    options: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
    path = unquote(parts.path).strip("/")
    if parts.scheme == "file" and not parts.netloc and path and not options:
        return fs.LocalFileSystem(), f"/{path}/" if os.name != "nt" else f"{path}/"
    if parts.scheme != "s3" or not parts.netloc:
        raise StoreError(f"CNNLAB_FILES is not the address of an object store. {_FORM}")
    if "@" in parts.netloc:
        raise StoreError(
            "CNNLAB_FILES contains a key or a password, which everyone could read who sees the "
            "address. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and write the bucket alone."
        )
    if unknown := sorted(set(options) - set(_OPTIONS)):
        raise StoreError(
            f"CNNLAB_FILES has the option {unknown[0][:40]!r}, but an address takes only "
            f"{', '.join(_OPTIONS)}. {_FORM}"
        )
    region = options.pop("region", "") or os.environ.get("AWS_REGION", "")
    region = region or os.environ.get("AWS_DEFAULT_REGION", "")
    if "endpoint_override" in options:
        region = region or "us-east-1"  # such servers have none, and the protocol needs one
    system = fs.S3FileSystem(
        region=region or None,
        connect_timeout=CONNECT_SECONDS,
        request_timeout=REQUEST_SECONDS,
        **options,
    )
    return system, f"{parts.netloc}/{path}/" if path else f"{parts.netloc}/"
