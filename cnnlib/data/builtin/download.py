"""Download of published files from mirrors, with progress, speed and an MD5 check."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.request
from typing import TYPE_CHECKING

from cnnlib.errors import DataError
from cnnlib.records.job import Progress
from cnnlib.units import format_size

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from cnnlib.vocabulary.datasets import BuiltinDataset, RemoteFile

TIMEOUT_SECONDS = 10.0
_CHUNK_BYTES = 1 << 16
_REPORT_SECONDS = 0.1


def download(
    dataset: BuiltinDataset, file: RemoteFile, target: Path, before: int
) -> Generator[Progress]:
    """Download one of a dataset's files to ``target``, which is created once it is complete.

    Closing the generator cancels the download and removes the partial file.

    Args:
        before: Bytes of the dataset's files before this one, for the total progress.

    Raises:
        DataError: No mirror returned the published file.
    """
    part = target.with_name(f"{target.name}.part")
    failures = []
    for url in file.urls:
        try:
            yield from _fetch(dataset, file, url, part, before)
            part.replace(target)
            return
        except _DownloadFailure as failure:
            failures.append(f"{url}: {failure}")
        finally:
            part.unlink(missing_ok=True)
    raise DataError(
        f"{dataset.title} is not in the data folder, and {file.name} could not be downloaded "
        f"({'; '.join(failures)}). Check the network, or copy the files to {dataset.folder} in "
        "the data folder."
    )


class _DownloadFailure(Exception):
    """The download from one mirror failed."""


def _fetch(
    dataset: BuiltinDataset, file: RemoteFile, url: str, part: Path, before: int
) -> Generator[Progress]:
    digest = hashlib.md5(usedforsecurity=False)
    reporter = _ProgressReporter(dataset, before)
    size = 0
    with part.open("wb") as out:
        for chunk in _chunks(url):
            out.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            if size > 2 * file.size_bytes + _CHUNK_BYTES:
                raise _DownloadFailure(
                    f"received more than twice the published {file.size_bytes:,} bytes"
                )
            yield from reporter.report(size)
    if digest.hexdigest() != file.md5:
        raise _DownloadFailure(
            f"received {size:,} bytes with MD5 {digest.hexdigest()} instead of {file.md5}"
        )


def _chunks(url: str) -> Generator[bytes]:
    request = urllib.request.Request(url, headers={"User-Agent": "cnnlib"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            while chunk := response.read(_CHUNK_BYTES):
                yield chunk
    except (OSError, http.client.HTTPException) as error:  # URLError and timeouts are OSErrors
        raise _DownloadFailure(str(error) or type(error).__name__) from error


class _ProgressReporter:
    """Reports the progress of a download, at most ten times a second."""

    def __init__(self, dataset: BuiltinDataset, before: int) -> None:
        self._dataset, self._before = dataset, before
        self._start = self._last = time.monotonic()

    def report(self, size: int) -> Generator[Progress]:
        now = time.monotonic()
        if now - self._last < _REPORT_SECONDS:
            return
        self._last = now
        total = max(1, self._dataset.download_bytes)
        speed = size / (now - self._start)
        left = max(0.0, total - self._before - size) / speed
        yield Progress(
            min(1.0, (self._before + size) / total),
            f"downloading {self._dataset.title}: {format_size(self._before + size)} of "
            f"{format_size(total)}, {format_size(speed)}/s, about {left:.0f} s left",
        )
