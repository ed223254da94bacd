"""A worker process with simulated training: it only counts steps, without torch and pictures."""

import time

from example_runs import a_step, started

from cnnlib.records.events import RunEnd
from cnnlib.train.worker import execute_run, process


def count(run, store, control, is_sketch):
    """Yield as many steps as the recipe has epochs, 100 per second; always from the first step."""
    store.rewind(run, 0)
    total = run.request.recipe.epochs
    yield started(total)
    for step in range(1, total + 1):
        yield a_step(step)
        if control.interrupted:
            yield RunEnd("interrupted", "", step)
            return
        if (command := control.take()) is not None and command.kind == "stop":
            yield RunEnd("stopped", "", step)
            return
        time.sleep(0.01)
    yield RunEnd("finished", "", total)


if __name__ == "__main__":
    execute_run._events = count
    process.IDLE_EXIT_SECONDS = 3.0
    process.import_at_low_priority = lambda: None
    process.main()
