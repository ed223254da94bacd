"""Tests of jobs: they are queued once, show progress, can be stopped, and end with a result."""

import errno
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing

import pytest
from example_runs import a_request, a_store, wait_for

from cnnlib.errors import DataError, StoreError
from cnnlib.records.events import Command
from cnnlib.records.job import Progress
from cnnlib.runs import RunStore
from cnnlib.runs.places.local_place import LocalPlace
from cnnlib.runs.workers.slot import worker_environment
from cnnlib.train.worker import job_kinds
from cnnlib.train.worker.job_kinds import KINDS, execute_job


@pytest.fixture
def store(tmp_path, store_address) -> Generator[RunStore]:
    with closing(a_store(tmp_path, store_address)) as store:
        yield store


def count_to(args, folders):
    """A job that counts and returns the last number."""
    for number in range(args["last"]):
        yield Progress(number / args["last"], f"at {number}")
    return {"counted": args["last"]}


@pytest.fixture(autouse=True)
def counting(monkeypatch):
    monkeypatch.setitem(KINDS, "count", count_to)
    monkeypatch.setattr(job_kinds, "PROGRESS_SECONDS", 0.0)


def execute(store: RunStore, kind: str, should_end=lambda: False, **args):
    job_id = store.jobs.submit(kind, args)
    with store.workers.registered("jobs") as worker_id:
        execute_job(store.jobs.claim(worker_id), store, worker_id, should_end)
    return store.jobs.find(job_id)


def test_a_job_waits_until_a_worker_takes_it(store):
    job_id = store.jobs.submit("count", {"last": 3})
    job = store.jobs.find(job_id)
    assert (job.kind, job.args, job.state, job.is_live) == ("count", {"last": 3}, "queued", True)
    assert store.jobs.are_waiting()
    assert store.jobs.claim(store.workers.register("jobs")).state == "running"
    assert not store.jobs.are_waiting()
    assert store.jobs.claim(store.workers.register("jobs")) is None


def test_the_latest_job_is_found_by_its_kind_and_some_of_its_arguments(store):
    assert store.jobs.latest("count", {"last": 3}) is None
    execute(store, "count", last=3, of="sheep")
    latest = execute(store, "count", last=3, of="stars")
    store.jobs.submit("count", {"last": 4, "of": "sheep"})
    store.jobs.submit("other", {"last": 3})
    assert store.jobs.latest("count", {"last": 3}) == latest
    assert store.jobs.latest("count", {"last": 3, "of": "sheep"}).args["of"] == "sheep"
    assert store.jobs.latest("count", {"last": 5}) is None


def test_a_job_that_is_done_has_its_result(store):
    job = execute(store, "count", last=3)
    assert (job.state, job.result, job.progress, job.is_live) == (
        "done",
        {"counted": 3},
        1.0,
        False,
    )
    assert job.created <= job.started <= job.ended


def test_a_full_disk_is_a_sentence(store, monkeypatch):
    def full(args, folders):
        yield Progress(0.5)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(KINDS, "full", full)
    job = execute(store, "full")
    assert (job.state, job.reason) == (
        "failed",
        "The disk is full. Free some space, then start the job again.",
    )


def test_a_job_shows_how_far_it_is(store):
    seen = []

    def record_progress():
        seen.extend((job.progress, job.text) for job in store.jobs.all(["running"]))
        return False

    execute(store, "count", record_progress, last=3)
    assert seen == [(0.0, ""), (0.0, "at 0"), (1 / 3, "at 1")]  # each before the next is written


def test_the_time_that_is_left_follows_from_what_is_done():
    assert job_kinds._eta(Progress(0.25), 5.0) == pytest.approx(
        15.0
    )  # 5 s for a quarter: 15 s to go
    assert job_kinds._eta(Progress(0.0), 5.0) is None


def test_an_equal_job_is_not_queued_twice(store):
    first = store.jobs.submit("count", {"last": 3})
    assert store.jobs.submit("count", {"last": 3}) == first
    assert store.jobs.submit("count", {"last": 4}) != first


def test_a_job_that_ended_can_be_queued_again(store):
    first = execute(store, "count", last=3)
    assert store.jobs.submit("count", {"last": 3}) != first.id


def test_what_was_found_about_a_run_goes_with_it(store):
    gone, stays = store.submit(a_request()), store.submit(a_request())
    for run_id in (gone, stays):
        store.submit_command(run_id, Command("stop"))
        execute(store, "count", last=1, run=run_id)
    waiting = store.jobs.submit("count", {"last": 2, "run": gone})
    store.delete(gone)
    assert store.jobs.latest("count", {"run": gone}).id == waiting
    assert store.jobs.latest("count", {"run": stays}).state == "done"


def test_a_waiting_job_is_stopped_at_once_and_a_second_stop_is_harmless(store):
    job_id = store.jobs.submit("count", {"last": 3})
    store.jobs.stop(job_id)
    store.jobs.stop(job_id)
    assert store.jobs.find(job_id).state == "stopped"
    assert not store.jobs.are_waiting()


def test_a_running_job_is_stopped_between_two_pieces_of_progress(store):
    def press_stop():
        store.jobs.stop(store.jobs.all()[0].id)
        return False

    job = execute(store, "count", press_stop, last=10**9)
    assert (job.state, job.reason, job.eta_seconds) == ("stopped", "", None)


def test_a_job_ends_when_the_app_is_shut_down(store):
    job = execute(store, "count", lambda: True, last=10**9)
    assert job.state == "stopped"
    assert "shut down" in job.reason


def test_a_stopped_job_can_clean_up(store, monkeypatch):
    cleaned = []

    def tidy(args, folders):
        try:
            while True:
                yield Progress(0.5)
        finally:
            cleaned.append(True)

    monkeypatch.setitem(KINDS, "tidy", tidy)
    execute(store, "tidy", lambda: True)
    assert cleaned == [True]


def test_a_job_that_fails_for_a_reason_says_it(store, monkeypatch):
    def fail(args, folders):
        raise DataError("The archive is damaged. Delete it.")
        yield

    monkeypatch.setitem(KINDS, "fail", fail)
    job = execute(store, "fail")
    assert (job.state, job.reason) == ("failed", "The archive is damaged. Delete it.")


def test_an_error_of_the_lab_is_named_and_its_trace_goes_to_the_log(store, monkeypatch, capsys):
    def fail(args, folders):
        yield Progress(0.5)
        raise ZeroDivisionError("oh")

    monkeypatch.setitem(KINDS, "fail", fail)
    job = execute(store, "fail")
    assert job.state == "failed"
    assert "ZeroDivisionError: oh" in job.reason
    assert "Traceback" in capsys.readouterr().err


def test_an_unknown_kind_of_job_fails_and_lists_the_known_ones(store):
    job = execute(store, "sing")
    assert job.state == "failed"
    assert "'sing' is not a kind of job. Choose one of: prepare" in job.reason


def test_a_job_fails_when_its_worker_dies(store):
    command = (
        "from cnnlib.runs import RunStore; s = RunStore(); s.jobs.claim(s.workers.register('jobs'))"
    )
    job_id = store.jobs.submit("count", {"last": 3})
    env = worker_environment(store.folders)
    subprocess.run([sys.executable, "-c", command], check=True, env=env)
    store.workers.reap()
    job = store.jobs.find(job_id)
    assert job.state == "failed"
    assert "ended unexpectedly" in job.reason and "Start the job again" in job.reason


def test_an_unknown_job_is_a_sentence(store):
    with pytest.raises(StoreError, match="no job 'nobody'"):
        store.jobs.find("nobody")


def test_a_pool_starts_a_worker_for_a_job_beside_those_for_runs(store):
    pool = LocalPlace(store.folders, count=0)
    try:
        pool.start()
        assert pool.pids == []
        job_id = store.jobs.submit("prepare", {"name": "digits"})
        wait_for(lambda: not store.jobs.find(job_id).is_live, seconds=60)
        assert len(pool.pids) == 1
    finally:
        pool.shutdown()
    job = store.jobs.find(job_id)
    assert (job.state, job.result) == ("done", {"name": "digits"}), job.reason


def test_a_queued_job_says_what_it_waits_for(store):
    first = store.jobs.submit("count", {"last": 1})
    assert store.jobs.wait_reason(store.jobs.find(first)) == "Waiting for a worker process to start"
    second = store.jobs.submit("count", {"last": 2})
    assert store.jobs.wait_reason(store.jobs.find(second)) == "Waiting for 1 other computation"
    worker_id = store.workers.register("jobs")
    assert store.jobs.claim(worker_id)
    store.jobs.report_progress(first, worker_id, Progress(0.5, "half"), 30.0)
    assert store.jobs.wait_reason(store.jobs.find(second)) == (
        "Waiting for 1 other computation; the one in progress has about 30 s left"
    )
