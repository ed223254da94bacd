"""The uploader: a thread that stores a run's files where these lie in an object store."""

from __future__ import annotations

import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING
from uuid import uuid4

from cnnlib.errors import FilesUnreachable
from cnnlib.records.events import Event, RunEnd, WeightsSaved
from cnnlib.records.folders import run_key

if TYPE_CHECKING:
    from cnnlib.records.stored.files import Files

MOST_WAITING = 4  # files; the training loop waits for a place after that
RETRY_SECONDS = 1.0
_POLL_SECONDS = 0.05


class Uploader:
    """Uploads the files that events name, in order, and passes each event on afterwards.

    Args:
        folder: The run's local folder.
        stored: Names of the files that are stored already.
        record: Called with each event, in the uploader's thread, once its file is stored.
        fail: Called with the error that ends the uploads.
        retry_seconds: How long an upload is retried.
    """

    def __init__(
        self,
        files: Files,
        run_id: str,
        folder: Path,
        stored: Collection[str],
        record: Callable[[Event], None],
        fail: Callable[[Exception], None],
        retry_seconds: float,
    ) -> None:
        self._files, self._run_id, self._folder = files, run_id, folder
        self._stored = set(stored)
        self._record, self._fail = record, fail
        self._retry_seconds = retry_seconds
        self._waiting: Queue[tuple[Event, Path | None]] = Queue(MOST_WAITING)
        self._dropped: deque[str] = deque()
        self._cancelled = Flag()
        self._ended = Flag()
        self._thread = Thread(target=self._run_thread, name="uploader", daemon=True)
        self._thread.start()

    def add(self, event: WeightsSaved | RunEnd) -> None:
        """Take an event and its file, which may change afterwards; wait while too many are waiting.

        The newest weights for pages are left out while others wait.
        """
        is_latest = isinstance(event, WeightsSaved) and event.what == "latest"
        if is_latest and not self._waiting.empty():
            return
        item = event, self._stage(event)
        while not self._cancelled.is_set():
            with suppress(Full):
                self._waiting.put(item, timeout=_POLL_SECONDS)
                return

    def remove(self, names: Iterable[str]) -> None:
        """Remove files of the run after the uploads before; what fails is left to the sweep."""
        self._dropped.extend(names)

    def finish(self) -> None:
        """Wait until all files are stored, or an error has ended the uploads."""
        while self._waiting.unfinished_tasks and not self._cancelled.is_set():
            time.sleep(_POLL_SECONDS)

    def cancel(self) -> None:
        """Retry no upload any more, and take no more files."""
        self._cancelled.set()

    def close(self) -> None:
        """Remove what was dropped and end the thread; files that still wait are not stored."""
        self.cancel()
        self._ended.set()
        self._thread.join()

    def _stage(self, event: WeightsSaved | RunEnd) -> Path | None:
        """Give the file of an event a second name: the run may delete or rewrite the first."""
        name = _file_of(event)
        if not name or name in self._stored:
            return None
        staged = self._folder / f".{uuid4().hex}"
        try:
            os.link(self._folder / name, staged)
        except OSError:  # a file system without hard links
            shutil.copyfile(self._folder / name, staged)
        return staged

    def _run_thread(self) -> None:
        try:
            while not self._ended.is_set():
                with suppress(Empty):
                    event, staged = self._waiting.get(timeout=_POLL_SECONDS)
                    self._store(event, staged)
                    self._waiting.task_done()
                self._remove_dropped()
            self._remove_dropped()
        except Exception as error:
            self._fail(error)

    def _store(self, event: Event, staged: Path | None) -> None:
        if staged is not None:
            key = run_key(self._run_id, _file_of(event))
            self._put(key, staged)
            staged.unlink(missing_ok=True)
        self._record(event)

    def _put(self, key: str, path: Path) -> None:
        deadline = time.monotonic() + self._retry_seconds
        while True:
            try:
                return self._files.put(key, path)
            except FilesUnreachable:
                if self._cancelled.is_set() or time.monotonic() > deadline:
                    raise
                self._cancelled.wait(RETRY_SECONDS)

    def _remove_dropped(self) -> None:
        with suppress(FilesUnreachable):
            while self._dropped:
                self._files.remove([run_key(self._run_id, self._dropped.popleft())])


def _file_of(event: Event) -> str:
    """Return the name of the file that an event speaks of; "" without one."""
    if isinstance(event, WeightsSaved):
        return event.file
    return event.test.predictions_file if isinstance(event, RunEnd) and event.test else ""
