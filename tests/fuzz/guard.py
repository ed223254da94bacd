"""What must never happen while a stranger's input is handled, seen from inside Python.

An audit hook (PEP 578) sees every file that is opened for writing, moved or removed, every class
that is unpickled, every process and every connection. What is not allowed is refused, and noted:
code that swallows the refusal is found all the same.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

LONGEST_SECONDS = 60.0  # one input, on a busy machine
MOST_MEMORY_BYTES = 1_500_000_000  # that one input may add to the process's peak
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PATHS = {  # event -> where in its arguments are paths that it changes, and their open folders
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.mkdir": ((0, 2),),
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((0, 2), (1, 3)),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.chmod": ((0, 2),),
    "shutil.rmtree": ((0, None),),
}
_PROCESSES = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"}


class Forbidden(AssertionError):
    """Something happened that no input may bring about."""


class TooSlow(BaseException):
    """One input took too long; no code under test catches this."""


@dataclass
class Guard:
    """What is allowed, and what was seen that is not.

    Args:
        folders: Files may be written below these.
        counts_files: A file outside is a find; otherwise it is refused as a disk would.
        counts_pickles: An unpickled class is a find.
    """

    folders: Sequence[Path]
    counts_files: bool = True
    counts_pickles: bool = True
    seen: list[str] = field(default_factory=list)

    def look(self, event: str, args: tuple[Any, ...]) -> None:
        """Called with everything that Python does; raises where it is not allowed."""
        if event == "open":
            path, _, flags = args
            if isinstance(flags, int) and flags & _WRITES:
                self._check_path(event, path)
        elif event in _PATHS:
            for place, opened in _PATHS[event]:
                folder = -1 if opened is None else args[opened]
                self._check_path(event, args[place], folder)
        elif (event == "pickle.find_class" and self.counts_pickles) or event in _PROCESSES:
            self._refuse(f"{event} {args[:2]}")
        elif event == "socket.connect":
            raise OSError(101, "Network is unreachable")

    def _check_path(self, event: str, path: Any, folder: int | None = -1) -> None:
        """Refuse a path outside; relative ones may count from a folder that is open."""
        if not isinstance(path, str | bytes | os.PathLike):  # a file that is open already
            return
        text = os.fsdecode(path)
        if "\0" in text or text in (os.devnull, "/dev/full") or text.endswith(".pyc"):
            return
        if "__pycache__" in text:
            return
        if isinstance(folder, int) and folder >= 0 and not os.path.isabs(text):
            text = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), text)
        real = os.path.realpath(text)
        if any(real == str(root) or real.startswith(f"{root}{os.sep}") for root in self.folders):
            return
        if self.counts_files:
            self._refuse(f"{event} {text!r}")
        raise PermissionError(13, "Permission denied", text)

    def _refuse(self, what: str) -> None:
        self.seen.append(what)
        raise PermissionError(13, f"forbidden: {what}")


_active: list[Guard] = []
_looking = threading.local()


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _active or getattr(_looking, "now", False):
        return
    _looking.now = True
    try:
        _active[-1].look(event, args)
    finally:
        _looking.now = False


_hooked: list[bool] = []


@contextmanager
def guarded(guard: Guard) -> Generator[None]:
    """Handle one input under the eyes of a guard.

    Raises:
        Forbidden: It did what no input may bring about, or took too much memory.
        TooSlow: It took too long.
    """
    if not _hooked:
        sys.addaudithook(_hook)  # stays for the life of the process
        _hooked.append(True)
    guard.seen.clear()
    before = _peak_bytes()
    _active.append(guard)
    try:
        with _alarm():
            yield
    finally:
        _active.remove(guard)
    if guard.seen:
        raise Forbidden("; ".join(guard.seen))
    grown = _peak_bytes() - before
    if grown > MOST_MEMORY_BYTES:
        raise Forbidden(f"it took {grown / 1e6:,.0f} MB of memory")


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextmanager
def _alarm() -> Generator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: object) -> None:
        raise TooSlow(f"it took more than {LONGEST_SECONDS:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
