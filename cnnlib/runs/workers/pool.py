"""Worker processes of an app: started warm, watched, and told when the app ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cnnlib
from cnnlib.errors import StoreError
from cnnlib.runs.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cnnlib.records.folders import Folders

QUIT = b"q"  # written to a worker: end the run with a checkpoint and leave
WATCH_SECONDS = 0.5
_QUICK_DEATH_SECONDS = 20.0  # a worker that lives shorter than this has something wrong
_LONGEST_PAUSE_SECONDS = 60.0
_LOG_BYTES = 1_000_000  # a longer log is begun anew

# glibc gives large buffers back to the system after every training step, which can cost a third of
# the time; a process that trains keeps them. Read when a process starts, and by glibc alone.
_KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "268435456",
}


class WorkerPool:
    """Keeps a number of workers ready for runs, and one for jobs while there are jobs.

    They are processes of their own: a crash of this one leaves them at their runs, after which
    they leave.

    Args:
        count: Workers for runs; None asks CNNLAB_WORKERS, else it is one per GPU, or one.
        command: What starts a worker process.

    Raises:
        StoreError: CNNLAB_WORKERS is not a number, or the store cannot be opened.
    """

    def __init__(
        self,
        folders: Folders,
        count: int | None = None,
        command: Sequence[str] = (sys.executable, "-m", "cnnlib.train.worker"),
    ) -> None:
        gpus = visible_gpus()
        self.count = count if count is not None else default_count(gpus)
        self._store = RunStore(folders)
        environment = worker_environment(folders)
        self._for_runs = [
            _Place(
                folders.runs / "logs" / f"runs-{number + 1}.log",
                [*command, "--follow", "--does", "runs", "--at-once", str(self.count)],
                environment | _own_gpu(gpus, number),
            )
            for number in range(self.count)
        ]
        self._for_jobs = _Place(
            folders.runs / "logs" / "jobs.log",
            [*command, "--follow", "--does", "jobs"],
            environment,
        )
        self._turn = threading.Lock()
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._keep_watch, name="worker-pool", daemon=True)

    def start(self) -> None:
        """Start a thread that starts the workers and keeps them there; harmless twice."""
        with self._turn:
            if not self._watch.is_alive() and not self._ended.is_set():
                self._watch.start()

    def ensure(self) -> None:
        """Start workers that are missing, and the one for jobs if a job waits.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._turn:
            if self._ended.is_set():
                return
            for place in self._for_runs:
                place.fill()
            if self._store.has_queued_job():
                self._for_jobs.fill()

    @property
    def trouble(self) -> str:
        """Why there is no worker, as a sentence; "" while all is well."""
        return next((place.trouble for place in self._places if place.trouble), "")

    def shutdown(self, patience_seconds: float = 10.0) -> None:
        """End all workers: runs write a checkpoint and end as "interrupted"; queued ones stay.

        Args:
            patience_seconds: How long to wait for them; one that takes longer leaves by itself.
        """
        self._ended.set()
        with self._turn:
            for place in self._places:
                place.dismiss()
        deadline = time.monotonic() + patience_seconds
        for place in self._places:
            place.wait(deadline - time.monotonic())
        self._store.close()

    @property
    def pids(self) -> list[int]:
        """The processes that are at work or wait for it."""
        return [place.pid for place in self._places if place.pid is not None]

    @property
    def _places(self) -> list[_Place]:
        return [*self._for_runs, self._for_jobs]

    def _keep_watch(self) -> None:
        while True:
            try:
                self.ensure()
            except StoreError as error:  # pages say it themselves; it may pass
                print(error, file=sys.stderr, flush=True)
            if self._ended.wait(WATCH_SECONDS):
                return


class _Place:
    """Where one worker process is, or was, or will be."""

    def __init__(self, log: Path, command: list[str], environment: Mapping[str, str]) -> None:
        self._log = log
        self._command = command
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = self._not_before = 0.0
        self._quick_deaths = 0
        self.trouble = ""

    def fill(self) -> None:
        """Start a process if there is none; after quick deaths, not before a pause is over."""
        if self._process is not None:
            if self._process.poll() is None:
                self._note_health()
                return
            self._note_death(self._process)
        if time.monotonic() >= self._not_before:
            try:
                self._start()
            except OSError as error:  # no room for its log, no memory for a process
                self._put_off()
                found = f"{error.strerror} ({error.filename})" if error.filename else error.strerror
                self.trouble = (
                    f"No worker process can be started: {found}. Nothing trains until that is "
                    "mended; it is tried again and again."
                )

    @property
    def pid(self) -> int | None:
        """The process that is there; None where there is none."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def dismiss(self) -> None:
        """Ask the process to leave."""
        if self._process is not None:
            assert self._process.stdin is not None  # it was started with a pipe
            try:
                self._process.stdin.write(QUIT)
                self._process.stdin.close()
            except OSError:  # it has left already
                pass

    def wait(self, seconds: float) -> None:
        """Wait for the process to leave, for a while."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(max(0.0, seconds))

    def _start(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        grown = self._log.exists() and self._log.stat().st_size > _LOG_BYTES
        with self._log.open("wb" if grown else "ab") as log:
            self._process = subprocess.Popen(
                self._command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=Path(cnnlib.__file__).parent.parent,
                env=self._environment,
                **_OWN_GROUP,
            )
        self._started = time.monotonic()

    def _note_health(self) -> None:
        if time.monotonic() - self._started > _QUICK_DEATH_SECONDS:
            self._quick_deaths, self.trouble = 0, ""

    def _note_death(self, process: subprocess.Popen[bytes]) -> None:
        """Wait longer and longer before the next start if workers die as soon as they start."""
        self._process = None
        assert process.stdin is not None  # it was started with a pipe
        process.stdin.close()
        if process.returncode == 0 or time.monotonic() - self._started > _QUICK_DEATH_SECONDS:
            self._quick_deaths, self.trouble = 0, ""
            return
        self._put_off()
        self.trouble = (
            f"The last worker process ended as soon as it had started (exit code "
            f"{process.returncode}), so nothing trains. Its last words are in {self._log}; another "
            "one is started soon."
        )

    def _put_off(self) -> None:
        """The more starts went wrong, the longer the pause before the next one."""
        self._quick_deaths += 1
        pause = min(_LONGEST_PAUSE_SECONDS, 2.0 ** min(10, self._quick_deaths - 1))
        self._not_before = time.monotonic() + pause


# A Ctrl-C in the app's terminal is for the app, which then asks its workers to leave.
_OWN_GROUP: dict[str, Any]
if sys.platform == "win32":
    _OWN_GROUP = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
else:
    _OWN_GROUP = {"start_new_session": True}


def worker_environment(folders: Folders) -> dict[str, str]:
    """The variables of a worker process: the app's own, its folders, memory that is kept."""
    return _KEEP_MEMORY | {
        **os.environ,
        "CNNLAB_DATA": str(folders.data),
        "CNNLAB_RUNS": str(folders.runs),
        "CNNLAB_DATABASE": folders.database,
    }


def default_count(gpus: list[str]) -> int:
    """Workers for runs: CNNLAB_WORKERS, else one per GPU, or one.

    Raises:
        StoreError: CNNLAB_WORKERS is not a number of workers.
    """
    asked = os.environ.get("CNNLAB_WORKERS", "").strip()
    if not asked:
        return max(1, len(gpus))
    if not asked.isdecimal() or not 1 <= int(asked) <= 64:
        raise StoreError(
            f"CNNLAB_WORKERS={asked!r} is not a number of workers from 1 to 64. Set it to how many "
            "runs may train at once, or leave it out."
        )
    return int(asked)


def visible_gpus() -> list[str]:
    """NVIDIA GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return [name for name in allowed.replace(" ", "").split(",") if name not in ("", "-1")]
    found = Path("/proc/driver/nvidia/gpus")
    return [str(number) for number, _ in enumerate(found.iterdir())] if found.is_dir() else []


def _own_gpu(gpus: list[str], number: int) -> dict[str, str]:
    """Each worker sees one GPU where there are several."""
    return {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if len(gpus) > 1 else {}
