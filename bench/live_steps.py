"""A simulated run of any length: its steps are written to the store without training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.design.spec import CNNSpec
from cnnlib.records.events import Command, RunEnd, Started, StepMetrics
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest

if TYPE_CHECKING:
    from cnnlib.runs import RunStore

_MACHINE = {"processor": "none", "device": "cpu", "threads": 1, "versions": {}}
_BATCH = 10_000
_TRIES = 20


class SimulatedRun:
    """A running run with made-up steps.

    Args:
        steps: Number of steps at the start; the run is planned for a tenth more.
    """

    def __init__(self, store: RunStore, steps: int) -> None:
        self._store, self.step = store, 0
        self._worker_id = store.workers.register()
        request = RunRequest(CNNSpec(channels=(4,)), Recipe(epochs=10), "digits", name="fed")
        self.run_id = self._submit_and_claim(request)
        total = steps + max(1000, steps // 10)
        started = Started(total, total // 10, "f00d", {}, _MACHINE)
        store.record_events(self.run_id, self._worker_id, [started])
        while self.step < steps:
            self.add_steps(min(_BATCH, steps - self.step))

    def _submit_and_claim(self, request: RunRequest) -> str:
        """Submit the run and claim it; submit another one if the app's worker claimed it first."""
        for _ in range(_TRIES):
            run_id = self._store.submit(request, now=True)
            if self._store.claim(self._worker_id, run_id) is not None:
                return run_id
            self._store.submit_command(run_id, Command("stop"))
        raise SystemExit("The app's worker took every run that was to be fed.")

    def add_steps(self, count: int) -> None:
        """Record `count` more steps of a falling, noisy curve."""
        steps = [
            StepMetrics(at, 2.0 / at**0.2 + (at * 7919 % 101) / 1000, 0.1, 1.0, 640.0, at / 50)
            for at in range(self.step + 1, self.step + count + 1)
        ]
        self._store.record_events(self.run_id, self._worker_id, steps)
        self.step += count

    def end(self) -> None:
        """Finish the run and unregister its worker."""
        end = RunEnd("finished", step=self.step)
        self._store.record_events(self.run_id, self._worker_id, [end])
        self._store.workers.unregister(self._worker_id)
