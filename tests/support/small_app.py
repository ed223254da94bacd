"""A process with a pool of counting workers, without pages; it ends at SIGTERM."""

import signal
import sys
import threading
from pathlib import Path

from cnnlib.records.folders import Folders
from cnnlib.runs.places.local_place import LocalPlace

if __name__ == "__main__":
    command = (sys.executable, str(Path(__file__).with_name("counting_worker.py")))
    terminated = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: terminated.set())
    pool = LocalPlace(Folders.from_environment(), 1, command)
    pool.start()
    while not terminated.wait(0.1):
        pass
    pool.shutdown()
