"""This machine: worker processes of an app, started in advance, restarted, ended with it."""

from __future__ import annotations

import platform
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import psutil

from cnnlib.errors import StoreError, ViewerError
from cnnlib.runs.capacity import default_runs, usable_cores, visible_gpus
from cnnlib.runs.database import WORKER_CONNECTIONS
from cnnlib.runs.files.sweep import SWEEP_SECONDS, sweep_if_due
from cnnlib.runs.places.place import Node, Report
from cnnlib.runs.rate_limit import RateLimit
from cnnlib.runs.store import RunStore
from cnnlib.runs.workers.liveness import HEARTBEAT_SECONDS
from cnnlib.runs.workers.processes import CAN_FORK, ForkServer, Process, StartedProcess
from cnnlib.runs.workers.slot import ProcessSlot, worker_environment

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.records.folders import Folders
    from cnnlib.runs.workers.viewer import Viewer

WATCH_SECONDS = 0.5
_SWEEP_DELAY_SECONDS = 60.0  # after the start, so that the first page does not wait


class LocalPlace:
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
    ) -> ProcessSlot:
        """Return a slot for a worker or the viewer, with variables of its own."""
        arguments = ["--follow", *options] if kind == "worker" else []
        command = (
            self._command if kind == "worker" else [sys.executable, "-m", "cnnlib.train.viewer"]
        )

        def launch(log: Path) -> Process:
            if self._fork_server is not None:
                return self._fork_server.start(kind, arguments, more, log)
            return StartedProcess([*command, *arguments], {**self._environment, **more}, log)

        return ProcessSlot(folders.runs / "logs" / f"{name}.log", launch)

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

    def report(self) -> Report:
        """Return this machine, its workers, and why there is none, if so."""
        slots = [*self._for_runs, self._for_jobs]
        trouble = next((slot.error for slot in slots if slot.error), "")
        gpus, memory_mb = len(visible_gpus()), psutil.virtual_memory().total // 1_000_000
        name = platform.node()
        here = Node(name, name, "", True, usable_cores(), gpus, memory_mb, self.count)
        return Report((here,), len(self.pids), trouble)

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
    def _slots(self) -> list[ProcessSlot]:
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


def _own_gpu(gpus: list[str], number: int) -> dict[str, str]:
    """The variable that restricts a worker to one GPU, if there are several."""
    return {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if len(gpus) > 1 else {}
