"""Tests of a shared database that one process with a false clock uses: leases do not end by it."""

import time
from collections.abc import Callable, Generator
from contextlib import closing

import pytest
import sqlalchemy as sa
from example_runs import a_request, a_running_run, a_store, the_end

from cnnlib.runs import RunStore
from cnnlib.runs.tables import workers

HOUR = 3600.0


@pytest.fixture
def store(tmp_path, postgres_server) -> Generator[RunStore]:
    with closing(a_store(tmp_path, postgres_server.create_schema())) as store:
        yield store


@pytest.fixture(params=[-HOUR, HOUR])
def set_false_clock(request, monkeypatch) -> Callable[[], None]:
    """Puts the clock of this process wrong by an hour; its parameter says in which direction."""
    right = time.time

    def set_wrong() -> None:
        monkeypatch.setattr(time, "time", lambda: right() + request.param)

    return set_wrong


def set_host(store: RunStore, worker_id: str) -> None:
    """Let a worker seem to be on another machine, where only its heartbeats are known."""
    with store.database.write() as connection:
        is_worker = workers.c.id == worker_id
        connection.execute(sa.update(workers).where(is_worker).values(host="elsewhere"))


def test_a_false_clock_finds_no_worker_dead(store, set_false_clock):
    run_id, worker_id = a_running_run(store)
    set_host(store, worker_id)
    set_false_clock()
    assert store.workers.reap() == []
    assert store.run(run_id).state == "running"


def test_the_heartbeats_of_a_false_clock_count(store, set_false_clock, monkeypatch):
    set_false_clock()
    _, worker_id = a_running_run(store)
    set_host(store, worker_id)
    store.workers.send_heartbeat(worker_id)
    monkeypatch.undo()
    assert store.workers.reap() == []


def test_a_sketch_of_a_false_clock_trains_on(store, set_false_clock, monkeypatch):
    worker_id = store.workers.register()
    run_id = store.sketches.start("chrome", a_request())
    store.claim(worker_id, run_id)
    set_false_clock()  # of the worker, and of another page server
    assert store.sketches.order(run_id, 1.0, is_paused=False) == ""
    store.sketches.remove_abandoned()
    store.sketches.see(run_id, is_touched=True)
    monkeypatch.undo()
    assert store.sketches.order(run_id, 1.0, is_paused=False) == ""
    store.sketches.remove_abandoned()
    assert store.sketches.of_browser("chrome").run.id == run_id


def test_the_times_of_a_run_are_those_of_the_database(store, set_false_clock):
    true = time.time()
    set_false_clock()
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [the_end()])
    run = store.run(run_id)
    assert [run.created, run.started, run.ended] == [pytest.approx(true, abs=300)] * 3
