"""An app without pages, as a process of its own: a pool of workers that count, until it is told."""

import signal
import sys
import threading
from pathlib import Path

from cnnlib.records.folders import Folders
from cnnlib.runs.workers.pool import WorkerPool

if __name__ == "__main__":
    command = (sys.executable, str(Path(__file__).with_name("counting_worker.py")))
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    pool = WorkerPool(Folders.from_environment(), 1, command)
    pool.start()
    while not told.wait(0.1):
        pass
    pool.shutdown()
