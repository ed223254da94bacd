"""An app whose runs are told by the test, as a worker would tell them."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from example_runs import a_request, started, the_end
from serving import Served, serving

from cnnlib.records.events import StepMetrics
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore
from cnnlib.runs.workers.pool import worker_environment

TOTAL = 4000


class Lab(NamedTuple):
    """An app, and the store that it reads."""

    served: Served
    store: RunStore


class Feeder:
    """A run that the test tells, as a worker would."""

    def __init__(self, store: RunStore, total_steps: int = TOTAL) -> None:
        self.store = store
        self.worker_id = store.register_worker()
        self.run_id = store.submit(a_request(preset="fed"), {"params": 1, "macs": 2}, now=True)
        assert store.claim(self.worker_id, self.run_id)
        store.record_events(self.run_id, self.worker_id, [started(total_steps)])
        self.step = 0

    def tell(self, count: int) -> list[str]:
        """So many steps more; returns the kinds of the orders that were given."""
        told = range(self.step + 1, self.step + count + 1)
        events = [StepMetrics(s, 2.0 / s**0.3, 0.1, 1.0, 640.0, s / 50) for s in told]
        self.step += count
        orders = self.store.record_events(self.run_id, self.worker_id, events)
        return [order.kind for order in orders]

    def end(self, state: str = "finished") -> None:
        self.store.record_events(self.run_id, self.worker_id, [the_end(state, step=self.step)])
        self.store.unregister_worker(self.worker_id)


@contextmanager
def a_lab(folder: Path) -> Generator[Lab]:
    """An app in a folder of its own, with its store."""
    folders = Folders(data=folder / "data", runs=folder / "runs")
    store = RunStore(folders)
    with serving(folder / "server.log", worker_environment(folders)) as served:
        yield Lab(served, store)
    store.close()
