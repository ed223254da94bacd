"""Tests of the answers to pages that poll a run."""

import json
import math
from collections.abc import Generator
from contextlib import closing

import pytest
from example_runs import (
    a_request,
    a_running_run,
    a_step,
    a_stopped_end,
    a_store,
    an_epoch,
    steps,
    the_end,
)

from cnnlib.errors import StoreError
from cnnlib.records.events import (
    MEASURING_STOPPED,
    MEASURING_TEST,
    EpochEnd,
    Intervention,
    Phase,
    RunEnd,
    SampleScore,
    StepMetrics,
)
from cnnlib.records.run import Origin
from cnnlib.runs import RunStore
from cnnlib.runs.polling import metrics_since


@pytest.fixture
def store(tmp_path, store_address) -> Generator[RunStore]:
    with closing(a_store(tmp_path, store_address)) as store:
        yield store


def test_a_queued_run_has_its_place_in_the_queue(store):
    store.submit(a_request())
    run_id = store.submit(a_request(epochs=5))
    view = metrics_since(store, run_id)
    assert (view["state"], view["queue_position"]) == ("queued", 2)
    assert (view["epochs_total"], view["eta_seconds"], view["more"]) == (5, None, False)
    assert view["steps"]["step"] == view["epochs"] == view["interventions"] == []


def test_a_run_that_ended_early_has_no_remaining_time_while_its_test_split_is_measured(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, steps(1, 5))
    assert metrics_since(store, run_id)["eta_seconds"] > 0
    store.record_events(run_id, worker_id, [Phase("running", MEASURING_TEST)])
    assert metrics_since(store, run_id)["eta_seconds"] is None


def test_a_page_that_keeps_the_cursor_misses_nothing_and_sees_nothing_twice(store):
    run_id, worker_id = a_running_run(store)
    seen, cursor = [], 0
    for first, last in ((1, 3), (4, 4), (5, 11)):
        store.record_events(run_id, worker_id, steps(first, last))
        new = metrics_since(store, run_id, cursor, limit=4)["steps"]["step"]
        seen += new
        cursor = new[-1]
    seen += metrics_since(store, run_id, cursor)["steps"]["step"]
    assert seen == list(range(1, 12))


def test_a_full_answer_has_more_set(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, steps(1, 5))
    assert metrics_since(store, run_id, 0, limit=4)["more"]
    assert not metrics_since(store, run_id, 4, limit=4)["more"]


def test_epochs_are_returned_once_and_only_the_last_has_its_confusion_counts(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [an_epoch(1, 10), an_epoch(2, 20)])
    view = metrics_since(store, run_id, after_epoch=1)
    assert [epoch["epoch"] for epoch in view["epochs"]] == [2]
    assert "val_confusion" in view["epochs"][0]
    first, _ = metrics_since(store, run_id)["epochs"]
    assert "val_confusion" not in first
    assert metrics_since(store, run_id, after_epoch=2)["epochs"] == []


def test_interventions_are_returned_with_their_step(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [Intervention(5, "set", "lr", 0.01)])
    expected = {"step": 5, "order": "set", "setting": "lr", "value": 0.01}
    assert metrics_since(store, run_id)["interventions"] == [expected]


def test_the_time_that_is_left_follows_from_steps_and_measurements(store):
    run_id, worker_id = a_running_run(store, epochs=2)
    store.record_events(run_id, worker_id, [*steps(1, 10), an_epoch(1, 10), a_step(11), a_step(12)])
    # 8 of 20 steps are left at 0.1 s each, and one measurement of 0.25 s
    assert metrics_since(store, run_id)["eta_seconds"] == pytest.approx(8 * 0.1 + 0.25)


def test_the_remaining_time_of_a_fork_counts_from_its_first_step(store):
    """The steps before it took time in the other run."""
    parent = store.submit(a_request())
    run_id, worker_id = a_running_run(store, origin=Origin(parent, 10))
    own = [StepMetrics(step, 1.0, 0.1, 2.0, 640.0, (step - 10) / 10) for step in range(11, 16)]
    store.record_events(run_id, worker_id, own)
    assert metrics_since(store, run_id)["eta_seconds"] == pytest.approx(5 * 0.1)


def test_an_ended_run_has_no_time_left(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [a_step(1), the_end("stopped", 1)])
    view = metrics_since(store, run_id)
    assert (view["state"], view["eta_seconds"], view["queue_position"]) == ("stopped", None, None)


def test_the_answer_is_strict_json_even_when_the_loss_explodes(store):
    run_id, worker_id = a_running_run(store)
    exploded = EpochEnd(1, 2, math.nan, 0.1, math.inf, 0.1, 1.0, 0.1)
    store.record_events(run_id, worker_id, [a_step(1, math.inf), a_step(2, math.nan), exploded])
    view = json.loads(json.dumps(metrics_since(store, run_id), allow_nan=False))
    assert view["steps"]["loss"] == [None, None]
    assert (view["epochs"][0]["train_loss"], view["epochs"][0]["val_loss"]) == (None, None)


def test_an_unknown_run_is_a_sentence(store):
    with pytest.raises(StoreError, match="There is no run 'nobody'"):
        metrics_since(store, "nobody")


def test_scores_on_the_validation_sample_are_returned_once(store):
    run_id, worker_id = a_running_run(store)
    scores = [SampleScore(1, 50, 500, 0.1), SampleScore(9, 486, 500, 0.9)]
    store.record_events(run_id, worker_id, [*steps(1, 9), *scores])
    assert metrics_since(store, run_id)["samples"] == [[1, 50, 500], [9, 486, 500]]
    assert metrics_since(store, run_id, after_sample=1)["samples"] == [[9, 486, 500]]
    assert metrics_since(store, run_id, after_sample=9)["samples"] == []


def test_scores_after_a_checkpoint_are_deleted_by_a_rewind(store):
    run_id, worker_id = a_running_run(store)
    scores = [SampleScore(1, 50, 500, 0.1), SampleScore(9, 486, 500, 0.9)]
    store.record_events(run_id, worker_id, [*steps(1, 9), *scores])
    store.rewind(store.run(run_id), 5)
    assert metrics_since(store, run_id)["samples"] == [[1, 50, 500]]


def test_the_title_follows_a_rename(store):
    run_id, _ = a_running_run(store)
    store.rename(run_id, "mine")
    assert metrics_since(store, run_id)["title"] == store.run(run_id).title == "mine"


def test_a_queued_run_says_what_it_waits_for(store):
    first = store.submit(a_request())
    assert metrics_since(store, first)["waits_for"] == "waits for a worker process to start"
    assert store.claim(store.workers.register(), first)
    waiting = [store.submit(a_request()) for _ in range(2)]
    reason = metrics_since(store, waiting[1])["waits_for"]
    assert reason == "waits for 1 run in training and 1 run queued before it"
    assert metrics_since(store, first)["waits_for"] == ""


def test_a_stopped_run_tells_the_step_of_its_validation(store):
    run_id, worker_id = a_running_run(store)
    assert metrics_since(store, run_id)["val_step"] is None
    store.record_events(run_id, worker_id, [an_epoch(1, 10, 0.5), a_stopped_end(13)])
    view = metrics_since(store, run_id)
    assert (view["val_step"], view["val_accuracy"]) == (13, 0.6)


@pytest.mark.parametrize("phase", [MEASURING_STOPPED, MEASURING_TEST])
def test_the_last_measurements_of_a_run_leave_no_steps_to_wait_for(store, phase):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [a_step(1), Phase("running", phase)])
    assert metrics_since(store, run_id)["eta_seconds"] is None


def test_a_run_that_ended_has_the_speed_and_the_time_of_the_whole_run(store):
    run_id, worker_id = a_running_run(store)
    end = RunEnd("diverged", "", step=5, train_seconds=0.18, images_per_second=2305.0)
    store.record_events(run_id, worker_id, [*steps(1, 5), end])
    view, run = metrics_since(store, run_id), store.run(run_id)
    assert (view["images_per_second"], view["train_seconds"]) == (2305.0, 0.18)
    assert (run.summary["images_per_second"], run.train_seconds) == (2305.0, 0.18)
