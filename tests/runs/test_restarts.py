"""Tests of a PostgreSQL server that is restarted: nothing is lost, and nothing happens twice."""

import random
import sys
import threading
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from example_runs import (
    a_request,
    a_running_run,
    a_step,
    a_store,
    an_epoch,
    steps,
    the_end,
    wait_for,
)
from postgres import (
    POOLER_PORT,
    Postgres,
    find_pooler,
    find_programs,
    running_pooler,
    running_server,
)

from cnnlib.errors import StoreError
from cnnlib.experiments.grid import start_grid
from cnnlib.records.events import Command, Intervention
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore, studies
from cnnlib.runs.database import CommitUnknown, StoreUnreachable
from cnnlib.runs.places.local_place import LocalPlace
from cnnlib.runs.polling import metrics_since
from cnnlib.runs.tables import runs
from cnnlib.train.control import Control
from cnnlib.train.worker import recorder, retry
from cnnlib.train.worker.process import Worker
from cnnlib.train.worker.recorder import Recorder

COUNTING = (sys.executable, str(Path(__file__).parents[1] / "support" / "counting_worker.py"))


@pytest.fixture(scope="module")
def own_server() -> Generator[Postgres]:
    """A server that no other test uses."""
    installed = find_programs()
    if installed is None:
        pytest.skip("needs PostgreSQL, and there is no initdb: apt install postgresql")
    with running_server(installed) as server:
        yield server


@pytest.fixture
def store(tmp_path, own_server) -> Generator[RunStore]:
    with closing(a_store(tmp_path, own_server.create_schema())) as store:
        yield store


@pytest.fixture
def soon(monkeypatch) -> None:
    """Let retries come soon."""
    for module in (recorder, retry):
        monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)


@contextmanager
def answers_lost(store: RunStore, count: int = 1) -> Generator[None]:
    """The next commits of a store are executed, and their answers are lost with the connection."""
    dialect = store.database._engine.dialect
    commit, left = dialect.do_commit, [count]

    def commit_unanswered(connection) -> None:
        commit(connection)
        if left[0]:
            left[0] -= 1
            connection.driver_connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    dialect.do_commit = commit_unanswered
    try:
        yield
    finally:
        dialect.do_commit = commit
    assert left == [0]


def row_counts(store: RunStore, run_id: str) -> tuple[list[int], list[int], list[int]]:
    """The recorded steps, epochs and steps of interventions of a run."""
    found = store.steps_after(run_id)["step"], store.epochs(run_id), store.interventions(run_id)
    return found[0], [each.epoch for each in found[1]], [each.step for each in found[2]]


def eval_seconds(store: RunStore, run_id: str) -> float:
    """The sum that the run's row holds of the seconds of its epochs."""
    with store.database.read() as connection:
        return connection.scalar(sa.select(runs.c.eval_seconds).where(runs.c.id == run_id))


# -- an answer that is lost ------------------------------------------------------------------------


def test_events_whose_commit_was_not_answered_are_recorded_once(store, soon):
    run_id, worker_id = a_running_run(store)
    a_change = Intervention(3, "set", "lr", 0.1)
    with answers_lost(store, 3):
        with Recorder(store, run_id, worker_id, Control()) as recording:
            for event in [*steps(1, 5), a_change, an_epoch(1, 5), *steps(6, 9), the_end()]:
                recording.record(event)
    assert row_counts(store, run_id) == (list(range(1, 10)), [1], [3])
    assert store.run(run_id).state == "finished"
    assert eval_seconds(store, run_id) == an_epoch(1, 5).eval_seconds


def test_a_command_whose_answer_was_lost_reaches_the_loop_once(store, soon):
    run_id, worker_id = a_running_run(store)
    control = Control()
    store.submit_command(run_id, Command("pause"))
    with answers_lost(store), Recorder(store, run_id, worker_id, control):
        wait_for(lambda: control.pending)
        store.submit_command(run_id, Command("stop"))
        taken = [control.take().kind]
        wait_for(lambda: control.pending)
        taken.append(control.take().kind)
        with store.watch_commands(run_id) as has_commands:
            wait_for(lambda: not has_commands())
    assert taken == ["pause", "stop"] and control.take() is None


def test_a_claim_whose_answer_was_lost_is_found(store):
    run_id = store.submit(a_request())
    job_id = store.jobs.submit("prepare", {"name": "digits"})
    worker_id = store.workers.register()
    for claim, claimed, wanted in (
        (store.claim, store.claimed, run_id),
        (store.jobs.claim, store.jobs.claimed, job_id),
    ):
        with answers_lost(store), pytest.raises(CommitUnknown, match="It may have"):
            claim(worker_id)
        assert claimed(worker_id).id == wanted
        assert claim(worker_id) is None


def test_an_idle_worker_trains_the_run_that_it_claimed_without_an_answer(store, monkeypatch):
    run_id = store.submit(a_request())
    worker = Worker(store, store.workers.register())
    trained = []

    def train(run) -> None:
        trained.append(run.id)
        worker.interrupt()

    monkeypatch.setattr(worker, "_train", train)
    monkeypatch.setattr("cnnlib.train.worker.process.RETRY_SECONDS", 0.01)
    with answers_lost(store):
        worker.serve_runs()
    assert trained == [run_id]


def test_runs_whose_submission_was_not_answered_are_queued_once(store):
    with answers_lost(store):
        run_ids = store.submit_all([a_request(), a_request(seed=1)])
    assert [run.id for run in store.runs()] == run_ids[::-1]


def test_an_experiment_whose_submission_was_not_answered_exists_once(store):
    with answers_lost(store):
        study_id = start_grid(store, a_request(mode="t1-nchw-fp32"), {"lr": [0.1, 0.2]})
    assert [study.id for study in studies.find_all(store, ["grid"])] == [study_id]
    assert len(store.runs(group=study_id)) == 2


def test_a_change_that_was_not_recorded_is_not_taken_for_recorded(store, monkeypatch):
    def fail(connection) -> None:
        connection.driver_connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patched:
        patched.setattr(store.database._engine.dialect, "do_commit", fail)
        with pytest.raises(CommitUnknown, match="Look whether the change is there"):
            store.submit(a_request())
    assert store.runs() == []


# -- restarts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_page_reads_and_submits_after_a_restart_as_before(store, own_server, mode):
    run_id = store.submit(a_request())
    own_server.control("restart", "-m", mode)
    assert metrics_since(store, run_id)["state"] == "queued"
    own_server.control("restart", "-m", mode)
    later = store.submit(a_request())
    assert [run.id for run in store.runs()] == [later, run_id]


def test_while_the_database_is_down_a_page_says_so(store, own_server):
    own_server.control("stop", "-m", "fast")
    try:
        with pytest.raises(StoreUnreachable, match="Check that it can be reached"):
            store.runs()
    finally:
        own_server.start()
    assert store.runs() == []


@pytest.mark.pgbouncer
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_page_behind_a_pooler_reads_after_a_restart(tmp_path, own_server, mode):
    program = find_pooler()
    if program is None:
        pytest.skip("needs PgBouncer: apt install pgbouncer")
    with running_pooler(own_server, program):
        with closing(a_store(tmp_path, own_server.create_schema(POOLER_PORT))) as store:
            run_id = store.submit(a_request())
            own_server.control("restart", "-m", mode)
            run = retry.until_reachable(store.run, run_id)
            assert run.id == run_id


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_restarts_in_the_middle_of_training_lose_nothing(tmp_path, own_server, mode):
    address = own_server.create_schema()
    folders = Folders(tmp_path, tmp_path, address, database_direct=address)
    with closing(RunStore(folders)) as store:
        run_ids = store.submit_all([a_request(epochs=150)] * 4)
        pool = LocalPlace(folders, 2, COUNTING)
        pool.start()
        try:
            for enough in (20, 60, 100):
                wait_for(lambda enough=enough: store.run(run_ids[0]).step >= enough, seconds=60)
                own_server.control("restart", "-m", mode)
            wait_for(lambda: all_ended(store, run_ids), seconds=90)
        finally:
            pool.shutdown()
        for run_id in run_ids:
            run = store.run(run_id)
            assert (run.state, run.attempt, run.reason) == ("finished", 1, "")
            assert store.steps_after(run_id)["step"] == list(range(1, 151))


def all_ended(store: RunStore, run_ids: list[str]) -> bool:
    try:
        return not any(store.run(run_id).is_live for run_id in run_ids)
    except StoreError:
        return False


def test_sessions_that_end_at_any_moment_lose_and_repeat_nothing(store, own_server, soon):
    run_id, worker_id = a_running_run(store)
    control, sent = Control(), 30
    user = sa.make_url(store.folders.database).username
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"

    def end_sessions() -> None:
        moments = random.Random(7)
        with own_server.connect() as session:
            for _ in range(sent):
                time.sleep(moments.uniform(0.0, 0.05))
                session.execute(kill, [user])

    killer = threading.Thread(target=end_sessions)
    got = []
    with closing(RunStore(store.folders)) as page:
        with Recorder(store, run_id, worker_id, control) as recording:
            killer.start()
            for number in range(1, sent + 1):
                recording.record(a_step(number))
                recording.record(Intervention(number, "set", "lr", float(number)))
                recording.record(an_epoch(number, number))
                retry.until_reachable(page.submit_command, run_id, Command("set", "lr", number))
            killer.join()

            def has_all() -> bool:
                while (command := control.take()) is not None:
                    got.append(command)
                return {command.value for command in got} == set(range(1, sent + 1))

            wait_for(has_all)
            recording.record(replace(the_end(), step=sent))
    numbers = list(range(1, sent + 1))
    assert row_counts(store, run_id) == (numbers, numbers, numbers)
    assert eval_seconds(store, run_id) == pytest.approx(sent * an_epoch(1, 1).eval_seconds)
    assert len({command.id for command in got}) == len(got)  # each that was submitted, once


def test_a_restart_makes_no_worker_look_silent(store, own_server, monkeypatch):
    run_id, worker_id = a_running_run(store)
    with store.database.write() as connection:  # the last heartbeat was before a long downtime
        long_ago = sa.text("UPDATE workers SET host = 'elsewhere', heartbeat = heartbeat - 100")
        connection.execute(long_ago)
    own_server.control("restart", "-m", "fast")
    assert store.workers.reap() == []
    assert store.run(run_id).state == "running"
    assert store.claimed(worker_id).id == run_id


def test_a_study_is_advanced_when_the_database_is_back(store, soon):
    worker = Worker(store, store.workers.register())
    run, calls = store.run(store.submit(a_request())), []

    def advance(*_arguments) -> None:
        calls.append(1)
        if len(calls) < 3:
            raise StoreUnreachable("The database is restarted.")

    worker._advance(advance, run)
    assert len(calls) == 3
