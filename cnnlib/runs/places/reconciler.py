"""``python -m cnnlib.runs.places.reconciler``: keeps a Ray cluster supplied with workers.

It has nothing of its own: what is to be done stands in the run store, and which workers there are
is known to the cluster. So several may run at once, and each may end at any time.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from cnnlib.errors import CnnlibError, StoreError
from cnnlib.runs.database import WORKER_CONNECTIONS
from cnnlib.runs.places.place import MOST_ATTEMPTS, Report
from cnnlib.runs.places.ray_place import report_file, write_report
from cnnlib.runs.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable

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


def open_cluster(store: RunStore) -> RayCluster:
    """Connect to the cluster of RAY_ADDRESS, for the runs of a store.

    Raises:
        StoreError: It cannot be reached, has no tokens, or Ray is not installed.
    """
    try:
        from cnnlib.runs.places.ray_cluster import RayCluster
    except ModuleNotFoundError as error:
        raise StoreError(
            "CNNLAB_PLACE=ray needs Ray, which is not installed: pip install cnnlib[ray]"
        ) from error
    from cnnlib.runs.places.placed_worker import Expected

    return RayCluster(store.settings.cluster, Expected.of(store))


def serve(store: RunStore, tell: Callable[[Report], None], ended: threading.Event) -> None:
    """Reconcile until ``ended`` is set; what is found is told whenever it has changed.

    Raises:
        StoreError: The cluster cannot be reached.
    """
    cluster = open_cluster(store)
    told = None
    while not ended.wait(INTERVAL_SECONDS):
        try:
            report = reconcile(store, cluster)
        except StoreError as error:  # it may be temporary
            report = Report(trouble=str(error))
        if report != told:
            tell(report)
            told = report


def main() -> None:
    """Reconcile for the page server that has started this process, until it ends."""
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    with closing(RunStore(connections=WORKER_CONNECTIONS)) as store:
        file = report_file(store.folders)
        try:
            serve(store, partial(write_report, file), ended)
        except CnnlibError as error:
            write_report(file, Report(trouble=str(error)))
            print(error, file=sys.stderr, flush=True)
            sys.exit(1)


def _wait_for_end(ended: threading.Event) -> None:
    """Wait for the end of standard input."""
    while os.read(0, 1):
        pass
    ended.set()


if __name__ == "__main__":
    main()
