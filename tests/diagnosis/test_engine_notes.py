"""What the engine chose for a run, and forecasts against what came of them, in words."""

from dataclasses import replace

import pytest
from example_runs import a_request, an_epoch, started, the_end
from example_runs import a_store as open_store

from cnnlib.diagnosis.report import engine_notes
from cnnlib.records.events import EpochEnd, Started

CHOSEN = {
    "mode": "t1-nhwc-fp32",
    "name": "t1-nhwc-fp32",
    "threads": 1,
    "channels_last": True,
    "precision": "fp32",
    "compiled": False,
    "reason": "the fastest of 2 measured modes",
    "seconds_per_step": {"t1-nchw-fp32": 0.014, "t1-nhwc-fp32": 0.0121},
}
PROMISED = {
    "seconds_per_epoch": 12.0,
    "seconds": 24.0,
    "peak_memory_bytes": 390e6,
    "basis": "a guess",
}


@pytest.fixture
def store(tmp_path):
    store = open_store(tmp_path)
    yield store
    store.close()


def test_a_run_that_was_only_asked_for_tells_its_forecast(store):
    run = store.run(store.submit(a_request(), forecast=PROMISED))
    assert engine_notes(run, ()) == {
        "Memory, whole run": "Forecast about 390 MB, give or take 70 MB.",
        "Time": "Forecast 12 s per epoch, a guess, because nothing was measured on this machine "
        "yet.",
    }


def test_a_finished_run_tells_what_was_chosen_and_what_came_of_the_forecast(store):
    worker_id = store.workers.register()
    run_id = store.submit(a_request(), forecast=PROMISED)
    assert store.claim(worker_id, run_id)
    store.rewind(store.run(run_id), 0)  # as every worker does first
    begun = started()
    begun = Started(20, 10, "f00d", CHOSEN, begun.machine, {"seconds_per_epoch": 9.9})
    epoch = EpochEnd(1, 10, 1.0, 0.5, 0.8, 0.5, 14.0, 0.25, memory_bytes=412_000_000)
    store.record_events(run_id, worker_id, [begun, epoch, the_end()])
    run = store.run(run_id)
    assert engine_notes(run, store.epochs(run_id)) == {
        "Engine": "1 processor thread, channels-last format, float32: the fastest of 2 measured "
        "modes (200 ms per step in training; in the trial 12.1 ms, t1-nchw-fp32 14 ms).",
        "Machine": "abacus, torch 2.",
        "Memory, whole run": "Peak 412 MB, forecast about 390 MB, give or take 70 MB.",
        "Time": "Forecast 12 s per epoch, a guess, because nothing was measured on this machine "
        "yet; measured 14 s per epoch; in total 2.0 s, forecast 24 s.",
    }


def test_the_time_of_a_step_is_that_of_training_where_a_trial_was_disturbed(store):
    worker_id = store.workers.register()
    run_id = store.submit(a_request())
    assert store.claim(worker_id, run_id)
    chosen = CHOSEN | {"step_seconds": 0.002}  # of earlier runs in this mode
    begun = started()
    begun = Started(20, 10, "f00d", chosen, begun.machine)
    store.record_events(run_id, worker_id, [begun])
    trial = "in the trial 12.1 ms, t1-nchw-fp32 14 ms)."
    assert engine_notes(store.run(run_id), ())["Engine"].endswith(
        f"modes (2 ms per step in training; {trial}"
    )
    # Batches of 128 pictures, 16,000 pictures a second: 8 ms.
    store.record_events(run_id, worker_id, [replace(the_end(), images_per_second=16_000.0)])
    assert engine_notes(store.run(run_id), ())["Engine"].endswith(
        f"modes (8 ms per step in training; {trial}"
    )


def test_without_a_forecast_nothing_is_said_of_it(store):
    run = store.run(store.submit(a_request()))
    assert engine_notes(run, [an_epoch(1, 10)]) == {}
