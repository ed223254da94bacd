"""Tests of the run store: events of runs are stored and read back unchanged."""

import math
from collections.abc import Generator
from contextlib import closing

import pytest
from example_runs import (
    a_checkpoint,
    a_request,
    a_running_run,
    a_step,
    a_stopped_end,
    a_store,
    an_epoch,
    started,
    steps,
    the_end,
)
from sqlalchemy.exc import IntegrityError

from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.errors import RecipeError, StoreError
from cnnlib.records.events import Command, Intervention, Phase
from cnnlib.records.folders import Folders
from cnnlib.records.run import Origin
from cnnlib.runs import RunStore, queue
from cnnlib.runs.event_writer import RunReassigned


@pytest.fixture
def store(tmp_path, store_address) -> Generator[RunStore]:
    with closing(a_store(tmp_path, store_address)) as store:
        yield store


def test_a_new_store_has_no_runs(store):
    assert store.runs() == []
    assert store.jobs.all() == []


def test_a_submitted_run_waits_with_its_request(store):
    request = a_request(name="first", seed=7, group="seeds")
    run = store.run(store.submit(request))
    assert run.request == request
    assert (run.state, run.step, run.started, run.ended) == ("queued", 0, None, None)
    costs = cost(plan(request.spec))
    assert run.plan_cost == {"params": costs.params, "macs": costs.macs}


def test_a_second_opening_of_the_store_sees_the_same_run(store):
    run_id = store.submit(a_request())
    with closing(RunStore(store.folders)) as other:
        assert other.run(run_id) == store.run(run_id)


@pytest.mark.parametrize("name", ["what?", "50%20off", "#1 & more", "a;b=c"])
def test_a_store_lies_in_a_folder_of_any_name(tmp_path, name):
    folders = Folders(data=tmp_path, runs=tmp_path / name / "runs")
    with closing(RunStore(folders)) as store:
        store.submit(a_request())
    assert (folders.runs / "cnnlab.db").is_file()


def test_two_runs_that_are_asked_for_at_once_have_ids_of_their_own(store, monkeypatch):
    given = iter(["one", "one", "one", "two"])  # as if the same id were drawn three times
    monkeypatch.setattr(queue, "new_id", lambda: next(given))
    assert store.submit_all([a_request(seed=0), a_request(seed=1)]) == ["one", "two"]


def test_ids_are_safe_in_a_file_name_and_an_address(store):
    ids = {store.submit(a_request()) for _ in range(20)}
    assert len(ids) == 20
    assert all(len(run_id) == 12 and run_id.isalnum() for run_id in ids)


def test_ids_of_one_millisecond_sort_in_the_order_in_which_they_were_made(monkeypatch):
    monkeypatch.setattr(queue.time, "time_ns", lambda: 1_700_000_000_000_000_000)
    ids = [queue.new_id() for _ in range(50)]
    assert ids == sorted(set(ids))


def test_runs_are_listed_the_newest_first_and_can_be_chosen(store):
    first, second = store.submit(a_request(group="a")), store.submit(a_request(group="b"))
    store.submit_command(first, Command("stop"))
    assert [run.id for run in store.runs()] == [second, first]
    assert [run.id for run in store.runs(limit=1)] == [second]
    assert [run.id for run in store.runs(states=["stopped"])] == [first]
    assert [run.id for run in store.runs(group="b")] == [second]


def test_runs_of_a_dataset_are_found_behind_those_of_others(store):
    first = store.submit(a_request(dataset="folder:a_b"))
    fork = store.submit(a_request(dataset="folder:a_b", origin=Origin("000000000000", 3)))
    for name in ("digits", "folder:axb", "folder:a_b c"):
        store.submit(a_request(dataset=name, name='"dataset":"folder:a_b"'))
    assert [run.id for run in store.runs(dataset="folder:a_b")] == [fork, first]
    assert [run.id for run in store.runs(1, dataset="folder:a_b", from_scratch=True)] == [first]


def test_a_started_run_knows_where_it_runs(store):
    run_id, _ = a_running_run(store)
    run = store.run(run_id)
    assert (run.state, run.total_steps, run.fingerprint) == ("running", 20, "f00d")
    assert run.chosen == {"mode": "t1-nchw-fp32"}
    assert (run.machine.processor, run.machine.versions) == ("abacus", {"torch": "2"})
    assert run.summary["forecast"] == {"seconds_per_epoch": 3.0}
    assert run.started is not None


def test_steps_are_read_after_a_cursor_and_in_pieces(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, steps(1, 7))
    store.record_events(run_id, worker_id, steps(8, 10))
    assert store.steps_after(run_id)["step"] == list(range(1, 11))
    assert store.steps_after(run_id, 8)["step"] == [9, 10]
    assert store.steps_after(run_id, 2, limit=3)["step"] == [3, 4, 5]
    assert store.steps_after(run_id, 10) == {name: [] for name in store.steps_after(run_id)}
    assert store.steps_after(run_id, 9) == {
        "step": [10],
        "loss": [1.0],
        "lr": [0.1],
        "grad_norm": [2.0],
        "images_per_second": [640.0],
        "seconds": [1.0],
    }


def test_the_row_of_a_run_follows_its_last_step(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, steps(1, 5))
    run = store.run(run_id)
    assert (run.step, run.train_seconds) == (5, 0.5)


def test_the_validation_of_a_stopped_run_is_that_of_its_last_weights(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [an_epoch(1, 10, 0.5), a_stopped_end(13)])
    run = store.run(run_id)
    assert (run.step, run.val_step, run.epoch) == (13, 13, 1)
    assert (run.summary["last_val_accuracy"], run.summary["last_val_loss"]) == (0.6, 0.9)
    assert (run.summary["test_accuracy"], run.summary["best_val_accuracy"]) == (0.75, 0.5)
    assert [epoch.val_accuracy for epoch in store.epochs(run_id)] == [0.5]


def test_a_resumed_run_forgets_the_validation_of_its_stop(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [an_epoch(1, 10, 0.5), a_stopped_end(13)])
    store.resume(run_id)
    store.rewind(store.run(run_id), 10)
    assert store.claim(worker_id, run_id)
    run = store.run(run_id)
    assert (run.val_step, run.summary["last_val_accuracy"]) == (None, 0.5)
    store.record_events(run_id, worker_id, [an_epoch(2, 20, 0.7), the_end()])
    run = store.run(run_id)
    assert (run.val_step, run.summary["last_val_accuracy"]) == (None, 0.7)


def test_a_run_that_an_older_version_stopped_shows_no_validation_of_other_weights(store):
    # That version measured the test split after step 13, but the validation split after step 10.
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [an_epoch(1, 10, 0.5), the_end("stopped", 13)])
    summary = store.run(run_id).summary
    assert summary["test_accuracy"] == 0.75 and summary["best_val_accuracy"] == 0.5
    assert "last_val_accuracy" not in summary and "last_val_loss" not in summary


def test_a_loss_that_is_no_number_is_read_as_none(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [a_step(1, math.nan), a_step(2, math.inf)])
    assert store.steps_after(run_id)["loss"] == [None, None]


def test_epochs_come_back_as_they_were_recorded(store):
    run_id, worker_id = a_running_run(store)
    recorded = [an_epoch(1, 10, 0.5), an_epoch(2, 20, None)]
    store.record_events(run_id, worker_id, recorded)
    assert store.epochs(run_id) == recorded
    assert store.epochs(run_id, after=1) == recorded[1:]
    assert store.run(run_id).epoch == 2


def test_the_summary_follows_the_epochs(store):
    run_id, worker_id = a_running_run(store)
    for number, accuracy in enumerate((0.5, 0.9, 0.7), start=1):
        store.record_events(run_id, worker_id, [an_epoch(number, 10 * number, accuracy)])
    summary = store.run(run_id).summary
    assert (summary["first_train_loss"], summary["last_train_loss"]) == (1.0, 1 / 3)
    assert (summary["best_val_accuracy"], summary["best_val_epoch"]) == (0.9, 2)
    assert summary["last_val_accuracy"] == 0.7


def test_the_end_of_a_run_brings_its_test_result(store):
    run_id, worker_id = a_running_run(store)
    assert store.result(run_id) is None
    store.record_events(run_id, worker_id, [the_end()])
    run = store.run(run_id)
    assert (run.state, run.train_seconds, run.is_live) == ("finished", 2.0, False)
    assert run.summary["test_accuracy"] == 0.75
    assert run.summary["latency"] == {"one": 0.001}
    assert run.ended >= run.started
    assert store.result(run_id) == the_end().test


def test_a_phase_is_shown_until_training_goes_on(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [Phase("running", "measuring the validation split")])
    assert store.run(run_id).phase == "measuring the validation split"
    store.record_events(run_id, worker_id, [a_step(1)])
    assert store.run(run_id).phase == ""


def test_a_paused_run_that_makes_one_step_stays_paused(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [Phase("paused", "paused at step 3")])
    store.record_events(run_id, worker_id, [a_step(4)])
    run = store.run(run_id)
    assert (run.state, run.step, run.phase) == ("paused", 4, "paused at step 3")


def test_only_a_changed_setting_counts_as_an_intervention_in_the_result(store):
    run_id, worker_id = a_running_run(store)
    pause, change = Intervention(3, "pause"), Intervention(5, "set", "lr", 0.01)
    store.record_events(run_id, worker_id, [pause])
    assert not store.run(run_id).intervened
    store.record_events(run_id, worker_id, [change])
    assert store.run(run_id).intervened
    assert store.interventions(run_id) == [pause, change]


def test_weights_are_listed_while_they_lie_on_disk(store):
    run_id, worker_id = a_running_run(store)
    folder = store.folders.run(run_id)
    folder.mkdir(parents=True)
    for step in (0, 5, 10):
        (folder / f"checkpoint-{step}").write_bytes(b"1234")
    store.record_events(run_id, worker_id, [a_checkpoint(0), a_checkpoint(5)])
    store.record_events(run_id, worker_id, [a_checkpoint(10, "checkpoint-0")])
    assert store.saved_weights(run_id) == [a_checkpoint(5), a_checkpoint(10)]
    (folder / "checkpoint-5").unlink()
    assert store.saved_weights(run_id) == [a_checkpoint(10)]


def test_a_file_that_is_written_anew_is_listed_once(store):
    run_id, worker_id = a_running_run(store)
    folder = store.folders.run(run_id)
    folder.mkdir(parents=True)
    (folder / "checkpoint-5").write_bytes(b"1234")
    store.record_events(run_id, worker_id, [a_checkpoint(5), a_checkpoint(5)])
    assert store.saved_weights(run_id) == [a_checkpoint(5)]


def test_a_run_that_is_rewound_forgets_what_came_after(store):
    run_id, worker_id = a_running_run(store)
    folder = store.folders.run(run_id)
    folder.mkdir(parents=True)
    for step in (10, 15):
        (folder / f"checkpoint-{step}").write_bytes(b"1234")
    set_lr = Intervention(12, "set", "lr", 0.5)
    store.record_events(run_id, worker_id, [*steps(1, 10), an_epoch(1, 10), a_checkpoint(10)])
    store.record_events(
        run_id, worker_id, [*steps(11, 18), an_epoch(2, 18, 0.9), set_lr, a_checkpoint(15)]
    )
    store.rewind(store.run(run_id), 10)
    run = store.run(run_id)
    assert (run.step, run.epoch, run.train_seconds, run.intervened) == (10, 1, 1.0, False)
    assert run.summary["best_val_accuracy"] == 0.5
    assert store.steps_after(run_id)["step"] == list(range(1, 11))
    assert [saved.step for saved in store.saved_weights(run_id)] == [10]
    assert not (folder / "checkpoint-15").exists()
    assert store.interventions(run_id) == []
    store.record_events(run_id, worker_id, steps(11, 12))  # the same numbers again
    assert store.steps_after(run_id, 10)["step"] == [11, 12]


def _resume_elsewhere(store, run_id: str, worker_id: str) -> None:
    """Resume a run with another worker, which trains three steps of it."""
    store.record_events(run_id, worker_id, [the_end("lost")])
    store.resume(run_id)
    other = store.workers.register()
    store.claim(other, run_id)
    store.record_events(run_id, other, steps(1, 3))


def test_a_worker_whose_run_went_on_elsewhere_does_not_rewind_it(store):
    run_id, worker_id = a_running_run(store)
    claimed = store.run(run_id)
    _resume_elsewhere(store, run_id, worker_id)
    with pytest.raises(RunReassigned):
        store.rewind(claimed, 0)
    assert store.steps_after(run_id)["step"] == [1, 2, 3]


def test_earlier_events_stay_readable_when_a_later_batch_fails(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, steps(1, 3))
    with pytest.raises(IntegrityError):
        store.record_events(run_id, worker_id, [a_step(4), a_step(3)])  # step 3 exists
    assert store.steps_after(run_id)["step"] == [1, 2, 3]
    assert store.run(run_id).step == 3


def test_a_worker_that_lost_its_run_gets_an_error(store):
    run_id, worker_id = a_running_run(store)
    with pytest.raises(RunReassigned, match="no longer belongs to this worker"):
        store.record_events(run_id, "another", [a_step(1)])
    store.record_events(run_id, worker_id, [a_step(1)])


def test_a_worker_whose_run_went_on_elsewhere_gets_an_error(store):
    run_id, worker_id = a_running_run(store)
    _resume_elsewhere(store, run_id, worker_id)
    with pytest.raises(RunReassigned):
        store.record_events(run_id, worker_id, steps(1, 3))


def test_a_run_can_be_renamed(store):
    run_id = store.submit(a_request())
    store.rename(run_id, "the good one")
    assert store.run(run_id).request == a_request(name="the good one")
    with pytest.raises(RecipeError, match="Shorten it"):
        store.rename(run_id, "x" * 1000)


def test_a_deleted_run_leaves_nothing_behind(store):
    run_id, worker_id = a_running_run(store)
    folder = store.folders.run(run_id)
    folder.mkdir(parents=True)
    (folder / "checkpoint-5").write_bytes(b"1234")
    store.record_events(run_id, worker_id, [a_step(1), an_epoch(1, 1), a_checkpoint(5), the_end()])
    store.delete(run_id)
    assert store.runs() == []
    assert not folder.exists()
    assert store.steps_after(run_id)["step"] == []


def test_a_live_run_is_not_deleted(store):
    run_id, _ = a_running_run(store)
    with pytest.raises(StoreError, match="is running and cannot be deleted. Stop it first"):
        store.delete(run_id)


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.run("nobody"),
        lambda store: store.submit_command("nobody", Command("stop")),
        lambda store: store.rename("nobody", "x"),
        lambda store: store.delete("nobody"),
        lambda store: store.resume("nobody"),
        lambda store: store.result("nobody"),
        lambda store: store.position("nobody"),
    ],
)
def test_an_unknown_run_is_a_sentence_that_says_where_the_known_ones_are(store, call):
    with pytest.raises(StoreError, match="no run 'nobody'.*python -m cnnlib runs"):
        call(store)


def test_recording_no_events_returns_commands(store):
    run_id, worker_id = a_running_run(store)
    store.submit_command(run_id, Command("pause"))
    assert [command.kind for command in store.record_events(run_id, worker_id, [])] == ["pause"]
    assert store.record_events(run_id, worker_id, [started()]) == []
