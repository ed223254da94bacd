"""Simulated runs: the test records their events, as a worker would."""

from example_runs import a_request, started, submit_claimed, the_end

from cnnlib.records.events import StepMetrics
from cnnlib.runs import RunStore

TOTAL = 4000


class SimulatedRun:
    """A running run with events from the test."""

    def __init__(self, store: RunStore, total_steps: int = TOTAL) -> None:
        self.store = store
        self.worker_id = store.workers.register()
        self.run_id = submit_claimed(store, a_request(preset="fed"), self.worker_id, now=True)
        store.record_events(self.run_id, self.worker_id, [started(total_steps)])
        self.step = 0

    def add_steps(self, count: int) -> list[str]:
        """Record `count` more steps; return the kinds of the pending commands."""
        new_steps = range(self.step + 1, self.step + count + 1)
        events = [StepMetrics(s, 2.0 / s**0.3, 0.1, 1.0, 640.0, s / 50) for s in new_steps]
        self.step += count
        commands = self.store.record_events(self.run_id, self.worker_id, events)
        return [command.kind for command in commands]

    def end(self, state: str = "finished") -> None:
        self.store.record_events(self.run_id, self.worker_id, [the_end(state, step=self.step)])
        self.store.workers.unregister(self.worker_id)
