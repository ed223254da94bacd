"""Worker processes of an app: started in advance, restarted, and ended with the app."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlib.errors import StoreError, ViewerError
from cnnlib.runs.capacity import default_runs, visible_gpus
from cnnlib.runs.database import WORKER_CONNECTIONS
from cnnlib.runs.files.sweep import SWEEP_SECONDS, sweep_if_due
from cnnlib.runs.rate_limit import RateLimit
from cnnlib.runs.store import RunStore
from cnnlib.runs.workers.liveness import HEARTBEAT_SECONDS
from cnnlib.runs.workers.processes import (
    CAN_FORK,
    ForkServer,
    Process,
    StartedProcess,
    wait_for_exit,
)

if TYPE_CHECKING:
    from cnnlib.records.folders import Folders
    from cnnlib.runs.workers.viewer import Viewer

WATCH_SECONDS = 0.5
_QUICK_EXIT_SECONDS = 20.0  # an exit with an error before this delays the next start
_LONGEST_PAUSE_SECONDS = 60.0
_SWEEP_DELAY_SECONDS = 60.0  # after the start, so that the first page does not wait
_LOG_BYTES = 1_000_000  # a longer log is overwritten

# glibc returns large buffers to the system after every training step, which can cost a quarter of
# the time; these variables make a process keep them. They are read at its start, and by glibc
# alone.
_KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "268435456",
}


class WorkerPool:
    """Keeps a number of workers ready for runs, and one for jobs while there are jobs.

    They are separate processes: after a crash of this one they finish their runs and exit.

    Args:
        count: Most workers for runs; None is `default_runs`. The first is always ready, the others
            start when runs wait, and exit when idle.
        command: Command line of workers; None forks them from one process where that is possible.
        viewer: A process for it is started and restarted with the workers; None starts none.
        is_page_open: Whether any page is open, with which training shares the cores.

    Raises:
        StoreError: CNNLAB_WORKERS is not a number, or the store cannot be opened.
    """

    def __init__(
        self,
        folders: Folders,
        count: int | None = None,
        command: Sequence[str] | None = None,
        viewer: Viewer | None = None,
        is_page_open: Callable[[], bool] = lambda: False,
    ) -> None:
        gpus = visible_gpus()
        self.count = count if count is not None else default_runs()
        self._store = RunStore(folders, WORKER_CONNECTIONS)
        self._environment = worker_environment(folders)
        self._fork_server = None
        if command is None and CAN_FORK:
            log = folders.runs / "logs" / "fork-server.log"
            self._fork_server = ForkServer(self._environment, log)
        self._command = [*(command or (sys.executable, "-m", "cnnlib.train.worker"))]
        at_once = ("--does", "runs", "--at-once", str(self.count))
        self._for_runs = [
            self._slot(
                folders,
                f"runs-{number + 1}",
                "worker",
                (*at_once, "--spare") if number else at_once,
                _own_gpu(gpus, number),
            )
            for number in range(self.count)
        ]
        self._is_page_open = is_page_open
        self._pages_id = ""
        self._heartbeat_limit = RateLimit(HEARTBEAT_SECONDS)
        self._for_jobs = self._slot(folders, "jobs", "worker", ("--does", "jobs"), {})
        self.viewer = viewer
        self._for_viewer = viewer and self._slot(
            folders, "viewer", "viewer", (), viewer.environment
        )
        self._next_sweep = time.monotonic() + _SWEEP_DELAY_SECONDS
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._watch_workers, name="worker-pool", daemon=True)

    def _slot(
        self,
        folders: Folders,
        name: str,
        kind: str,
        options: Sequence[str],
        more: Mapping[str, str],
    ) -> _WorkerSlot:
        """Return a slot for a worker or the viewer, with variables of its own."""
        arguments = ["--follow", *options] if kind == "worker" else []
        command = (
            self._command if kind == "worker" else [sys.executable, "-m", "cnnlib.train.viewer"]
        )

        def launch(log: Path) -> Process:
            if self._fork_server is not None:
                return self._fork_server.start(kind, arguments, more, log)
            return StartedProcess([*command, *arguments], {**self._environment, **more}, log)

        return _WorkerSlot(folders.runs / "logs" / f"{name}.log", launch)

    def start(self) -> None:
        """Start the thread that starts and restarts the workers; a second call does nothing."""
        with self._lock:
            if not self._watch.is_alive() and not self._ended.is_set():
                self._watch.start()

    def ensure(self) -> None:
        """Start missing workers, and the one for jobs if a job waits.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._lock:
            if self._ended.is_set():
                return
            for slot in self._for_runs[: max(1, self._store.count_for_workers())]:
                slot.ensure_started()
            if self._for_viewer:
                self._for_viewer.ensure_started()
            if self._store.jobs.are_waiting():
                self._for_jobs.ensure_started()

    @property
    def error(self) -> str:
        """Why there is no worker, as a sentence; "" without an error."""
        slots = [*self._for_runs, self._for_jobs]
        return next((slot.error for slot in slots if slot.error), "")

    def viewer_answer(self, function: str, *arguments: Any) -> Any:
        """Call a function of the viewer process; see `Viewer.ask`."""
        if self.viewer is None:
            raise ViewerError("This server has no viewer. Start it as the app does.")
        return self.viewer.ask(function, *arguments)

    def shutdown(self, patience_seconds: float = 10.0) -> None:
        """End all workers: runs write a checkpoint and end as "interrupted"; queued ones stay.

        Args:
            patience_seconds: Longest wait for them; a slower one exits later by itself.
        """
        self._ended.set()
        if self.viewer:
            self.viewer.close()
        with self._lock:
            for slot in self._slots:
                slot.request_exit()
        deadline = time.monotonic() + patience_seconds
        for slot in self._slots:
            slot.wait(deadline - time.monotonic())
        if self._fork_server is not None:
            self._fork_server.close()
        self._store.close()

    @property
    def pids(self) -> list[int]:
        """Ids of the running worker processes, without the viewer's."""
        slots = [*self._for_runs, self._for_jobs]
        return [slot.pid for slot in slots if slot.pid is not None]

    @property
    def _slots(self) -> list[_WorkerSlot]:
        viewers = [self._for_viewer] if self._for_viewer else []
        return [*self._for_runs, self._for_jobs, *viewers]

    def _record_open_pages(self) -> None:
        """Register the pages as a worker while any is open: training leaves a core to them."""
        workers = self._store.workers
        if self._is_page_open():
            self._pages_id = self._pages_id or workers.register("pages")
            if self._heartbeat_limit.is_due():
                workers.send_heartbeat(self._pages_id, "pages")
        elif self._pages_id:
            workers.unregister(self._pages_id)
            self._pages_id = ""

    def _start_sweep_if_due(self) -> None:
        """Remove left-over files in a thread: listing an object store may take long."""
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + SWEEP_SECONDS
            threading.Thread(target=self._sweep, name="sweep", daemon=True).start()

    def _sweep(self) -> None:
        try:
            sweep_if_due(self._store)
        except StoreError as error:
            print(error, file=sys.stderr, flush=True)

    def _watch_workers(self) -> None:
        if note := self._store.database.note:
            print(note, file=sys.stderr, flush=True)
        while True:
            try:
                self._record_open_pages()
                self.ensure()
                self._store.reap_if_due()  # nobody may be reading
                self._start_sweep_if_due()
            except StoreError as error:  # pages report it as well; it may be temporary
                print(error, file=sys.stderr, flush=True)
            if self._ended.wait(WATCH_SECONDS):
                return


class _WorkerSlot:
    """A slot for one worker process, which is restarted after it exits."""

    def __init__(self, log: Path, launch: Callable[[Path], Process]) -> None:
        self._log = log
        self._launch = launch
        self._process: Process | None = None
        self._started = self._next_start = 0.0
        self._quick_exits = 0
        self.error = ""

    def ensure_started(self) -> None:
        """Start a process if there is none; after quick exits only after a delay."""
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                self._clear_error_if_healthy()
                return
            self._record_exit(code)
        if time.monotonic() >= self._next_start:
            try:
                self._start()
            except OSError as error:  # no space for the log, no memory for a process
                self._delay_restart()
                found = f"{error.strerror} ({error.filename})" if error.filename else error.strerror
                self.error = (
                    f"No worker process can be started: {found}. No run can train until this is "
                    "fixed; CNN Lab keeps trying."
                )

    @property
    def pid(self) -> int | None:
        """Id of the running process; None without one."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def request_exit(self) -> None:
        """Request the process to exit."""
        if self._process is not None:
            self._process.request_exit()

    def wait(self, seconds: float) -> None:
        """Wait for the process to exit, for at most some seconds."""
        if self._process is not None:
            wait_for_exit(self._process, seconds)

    def _start(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        if self._log.exists() and self._log.stat().st_size > _LOG_BYTES:
            self._log.write_bytes(b"")
        self._process = self._launch(self._log)
        self._started = time.monotonic()

    def _clear_error_if_healthy(self) -> None:
        if time.monotonic() - self._started > _QUICK_EXIT_SECONDS:
            self._quick_exits, self.error = 0, ""

    def _record_exit(self, code: int) -> None:
        """Record that the process has exited; a quick exit with an error delays the next start."""
        self._process = None
        if code == 0 or time.monotonic() - self._started > _QUICK_EXIT_SECONDS:
            self._quick_exits, self.error = 0, ""
            return
        self._delay_restart()
        self.error = (
            f"The worker process ended right after its start (exit code "
            f"{code}), so no run can train. Its messages are in {self._log}; another "
            "worker starts soon."
        )

    def _delay_restart(self) -> None:
        """Delay the next start: 1 s after the first failure, then twice as long, up to 60 s."""
        self._quick_exits += 1
        pause = min(_LONGEST_PAUSE_SECONDS, 2.0 ** min(10, self._quick_exits - 1))
        self._next_start = time.monotonic() + pause


def worker_environment(folders: Folders) -> dict[str, str]:
    """Environment of a worker: the app's variables, its folders and the memory settings."""
    return _KEEP_MEMORY | {
        **os.environ,
        "CNNLAB_DATA": str(folders.data),
        "CNNLAB_RUNS": str(folders.runs),
        "CNNLAB_DATABASE": folders.database,
        "CNNLAB_FILES": folders.files,
        "CNNLAB_DATABASE_DIRECT": folders.database_direct,
    }


def _own_gpu(gpus: list[str], number: int) -> dict[str, str]:
    """The variable that restricts a worker to one GPU, if there are several."""
    return {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if len(gpus) > 1 else {}
