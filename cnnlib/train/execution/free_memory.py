"""Whether a further run fits into the memory of this machine. (Does not import torch.)"""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import psutil

from cnnlib.runs.capacity import visible_gpus
from cnnlib.train.execution.forecast import forecast_for_run
from cnnlib.units import format_size, plural

if TYPE_CHECKING:
    from cnnlib.records.run import Run
    from cnnlib.runs import RunStore

_REFUSED_SECONDS = 1.0  # idle workers ask twenty times a second
_CGROUP = Path("/sys/fs/cgroup")


class FreeMemory:
    """Compares what a waiting run will need with what the runs at work leave free.

    On a GPU it is not asked: what is free there is known to torch alone.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._needs: dict[str, int] = {}  # by run
        self._refused, self._refused_at, self._reason = "", 0.0, ""

    def lack(self, run_id: str, worker_id: str) -> str:
        """Return why a run has to wait, as a phrase; "" if it fits, or if it would be alone.

        A run that was refused is looked at again after a second.

        Args:
            worker_id: The worker that would take it, in this process.
        """
        if run_id == self._refused and monotonic() - self._refused_at < _REFUSED_SECONDS:
            return self._reason
        self._reason = self._find_reason(run_id, worker_id)
        self._refused, self._refused_at = run_id if self._reason else "", monotonic()
        return self._reason

    def _find_reason(self, run_id: str, worker_id: str) -> str:
        others = [] if visible_gpus() else self._store.at_work_beside(worker_id)
        if not others:
            return ""
        need = self._need(self._store.run(run_id))
        own = _resident_bytes(None)
        claimed = (self._need(run) + own - _resident_bytes(pid) for run, pid in others)
        free = available_bytes() - sum(max(0, growth) for growth in claimed)
        if need <= free:
            return ""
        runs = plural(len(others), "run")
        return (
            f"waits for memory: it needs {format_size(need)}, and {format_size(max(0, free))} "
            f"are free beside {runs} in training"
        )

    def _need(self, run: Run) -> int:
        """Return the forecast of a run's memory; 0 if there is none."""
        if run.id not in self._needs:
            promised = forecast_for_run(run.request, self._store.folders)
            self._needs[run.id] = int(promised.get("peak_memory_bytes", 0))
        return self._needs[run.id]


def available_bytes() -> int:
    """Return the memory that this machine, or the container, can still give to processes."""
    available = int(psutil.virtual_memory().available)
    try:
        limit, used = (int((_CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        statistics = (_CGROUP / "memory.stat").read_text().split()
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return available
    cached = int(statistics[statistics.index("inactive_file") + 1])  # given up when needed
    return min(available, max(0, limit - used + cached))


def _resident_bytes(pid: int | None) -> int:
    """Return the resident memory of a process, None for this one; 0 if it has ended."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
