"""The order of the runs in the menu of the Draw page."""

from dataclasses import replace

from example_runs import a_request, a_store, an_epoch, steps

from cnnlib.records.events import RunEnd
from cnnlib.ui.common.pickers.run_menu import best_first


def test_a_run_without_test_accuracy_is_sorted_by_its_validation_accuracy(tmp_path):
    store = a_store(tmp_path)
    worker_id = store.workers.register()
    accuracies = {}
    for accuracy in (0.3, 0.9, 0.6):
        run_id = store.submit(a_request())
        store.claim(worker_id, run_id)
        events = [*steps(1, 2), an_epoch(1, 2, val_accuracy=accuracy), RunEnd("stopped", step=2)]
        store.record_events(run_id, worker_id, events)
        accuracies[run_id] = accuracy
    tested = replace(store.runs()[0], id="tested", summary={"test_accuracy": 0.7})
    order = best_first([*store.runs(), tested])
    assert [accuracies.get(run.id, 0.7) for run in order] == [0.9, 0.7, 0.6, 0.3]
    store.close()
