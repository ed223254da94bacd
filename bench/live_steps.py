"""A run of any length that nobody trained: its steps are put into the store directly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.design.spec import CNNSpec
from cnnlib.records.events import Command, RunEnd, Started, StepMetrics
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest

if TYPE_CHECKING:
    from cnnlib.runs import RunStore

_MACHINE = {"processor": "none", "device": "cpu", "threads": 1, "versions": {}}
_AT_ONCE = 10_000
_TRIES = 20


class Fed:
    """A run that was told so many steps, and goes on.

    Args:
        steps: How many it has at first; it asks for a tenth more.
    """

    def __init__(self, store: RunStore, steps: int) -> None:
        self._store, self.step = store, 0
        self._worker_id = store.register_worker()
        request = RunRequest(CNNSpec(channels=(4,)), Recipe(epochs=10), "digits", name="fed")
        self.run_id = self._claimed(request)
        total = steps + max(1000, steps // 10)
        begun = Started(total, total // 10, "f00d", {}, _MACHINE)
        store.record_events(self.run_id, self._worker_id, [begun])
        while self.step < steps:
            self.tell(min(_AT_ONCE, steps - self.step))

    def _claimed(self, request: RunRequest) -> str:
        """Ask for the run and take it; where the app's worker was quicker, ask for another."""
        for _ in range(_TRIES):
            run_id = self._store.submit(request, {"params": 1, "macs": 1}, now=True)
            if self._store.claim(self._worker_id, run_id) is not None:
                return run_id
            self._store.submit_command(run_id, Command("stop"))
        raise SystemExit("The app's worker took every run that was to be fed.")

    def tell(self, count: int) -> None:
        """So many steps more, of a curve that falls and trembles."""
        told = [
            StepMetrics(at, 2.0 / at**0.2 + (at * 7919 % 101) / 1000, 0.1, 1.0, 640.0, at / 50)
            for at in range(self.step + 1, self.step + count + 1)
        ]
        self._store.record_events(self.run_id, self._worker_id, told)
        self.step += count

    def end(self) -> None:
        """It is over."""
        end = RunEnd("finished", step=self.step)
        self._store.record_events(self.run_id, self._worker_id, [end])
        self._store.unregister_worker(self._worker_id)
