"""``python -m cnnlib.runs.places.reconciler``: keeps a Ray cluster supplied with workers.

It has nothing of its own: what is to be done stands in the run store, and which workers there are
is known to the cluster. So several may run at once, and each may end at any time.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

from cnnlib.errors import CnnlibError, StoreError
from cnnlib.runs.database import WORKER_CONNECTIONS
from cnnlib.runs.places.place import MOST_ATTEMPTS, Report
from cnnlib.runs.places.ray_place import report_file
from cnnlib.runs.store import RunStore

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.runs.places.ray_cluster import RayCluster

INTERVAL_SECONDS = 0.5


def reconcile(store: RunStore, cluster: RayCluster) -> Report:
    """Let lost runs go on, and start the workers that are missing; return what was found.

    Raises:
        StoreError: The store cannot be read.
    """
    store.reap_if_due()
    store.resume_lost(MOST_ATTEMPTS)
    cluster.keep_workers(max(1, store.count_for_workers()))
    return cluster.report()


def main() -> None:
    """Reconcile until standard input ends, or for ever without ``--follow``."""
    parser = argparse.ArgumentParser(prog="python -m cnnlib.runs.places.reconciler")
    parser.add_argument("--follow", action="store_true", help="exit when standard input ends")
    ended = threading.Event()
    if parser.parse_args().follow:
        threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    with closing(RunStore(connections=WORKER_CONNECTIONS)) as store:
        file = report_file(store.folders)
        try:
            serve(store, file, ended)
        except CnnlibError as error:
            _write(file, Report(trouble=str(error)))
            print(error, file=sys.stderr, flush=True)
            sys.exit(1)


def serve(store: RunStore, file: Path, ended: threading.Event) -> None:
    """Reconcile until ``ended`` is set, and write what is found to a file when it changes.

    Raises:
        StoreError: The cluster cannot be reached.
    """
    from cnnlib.runs.places.placed_worker import Expected
    from cnnlib.runs.places.ray_cluster import RayCluster

    cluster = RayCluster(store.settings.cluster, Expected.of(store))
    written = None
    while not ended.wait(INTERVAL_SECONDS):
        try:
            report = reconcile(store, cluster)
        except StoreError as error:  # it may be temporary
            report = Report(trouble=str(error))
            time.sleep(INTERVAL_SECONDS)
        if report != written:
            _write(file, report)
            written = report


def _write(file: Path, report: Report) -> None:
    """Write a report at once, so that no reader finds half of it."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(asdict(report)))
    os.replace(new, file)


def _wait_for_end(ended: threading.Event) -> None:
    while os.read(0, 1):
        pass
    ended.set()


if __name__ == "__main__":
    main()
