"""Tests with real faults: killed processes, full or read-only disks, locks, damaged files."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
from apps import AppTest
from disks import fill, make_read_only, make_writable, small_disk
from example_runs import a_request, a_running_run, an_epoch, steps, the_end, wait_for
from fuzz.readers import a_told_run
from in_process_viewer import answer_in_process
from sample_data import prepared_now

from cnnlib.data.uploads import remove_dataset
from cnnlib.errors import StoreError
from cnnlib.records.events import EpochEnd
from cnnlib.records.recipe import Recipe
from cnnlib.runs import RunStore, database
from cnnlib.runs.polling import metrics_since
from cnnlib.train.api import fit
from cnnlib.ui.common.urls import INSPECT, LAB, TRAIN

MAIN = Path(__file__).parents[2] / "cnnlib" / "ui" / "server" / "main.py"
ENDLESS = 10_000  # steps of a counting worker, a hundred a second
pytestmark = pytest.mark.skipif(os.name == "nt", reason="cannot run here: Windows has no SIGKILL")


@pytest.fixture
def store() -> Generator[RunStore]:
    """The store that the pages and processes of a test share."""
    with closing(RunStore()) as store:
        yield store


@contextmanager
def running_app() -> Generator[subprocess.Popen]:
    """Run the app in a process; kill it and all its child processes on exit."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).parents[1] / "support" / "small_app.py")]
    )
    children: list[psutil.Process] = []
    try:
        yield process
    finally:
        if process.poll() is None:
            children = psutil.Process(process.pid).children(recursive=True)
        for each in (process, *children):
            each.kill()
        process.wait()


def worker_of(store: RunStore, run_id: str) -> int:
    """Return the id of the process that trains a run."""
    with store.database.read() as connection:
        sql = "SELECT pid FROM workers JOIN runs ON worker_id = workers.id WHERE runs.id = "
        return connection.exec_driver_sql(f"{sql}'{run_id}'").scalar_one()


def kill(pid: int) -> None:
    """Kill a process, as the system does when memory runs out."""
    os.kill(pid, signal.SIGKILL)


def open_page(page: Path, **query: str) -> AppTest:
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.run()
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page(str(page)).run()
    assert not app.exception, app.exception[0].stack_trace
    return app


def assert_nothing_is_lost(store: RunStore, run_id: str, at_least: int) -> None:
    """Assert that every step up to the last one is stored once."""
    steps, page = [], [0]
    while page:
        page = store.steps_after(run_id, steps[-1] if steps else 0)["step"]
        steps += page
    assert steps == list(range(1, store.run(run_id).step + 1))
    assert len(steps) >= at_least


def is_training(store: RunStore, run_id: str, beyond: int = 5) -> bool:
    return store.run(run_id).step > beyond


def test_a_killed_worker_loses_no_step_and_its_run_can_go_on(store):
    run_id = store.submit(a_request(epochs=ENDLESS))
    with running_app():
        wait_for(lambda: is_training(store, run_id), 60)
        seen = store.run(run_id).step
        kill(worker_of(store, run_id))
        wait_for(lambda: store.run(run_id).state == "lost")
        assert_nothing_is_lost(store, run_id, seen)
        assert "it was killed, or memory ran out" in metrics_since(store, run_id)["reason"]
        open_page(TRAIN, run=run_id).button(key="train_continue").click().run()
        wait_for(lambda: store.run(run_id).attempt == 2 and is_training(store, run_id, 1), 60)


def test_a_killed_app_loses_no_step_and_its_run_finishes(store):
    run_id, waiting = store.submit(a_request(epochs=150)), store.submit(a_request())
    with running_app() as app:
        wait_for(lambda: is_training(store, run_id), 60)
        kill(app.pid)
        wait_for(lambda: store.run(run_id).state == "finished", 60)
    assert_nothing_is_lost(store, run_id, 150)
    assert store.run(waiting).state == "queued"
    with running_app():  # started again, it trains the waiting run
        wait_for(lambda: store.run(waiting).state == "finished", 60)


def test_app_and_worker_killed_together_lose_no_step(store):
    run_id = store.submit(a_request(epochs=ENDLESS))
    with running_app() as app:
        wait_for(lambda: is_training(store, run_id), 60)
        seen = store.run(run_id).step
        kill(app.pid)
        kill(worker_of(store, run_id))
        wait_for(lambda: store.run(run_id).state == "lost")
    assert_nothing_is_lost(store, run_id, seen)
    assert store.run(run_id).state == "lost"
    assert not open_page(TRAIN, run=run_id).error


def test_two_apps_on_one_store_train_every_run_once(store):
    runs = [store.submit(a_request(epochs=20)) for _ in range(6)]
    with running_app(), running_app():
        wait_for(lambda: all(store.run(run_id).state == "finished" for run_id in runs), 120)
    for run_id in runs:
        assert_nothing_is_lost(store, run_id, 20)
        assert store.run(run_id).attempt == 1


def test_training_on_a_full_disk_waits_and_loses_no_step(tmp_path, monkeypatch):
    with small_disk(tmp_path / "disk", 4_000_000) as disk:
        monkeypatch.setenv("CNNLAB_RUNS", str(disk / "runs"))
        with closing(RunStore()) as store, running_app():
            run_id = store.submit(a_request(epochs=ENDLESS))
            wait_for(lambda: is_training(store, run_id), 60)
            filler = fill(disk)
            message = wait_until_refused(store)
            assert "the disk is full. All recorded data is kept" in message
            seen = store.run(run_id).step
            app = open_page(TRAIN, run=run_id)  # the run can still be viewed
            app.button(key="train_stop").click().run()
            filler.unlink()
            wait_for(lambda: is_training(store, run_id, seen + 5), 60)
            assert_nothing_is_lost(store, run_id, seen)


def wait_until_refused(store: RunStore) -> str:
    """Submit runs until the disk is full; return the error message of the store."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            store.submit(a_request(name="x" * 100, seed=len(store.runs())))
        except StoreError as error:
            return str(error)
    raise AssertionError("the disk is never full")


def test_a_read_only_store_has_a_message_and_recovers(tmp_path, monkeypatch):
    with small_disk(tmp_path / "disk", 4_000_000) as disk:
        monkeypatch.setenv("CNNLAB_RUNS", str(disk / "runs"))
        with closing(RunStore()) as store:
            run_id = a_told_run(store, "kept")
        make_read_only(disk)
        [error] = open_page(LAB).error
        assert "cannot be" in error.value and "Allow writing to its folder" in error.value
        make_writable(disk)
        with closing(RunStore()) as store:
            assert_nothing_is_lost(store, run_id, 20)
        assert not open_page(TRAIN, run=run_id).error


def test_a_store_that_another_program_locks_is_written_later_and_read_meanwhile(store, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    run_id = store.submit(a_request(epochs=ENDLESS))
    with running_app():
        wait_for(lambda: is_training(store, run_id), 60)
        with closing(sqlite3.connect(store.folders.runs / "cnnlab.db", timeout=30)) as other:
            other.isolation_level = None
            other.execute("BEGIN EXCLUSIVE")
            seen = store.run(run_id).step
            assert not open_page(TRAIN, run=run_id).error
            assert store.run(run_id).step == seen
            other.execute("ROLLBACK")
        wait_for(lambda: is_training(store, run_id, seen + 5), 60)
        assert_nothing_is_lost(store, run_id, seen)


def test_a_truncated_snapshot_has_a_message_and_others_are_shown(store, monkeypatch):
    answer_in_process(monkeypatch)
    run_id = a_told_run(store, "", prepared_now("digits").info.fingerprint)
    last = store.folders.run(run_id) / store.saved_weights(run_id)[-1].file
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    app = open_page(INSPECT, run=run_id, step="20", view="Gradients")
    assert any("cannot be read" in error.value for error in [*app.error, *app.warning])
    assert not open_page(INSPECT, run=run_id, step="0", view="Gradients").error
    assert_nothing_is_lost(store, run_id, 20)


def test_a_dataset_that_is_deleted_while_it_trains_is_trained_on_to_the_end():
    removed = []

    def listen(event) -> None:
        if isinstance(event, EpochEnd) and not removed:
            removed.append(remove_dataset("digits"))

    recipe = Recipe(epochs=3)
    trained = fit("tiny99", "digits", recipe, train_limit=100, listen=listen)
    assert removed[0].prepared_bytes > 0
    assert trained.run.state == "finished" and len(trained.history.epochs) == 3
    assert trained.history.test is not None
    assert not open_page(INSPECT, run=trained.run.id).error  # the Lab prepared the pictures again
    assert not open_page(TRAIN, run=trained.run.id).error


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0 * 400])
def test_a_clock_that_is_moved_while_a_run_trains_changes_nothing_but_dates(
    store, monkeypatch, jump
):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [*steps(1, 10), an_epoch(1, 10)])
    real_time = time.time
    monkeypatch.setattr(time, "time", lambda: real_time() + jump)
    assert store.workers.reap() == []
    store.record_events(run_id, worker_id, [*steps(11, 20), an_epoch(2, 20), the_end()])
    later = store.submit(a_request(seed=1))
    assert [run.id for run in store.runs()] == [later, run_id]
    assert_nothing_is_lost(store, run_id, 20)
    assert store.run(run_id).train_seconds == 2.0
    assert not open_page(LAB).error
    assert not open_page(TRAIN, run=run_id).error
