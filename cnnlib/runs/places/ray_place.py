"""A Ray cluster as the place where runs execute; jobs and the viewer stay beside the pages."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from cnnlib.runs.places.local_place import LocalPlace
from cnnlib.runs.places.place import Node, Report
from cnnlib.runs.workers.processes import StartedProcess
from cnnlib.runs.workers.slot import ProcessSlot, worker_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cnnlib.records.folders import Folders
    from cnnlib.runs.workers.processes import Process
    from cnnlib.runs.workers.viewer import Viewer

COMMAND = (sys.executable, "-m", "cnnlib.runs.places.reconciler")


class RayPlace(LocalPlace):
    """Keeps a process that supplies a Ray cluster with workers, and none for runs on this machine.

    Any number of page servers may do so for one cluster; if all end, the runs go on.

    Raises:
        StoreError: The store cannot be opened.
    """

    def __init__(
        self,
        folders: Folders,
        viewer: Viewer | None = None,
        is_page_open: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(folders, 0, viewer=viewer, is_page_open=is_page_open)
        self._report_file = report_file(folders)
        environment = worker_environment(folders)

        def launch(log: Path) -> Process:
            return StartedProcess(COMMAND, environment, log)

        self._reconciler = ProcessSlot(folders.runs / "logs" / "reconciler.log", launch)

    def ensure(self) -> None:
        super().ensure()
        with self._lock:
            if not self._ended.is_set():
                self._reconciler.ensure_started()

    def report(self) -> Report:
        """Return what the reconciler wrote last."""
        try:
            found = read_report(self._report_file)
        except FileNotFoundError:
            found = Report(trouble="The connection to the cluster is being made.")
        return replace(found, trouble=found.trouble or super().report().trouble)

    @property
    def _slots(self) -> list[ProcessSlot]:
        return [*super()._slots, self._reconciler]


def report_file(folders: Folders) -> Path:
    """Return the file in which the reconciler of this machine writes its `Report`."""
    return folders.runs / "logs" / "place.json"


def write_report(file: Path, report: Report) -> None:
    """Write a report at once, so that no reader finds half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps(asdict(report)))
    os.replace(new, file)


def read_report(file: Path) -> Report:
    """Read what the reconciler of this machine wrote last; FileNotFoundError without one."""
    values = json.loads(file.read_text())
    nodes = tuple(Node(**each) for each in values.pop("nodes"))
    return Report(nodes, **values)
