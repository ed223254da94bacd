"""A worker process whose training is counting: no torch, no pictures."""

import time

from example_runs import a_step, started

from cnnlib.records.events import RunEnd
from cnnlib.train.worker import execute_run, process


def count(run, store, control):
    """As many steps as the recipe has epochs, a hundred a second; it goes on from nowhere."""
    store.rewind(run, 0)
    total = run.request.recipe.epochs
    yield started(total)
    for step in range(1, total + 1):
        yield a_step(step)
        if control.interrupted:
            yield RunEnd("interrupted", "", step)
            return
        if (order := control.take()) is not None and order.kind == "stop":
            yield RunEnd("stopped", "", step)
            return
        time.sleep(0.01)
    yield RunEnd("finished", "", total)


if __name__ == "__main__":
    execute_run._events = count
    process.import_gently = lambda: None
    process.main()
