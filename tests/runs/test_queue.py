"""Tests of the queue: order of runs, one worker per run, commands delivered once."""

import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import closing

import pytest
from example_runs import a_checkpoint, a_request, a_running_run, a_store, started, steps, the_end

from cnnlib.errors import StoreError
from cnnlib.records.events import Command, Phase
from cnnlib.records.run import RESUMABLE_STATES
from cnnlib.runs import RunStore
from cnnlib.runs.polling import metrics_since
from cnnlib.runs.workers.slot import worker_environment


@pytest.fixture
def store(tmp_path, store_address) -> Generator[RunStore]:
    with closing(a_store(tmp_path, store_address)) as store:
        yield store


# -- order of the queue ----------------------------------------------------------------------------


def test_runs_are_claimed_in_the_order_of_their_submission(store):
    submitted = [store.submit(a_request()) for _ in range(3)]
    worker_id = store.workers.register()
    assert [store.claim(worker_id).id for _ in range(3)] == submitted
    assert store.claim(worker_id) is None


def test_a_run_that_is_wanted_now_goes_before_all_that_wait(store):
    first, second = store.submit(a_request()), store.submit(a_request())
    urgent = store.submit(a_request(), now=True)
    assert [store.position(run_id) for run_id in (urgent, first, second)] == [1, 2, 3]
    assert store.claim(store.workers.register()).id == urgent
    assert [store.position(run_id) for run_id in (urgent, first, second)] == [None, 1, 2]


def test_a_worker_may_ask_for_one_run(store):
    store.submit(a_request())
    second = store.submit(a_request())
    worker_id = store.workers.register()
    assert store.claim(worker_id, second).id == second
    assert store.claim(worker_id, second) is None


def test_a_claimed_run_is_starting(store):
    run_id = store.submit(a_request())
    run = store.claim(store.workers.register())
    assert (run.id, run.state) == (run_id, "starting")
    assert run.started >= run.created


def test_the_wait_is_the_sum_of_what_is_known_of_those_ahead(store):
    running, worker_id = a_running_run(store)
    store.record_events(running, worker_id, steps(1, 10))  # 10 of 20 steps left at 0.1 s
    store.submit(a_request(epochs=4), forecast={"seconds_per_epoch": 2.0})
    last = store.submit(a_request())
    assert metrics_since(store, last)["wait_seconds"] == pytest.approx(10 * 0.1 + 4 * 2.0)
    assert metrics_since(store, running)["wait_seconds"] is None


def test_the_wait_is_unknown_where_a_run_ahead_has_no_forecast(store):
    a_running_run(store)
    store.submit(a_request())
    assert metrics_since(store, store.submit(a_request()))["wait_seconds"] is None


def test_the_wait_is_unknown_while_the_run_ahead_is_paused(store):
    running, worker_id = a_running_run(store)
    store.record_events(running, worker_id, [*steps(1, 10), Phase("paused", "paused at step 10")])
    assert metrics_since(store, store.submit(a_request()))["wait_seconds"] is None


CLAIM_ALL = """
from cnnlib.runs import RunStore
from cnnlib.records.events import RunEnd
store = RunStore()
worker_id = store.workers.register()
while (run := store.claim(worker_id)) is not None:
    store.record_events(run.id, worker_id, [RunEnd("finished")])
    print(run.id)
"""


def test_several_processes_on_one_store_run_nothing_twice(store):
    submitted = [store.submit(a_request()) for _ in range(200)]
    command = [sys.executable, "-c", CLAIM_ALL]
    env = worker_environment(store.folders)
    workers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) for _ in range(4)
    ]
    claimed = Counter(line for worker in workers for line in worker.communicate()[0].split())
    assert claimed == Counter(submitted)


def test_several_processes_can_create_the_store_at_once(tmp_path):
    command = [sys.executable, "-c", "from cnnlib.runs import RunStore; print(RunStore().runs())"]
    openers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [opener.communicate()[0] for opener in openers] == ["[]\n"] * 3


# -- commands --------------------------------------------------------------------------------------


def has_commands(store: RunStore, run_id: str) -> bool:
    with store.watch_commands(run_id) as some_wait:
        return some_wait()


def test_commands_are_handed_out_once_and_in_their_order(store):
    run_id, worker_id = a_running_run(store)
    given = [Command("pause"), Command("set", "lr", 0.01), Command("resume")]
    ids = [store.submit_command(run_id, command) for command in given]
    assert has_commands(store, run_id)
    taken = store.record_events(run_id, worker_id, [])
    assert [(command.kind, command.setting, command.value) for command in taken] == [
        ("pause", None, None),
        ("set", "lr", 0.01),
        ("resume", None, None),
    ]
    assert [command.id for command in taken] == ids == sorted(ids)
    assert not has_commands(store, run_id)
    assert store.record_events(run_id, worker_id, []) == []


def test_a_stopped_queued_run_ends_at_once_and_a_second_stop_changes_nothing(store):
    run_id = store.submit(a_request())
    assert store.submit_command(run_id, Command("stop")) > 0
    ended = store.run(run_id)
    assert (ended.state, ended.reason) == ("stopped", "Stopped before it started.")
    assert store.submit_command(run_id, Command("stop")) == 0
    assert store.run(run_id) == ended


def test_a_command_to_an_ended_run_is_ignored(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [the_end()])
    assert store.submit_command(run_id, Command("pause")) == 0
    assert not has_commands(store, run_id)


def test_a_command_to_a_queued_run_waits_for_its_worker(store):
    run_id = store.submit(a_request())
    store.submit_command(run_id, Command("set", "lr", 0.5))
    worker_id = store.workers.register()
    store.claim(worker_id)
    assert [command.value for command in store.record_events(run_id, worker_id, [started()])] == [
        0.5
    ]


def test_a_look_into_a_run_that_has_not_begun_is_ignored(store):
    assert store.submit_command(store.submit(a_request()), Command("look")) == 0


# -- resuming --------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", RESUMABLE_STATES)
def test_a_run_that_ended_early_waits_again_at_the_end_of_the_queue(store, state):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [*steps(1, 5), a_checkpoint(5), the_end(state, 5)])
    other = store.submit(a_request())
    store.resume(run_id)
    run = store.run(run_id)
    assert (run.state, run.step, run.ended, run.attempt) == ("queued", 5, None, 2)
    assert [store.position(one) for one in (other, run_id)] == [1, 2]
    assert store.steps_after(run_id)["step"] == [1, 2, 3, 4, 5]


def test_a_waiting_run_is_interrupted_at_once_and_can_be_resumed(store):
    run_id = store.submit(a_request())
    store.submit_command(run_id, Command("interrupt"))
    run = store.run(run_id)
    assert (run.state, run.reason) == ("interrupted", "Interrupted before it started.")
    store.resume(run_id)
    assert store.run(run_id).state == "queued"


def test_stopping_a_resumed_run_in_the_queue_keeps_what_it_had(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [*steps(1, 5), the_end("interrupted", 5)])
    store.resume(run_id)
    store.submit_command(run_id, Command("stop"))
    run = store.run(run_id)
    assert (run.state, run.step) == ("stopped", 5)
    assert run.reason == "Stopped while it waited to continue."


def test_commands_of_an_earlier_attempt_do_not_reach_the_next_one(store):
    run_id, worker_id = a_running_run(store)
    store.submit_command(run_id, Command("pause"))
    store.record_events(run_id, worker_id, [])
    store.submit_command(run_id, Command("stop"))
    with store.database.write() as connection:  # the worker died before it took the second command
        connection.exec_driver_sql(f"UPDATE runs SET state = 'lost' WHERE id = '{run_id}'")
    store.resume(run_id)
    assert not has_commands(store, run_id)


@pytest.mark.parametrize("kind", ["stop", "interrupt"])
def test_a_run_that_a_person_ended_does_not_go_on_by_itself(store, kind):
    run_id, _ = a_running_run(store)
    store.submit_command(run_id, Command(kind))
    with store.database.write() as connection:  # the worker died before it took the command
        connection.exec_driver_sql(f"UPDATE runs SET state = 'lost' WHERE id = '{run_id}'")
    store.resume_lost(most_attempts=5)
    worker_id = store.workers.register()
    assert store.claim(worker_id, run_id).attempt == 2
    assert [each.kind for each in store.record_events(run_id, worker_id, [])] == [kind]


def test_a_lost_run_goes_on_until_it_has_begun_often(store):
    run_id, _ = a_running_run(store)
    for attempt in (2, 3):
        with store.database.write() as connection:
            connection.exec_driver_sql(f"UPDATE runs SET state = 'lost' WHERE id = '{run_id}'")
        store.resume_lost(most_attempts=3)
        assert (store.run(run_id).state, store.run(run_id).attempt) == ("queued", attempt)
    with store.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE runs SET state = 'lost' WHERE id = '{run_id}'")
    store.resume_lost(most_attempts=3)
    assert store.run(run_id).state == "lost"


def test_a_finished_run_is_not_resumed(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [the_end()])
    with pytest.raises(StoreError, match="is finished, so it cannot be resumed.*fork"):
        store.resume(run_id)


def test_a_run_is_resumed_once(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [the_end("lost")])
    store.resume(run_id)
    with pytest.raises(StoreError, match="is queued"):
        store.resume(run_id)
