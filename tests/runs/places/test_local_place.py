"""Tests of workers: liveness, execution of a run, processes and their pool."""

import errno
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from example_runs import (
    a_checkpoint,
    a_request,
    a_running_run,
    a_step,
    a_store,
    started,
    steps,
    wait_for,
)

from cnnlib.errors import DataError
from cnnlib.records.events import Command, Phase
from cnnlib.records.job import Progress
from cnnlib.records.run import Run
from cnnlib.runs import RunStore
from cnnlib.runs.capacity import Capacity
from cnnlib.runs.event_writer import RunReassigned
from cnnlib.runs.places.local_place import LocalPlace
from cnnlib.runs.tables import workers
from cnnlib.runs.workers import liveness
from cnnlib.runs.workers.slot import worker_environment
from cnnlib.train.control import Control
from cnnlib.train.worker import execute_run

COUNTING = (sys.executable, str(Path(__file__).parents[2] / "support" / "counting_worker.py"))


@pytest.fixture
def store(tmp_path, store_address) -> Generator[RunStore]:
    with closing(a_store(tmp_path, store_address)) as store:
        yield store


@contextmanager
def counting_worker(store: RunStore) -> Generator[subprocess.Popen]:
    """A worker process, started as an app does it."""
    process = subprocess.Popen(
        [*COUNTING, "--follow"], stdin=subprocess.PIPE, env=worker_environment(store.folders)
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()


def set_worker(store: RunStore, worker_id: str, **values) -> None:
    """Change the row of a worker."""
    with store.database.write() as connection:
        connection.execute(sa.update(workers).where(workers.c.id == worker_id).values(values))


# -- liveness --------------------------------------------------------------------------------------


def test_a_run_of_a_live_process_is_not_lost(store):
    a_running_run(store)
    assert store.workers.reap() == []


def test_a_run_is_lost_when_its_process_is_gone(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, steps(1, 7))
    set_worker(store, worker_id, pid=_ended_pid())
    assert store.workers.reap() == [run_id]
    run = store.run(run_id)
    assert run.state == "lost"
    assert "ended unexpectedly" in run.reason and "up to 7" in run.reason
    assert store.steps_after(run_id)["step"] == list(range(1, 8))


def _ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_later_process_with_the_same_number_does_not_pass_for_the_worker(store):
    run_id, worker_id = a_running_run(store)
    set_worker(store, worker_id, birth="an earlier process")
    assert store.workers.reap() == [run_id]


def test_a_run_is_not_lost_because_its_process_cannot_be_inspected(store, monkeypatch):
    a_running_run(store)

    def no_file_left(pid: int) -> str:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(liveness, "process_birth", no_file_left)
    assert store.workers.reap() == []


def test_a_zombie_process_is_gone():
    process = subprocess.Popen([sys.executable, "-c", ""])
    try:
        wait_for(lambda: liveness.process_birth(process.pid) is None)
    finally:
        process.wait()


def test_a_run_is_not_lost_because_the_clock_jumps(store, monkeypatch):
    a_running_run(store)
    now = time.time()
    for jump in (-86_400, 86_400):
        monkeypatch.setattr(time, "time", lambda jump=jump: now + jump)
        assert store.workers.reap() == []


def test_a_worker_on_another_machine_is_alive_while_it_sends_heartbeats(store, monkeypatch):
    monkeypatch.setattr(liveness, "SILENCE_SECONDS", 2.0)
    run_id, worker_id = a_running_run(store)
    set_worker(store, worker_id, host="elsewhere", pid=_ended_pid())
    store.workers.send_heartbeat(worker_id)
    assert store.workers.reap() == []
    wait_for(lambda: store.workers.reap() == [run_id])
    assert "elsewhere" in store.run(run_id).reason


def let_worker_sleep(store: RunStore, worker_id: str) -> None:
    """Make a worker look silent for too long on another machine, and reap it."""
    set_worker(store, worker_id, host="elsewhere")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(liveness, "SILENCE_SECONDS", 0.0)
        store.workers.reap()


def test_a_worker_that_slept_takes_up_its_run_with_its_next_heartbeat(store):
    run_id, worker_id = a_running_run(store)
    let_worker_sleep(store, worker_id)
    assert store.run(run_id).state == "lost"
    store.workers.send_heartbeat(worker_id)
    store.record_events(run_id, worker_id, steps(1, 3))
    assert store.workers.reap() == []
    run = store.run(run_id)
    assert (run.state, run.reason, run.ended, run.step) == ("running", "", None, 3)


def test_a_paused_run_whose_worker_slept_is_paused_again(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [*steps(1, 10), Phase("paused", "paused at step 10")])
    let_worker_sleep(store, worker_id)
    store.workers.send_heartbeat(worker_id)
    run = store.run(run_id)
    assert (run.state, run.phase) == ("paused", "paused at step 10")


def test_a_run_that_was_resumed_while_its_worker_slept_stays_with_the_other_one(store):
    run_id, worker_id = a_running_run(store)
    let_worker_sleep(store, worker_id)
    store.resume(run_id)
    store.workers.send_heartbeat(worker_id)
    assert store.run(run_id).state == "queued"
    other = store.workers.register()
    store.claim(other, run_id)
    store.record_events(run_id, other, [started(), *steps(1, 3)])
    store.workers.send_heartbeat(worker_id)
    for events in ([], steps(4, 9), [Phase("running", "measuring the test split")]):
        with pytest.raises(RunReassigned, match="resumed by another worker"):
            store.record_events(run_id, worker_id, events)
    run = store.run(run_id)
    assert (run.state, run.step, run.phase) == ("running", 3, "")


def test_a_worker_that_slept_while_it_had_no_run_takes_the_next_one(store):
    worker_id = store.workers.register()
    let_worker_sleep(store, worker_id)
    store.workers.send_heartbeat(worker_id)
    run_id = store.submit(a_request())
    assert store.claim(worker_id, capacity=Capacity(1)).id == run_id
    assert store.workers.reap() == []
    store.submit(a_request())
    assert store.next_with_room(worker_id, Capacity(1)) is None


def test_a_heartbeat_registers_a_removed_worker_again(store, monkeypatch):
    monkeypatch.setattr("cnnlib.runs.workers.liveness.HEARTBEAT_SECONDS", 0.01)

    def entered() -> list[tuple[str, str]]:
        with store.database.read() as connection:
            return list(map(tuple, connection.execute(sa.select(workers.c.id, workers.c.does))))

    with store.workers.registered("jobs") as worker_id:
        store.workers.unregister(worker_id)
        wait_for(lambda: entered() == [(worker_id, "jobs")])
    assert entered() == []


def test_a_run_without_a_registered_worker_is_lost(store):
    run_id, _ = a_running_run(store)
    with store.database.write() as connection:
        connection.execute(sa.delete(workers))
    assert store.workers.reap() == [run_id]


def test_a_run_whose_worker_unregisters_is_interrupted(store):
    run_id, worker_id = a_running_run(store)
    store.workers.unregister(worker_id)
    assert store.workers.reap() == []
    run = store.run(run_id)
    assert run.state == "interrupted" and "Resume the run" in run.reason


def test_readers_find_a_lost_run_by_themselves(store):
    run_id, worker_id = a_running_run(store)
    set_worker(store, worker_id, pid=_ended_pid())
    with closing(RunStore(store.folders)) as reader:
        assert reader.run(run_id).state == "lost"


def test_a_dead_worker_does_not_block_the_queue(store):
    _, worker_id = a_running_run(store)
    set_worker(store, worker_id, pid=_ended_pid())
    store.submit(a_request())
    with closing(RunStore(store.folders)) as other:
        assert other.next_with_room(other.workers.register(), Capacity(1))


def test_a_worker_is_in_the_list_while_it_is_at_work(store):
    with store.workers.registered("runs") as worker_id:
        run_id = store.submit(a_request())
        assert store.claim(worker_id).id == run_id
        assert store.workers.reap() == []
    assert store.run(run_id).state == "interrupted"


# -- a run, from claim to end ----------------------------------------------------------------------


def execute(store: RunStore, monkeypatch, events, listen=lambda event: None) -> str:
    """Execute a run that yields these events; an exception among them is raised."""

    def yield_events(run, store, control, is_sketch):
        for event in events:
            if isinstance(event, Exception):
                raise event
            yield event

    monkeypatch.setattr(execute_run, "_events", yield_events)
    run_id = store.submit(a_request())
    with store.workers.registered("runs") as worker_id:
        execute_run.execute_run(store.claim(worker_id), store, worker_id, Control(), listen)
    return run_id


def test_an_error_that_a_person_caused_ends_the_run_with_its_sentence(store, monkeypatch):
    run_id = execute(store, monkeypatch, [DataError("The pictures are gone. Bring them back.")])
    run = store.run(run_id)
    assert (run.state, run.reason) == ("failed", "The pictures are gone. Bring them back.")


def test_a_full_disk_before_the_first_step_is_a_sentence_not_a_crash(store, monkeypatch):
    store.folders.runs.joinpath("files").write_bytes(b"")  # so that no traceback can be stored
    full = OSError(errno.ENOSPC, "No space left on device")
    run = store.run(execute(store, monkeypatch, [full]))
    assert run.state == "failed" and "is full. Free some space, then resume" in run.reason
    wrong = execute(store, monkeypatch, [KeyError("a bug")])
    assert "internal error (KeyError: 'a bug')" in store.run(wrong).reason
    assert "Details are in the worker's log" in store.run(wrong).reason


def test_an_error_of_the_lab_keeps_its_events_and_its_traceback(store, monkeypatch):
    events = [started(), a_step(1), a_step(2), ZeroDivisionError("oh")]
    run = store.run(execute(store, monkeypatch, events))
    assert (run.state, run.step, run.train_seconds) == ("failed", 2, 0.2)
    log = store.folders.run(run.id) / "worker.log"
    assert "ZeroDivisionError: oh" in run.reason and str(log) in run.reason
    assert "Traceback" in log.read_text()


def test_a_listener_receives_all_events(store, monkeypatch):
    events, received = [started(), a_step(1), a_step(2)], []
    execute(store, monkeypatch, events, received.append)
    assert received == events


def with_checkpoints(store: RunStore, *at: int) -> str:
    """A run with 20 steps and checkpoints at some of them."""
    run_id, worker_id = a_running_run(store)
    folder = store.folders.run(run_id)
    folder.mkdir(parents=True)
    for step in at:
        (folder / f"checkpoint-{step}").write_bytes(b"1234")
    store.record_events(run_id, worker_id, [*steps(1, 20), *map(a_checkpoint, at)])
    return run_id


@pytest.fixture
def four_bytes_are_whole(monkeypatch):
    monkeypatch.setattr(execute_run, "_is_readable", lambda path: path.stat().st_size == 4)


def test_a_run_goes_on_from_its_newest_checkpoint(store, four_bytes_are_whole):
    run_id = with_checkpoints(store, 0, 10, 15)
    folder = store.folders.run(run_id)
    resume, saved = execute_run._rewind_to_checkpoint(store.run(run_id), store)
    assert (resume, saved) == (folder / "checkpoint-15", [a_checkpoint(15)])
    assert store.run(run_id).step == 15


def test_a_checkpoint_that_was_cut_in_half_is_passed_over(store, four_bytes_are_whole):
    run_id = with_checkpoints(store, 0, 10, 15)
    folder = store.folders.run(run_id)
    (folder / "checkpoint-15").write_bytes(b"12")
    resume, _ = execute_run._rewind_to_checkpoint(store.run(run_id), store)
    assert resume == folder / "checkpoint-10"
    assert store.run(run_id).step == 10
    assert not (folder / "checkpoint-15").exists()


def test_a_checkpoint_whose_steps_were_not_recorded_is_skipped(store, four_bytes_are_whole):
    run_id = with_checkpoints(store, 0, 10)
    folder = store.folders.run(run_id)
    (folder / "checkpoint-25").write_bytes(b"1234")  # written just before the worker was killed
    resume, _ = execute_run._rewind_to_checkpoint(store.run(run_id), store)
    assert resume == folder / "checkpoint-10"


def test_a_run_without_a_checkpoint_begins_anew(store, four_bytes_are_whole):
    run_id = with_checkpoints(store, 0)
    folder = store.folders.run(run_id)
    (folder / "checkpoint-0").write_bytes(b"12")
    assert execute_run._rewind_to_checkpoint(store.run(run_id), store) == (None, [])
    assert store.run(run_id).step == 0
    assert store.saved_weights(run_id) == []
    assert list(folder.iterdir()) == []


@pytest.fixture
def slow_to_prepare(monkeypatch):
    """A dataset whose preparation never ends by itself."""

    def prepare(name, folders):
        while True:
            yield Progress(0.25, "reading")

    monkeypatch.setattr("cnnlib.data.prepared.is_prepared", lambda name, folders: False)
    monkeypatch.setattr("cnnlib.data.prepare.prepare", prepare)


def execute_with(store: RunStore, control: Control) -> Run:
    store.submit(a_request())
    with store.workers.registered("runs") as worker_id:
        run = store.claim(worker_id)
        execute_run.execute_run(run, store, worker_id, control)
    return store.run(run.id)


def test_stop_is_obeyed_while_pictures_are_prepared(store, slow_to_prepare):
    control = Control()
    control.put(Command("set", "lr", 0.5))
    control.put(Command("stop"))
    run = execute_with(store, control)
    assert (run.state, run.reason) == ("stopped", "Stopped before the first step.")
    assert control.take().setting == "lr"  # other commands wait for the first step


def test_a_worker_can_leave_while_pictures_are_prepared(store, slow_to_prepare):
    control = Control()
    control.interrupt()
    assert execute_with(store, control).state == "interrupted"


def test_preparation_is_shown_as_the_phase_of_the_run(store, slow_to_prepare):
    run_id = store.submit(a_request())
    control, seen = Control(), []

    def listen(event):
        seen.append(event)
        control.interrupt()

    with store.workers.registered("runs") as worker_id:
        execute_run.execute_run(store.claim(worker_id, run_id), store, worker_id, control, listen)
    assert seen[:2] == [
        Phase("starting", "preparing Digits (scikit-learn)"),
        Phase("starting", "preparing Digits (scikit-learn): reading, 25 %"),
    ]


# -- processes -------------------------------------------------------------------------------------


def test_the_run_of_a_killed_worker_is_lost_and_its_events_stay(store):
    run_id = store.submit(a_request(epochs=10_000))
    with counting_worker(store) as worker:
        wait_for(lambda: store.run(run_id).step > 5)
        worker.kill()  # not waited for: a zombie
        wait_for(lambda: store.run(run_id).state == "lost", seconds=5)
    recorded = store.steps_after(run_id)["step"]
    assert recorded == list(range(1, store.run(run_id).step + 1))


@pytest.mark.skipif(os.name == "nt", reason="cannot run here: Windows has no SIGTERM to catch")
def test_a_terminated_worker_ends_its_run_as_interrupted_and_leaves(store):
    run_id = store.submit(a_request(epochs=10_000))
    with counting_worker(store) as worker:
        wait_for(lambda: store.run(run_id).step > 0)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=30) == 0
    assert store.run(run_id).state == "interrupted"


def test_a_worker_finishes_its_run_after_its_app_is_gone_and_then_leaves(store):
    first, second = store.submit(a_request(epochs=50)), store.submit(a_request())
    with counting_worker(store) as worker:
        wait_for(lambda: store.run(first).step > 0)
        worker.stdin.close()
        assert worker.wait(timeout=30) == 0
    assert (store.run(first).state, store.run(second).state) == ("finished", "queued")


def test_stop_pressed_in_two_tabs_ends_a_run_once(store):
    run_id = store.submit(a_request(epochs=10_000))
    with counting_worker(store) as worker:
        wait_for(lambda: store.run(run_id).step > 0)
        store.submit_command(run_id, Command("stop"))
        store.submit_command(run_id, Command("stop"))
        wait_for(lambda: not store.run(run_id).is_live)
        assert store.run(run_id).state == "stopped"
        assert store.submit_command(run_id, Command("stop")) == 0
        again = store.submit(a_request(epochs=1))
        wait_for(lambda: store.run(again).state == "finished")
        assert worker.poll() is None


# -- the pool --------------------------------------------------------------------------------------


@contextmanager
def pool_of(store: RunStore, count: int = 1) -> Generator[LocalPlace]:
    pool = LocalPlace(store.folders, count, COUNTING)
    try:
        pool.start()
        yield pool
    finally:
        pool.shutdown(patience_seconds=30)
        assert pool.pids == []


def test_a_pool_works_off_the_queue_and_ends_its_workers(store):
    runs = [store.submit(a_request(epochs=2)) for _ in range(3)]
    with pool_of(store) as pool:
        wait_for(lambda: all(store.run(run_id).state == "finished" for run_id in runs))
        assert len(pool.pids) == 1 and pool.report().trouble == ""
    ended = [store.run(run_id).ended for run_id in runs]
    assert ended == sorted(ended)


def test_spare_workers_start_when_runs_wait_and_exit_when_idle(store):
    with pool_of(store, 2) as pool:
        wait_for(lambda: len(pool.pids) == 1)
        runs = [store.submit(a_request(epochs=10_000)) for _ in range(3)]
        wait_for(lambda: [store.run(run_id).state for run_id in runs].count("running") == 2)
        assert len(pool.pids) == 2
        for run_id in runs:
            store.submit_command(run_id, Command("stop"))
        wait_for(lambda: all(not store.run(run_id).is_live for run_id in runs))
        wait_for(lambda: len(pool.pids) == 1)


def test_open_pages_are_registered_until_the_last_is_closed(store):
    is_open = True

    def registered() -> int:
        with store.database.read() as connection:
            does_pages = sa.select(workers.c.id).where(workers.c.does == "pages")
            return len(connection.execute(does_pages).all())

    pool = LocalPlace(store.folders, 1, COUNTING, is_page_open=lambda: is_open)
    try:
        pool.start()
        wait_for(lambda: registered() == 1)
        is_open = False
        wait_for(lambda: registered() == 0)
    finally:
        pool.shutdown(patience_seconds=30)


def test_a_pool_that_is_shut_down_interrupts_its_run_and_keeps_the_queue(store):
    running, waiting = store.submit(a_request(epochs=10_000)), store.submit(a_request())
    with pool_of(store):
        wait_for(lambda: store.run(running).step > 0)
    assert (store.run(running).state, store.run(waiting).state) == ("interrupted", "queued")


def test_a_pool_replaces_a_worker_that_died(store):
    run_id = store.submit(a_request(epochs=10_000))
    with pool_of(store) as pool:
        wait_for(lambda: store.run(run_id).step > 0)
        os.kill(pool.pids[0], signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
        wait_for(lambda: store.run(run_id).state == "lost", seconds=5)
        store.resume(run_id)
        wait_for(lambda: store.run(run_id).state == "running")


def test_workers_that_cannot_start_are_a_sentence(store):
    pool = LocalPlace(store.folders, 1, (sys.executable, "-c", "raise SystemExit('no torch')"))
    try:
        pool.start()
        wait_for(lambda: pool.report().trouble != "")
    finally:
        pool.shutdown()
    assert "exit code 1" in pool.report().trouble and "runs-1.log" in pool.report().trouble
    assert "no torch" in (store.folders.runs / "logs" / "runs-1.log").read_text()


def test_a_program_of_workers_that_is_not_there_is_a_sentence_and_is_tried_again(store):
    missing = store.folders.runs / "no such program"
    pool = LocalPlace(store.folders, 1, (str(missing),))
    try:
        pool.ensure()
        assert "No worker process can be started: No such file" in pool.report().trouble
        pool.ensure()  # within the delay before the next start
        assert pool.pids == []
    finally:
        pool.shutdown()


def test_this_machine_is_named_as_workers_name_it(store):
    with store.workers.registered("runs") as worker_id, store.database.read() as connection:
        row = connection.execute(sa.select(workers).where(workers.c.id == worker_id)).one()
    assert (row.host, row.pid) == (platform.node(), os.getpid())
