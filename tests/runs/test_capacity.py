"""Tests of what the runs of one machine share: how many are at work, and their threads."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

import pytest
from example_runs import a_request, a_store, started, the_end

from cnnlib.errors import StoreError
from cnnlib.runs import RunStore
from cnnlib.runs.capacity import Capacity, default_runs, machine_capacity, visible_gpus
from cnnlib.runs.polling import metrics_since


@pytest.fixture
def store(tmp_path, store_address) -> Generator[RunStore]:
    with closing(a_store(tmp_path, store_address)) as store:
        yield store


@pytest.fixture
def eight_cores(monkeypatch) -> Capacity:
    """The capacity of a machine with eight cores for eight runs."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("cnnlib.runs.capacity.cores", lambda: 8)
    return machine_capacity(8)


def claimed_threads(store: RunStore, capacity: Capacity) -> int:
    """Claim the next run for a new worker; its threads, 0 where there was no room."""
    run = store.claim(store.workers.register(), capacity=capacity)
    return run.threads if run else 0


def test_no_more_runs_are_at_work_than_the_machine_should_have(store):
    store.submit(a_request())
    store.submit(a_request())
    one, other = store.workers.register(), store.workers.register()
    alone = Capacity(runs=1)
    assert store.next_with_room(one, alone)
    run = store.claim(one, capacity=alone)
    assert store.next_with_room(other, alone) is None
    assert store.claim(other, capacity=alone) is None
    store.record_events(run.id, one, [started(), the_end()])
    assert store.claim(other, capacity=alone) is not None


def test_a_run_that_is_alone_has_all_cores_and_the_next_one_waits_for_them(store, eight_cores):
    store.submit(a_request())
    assert claimed_threads(store, eight_cores) == 8
    store.submit(a_request())
    assert claimed_threads(store, eight_cores) == 0


def test_runs_that_wait_together_share_the_cores(store, eight_cores):
    for _ in range(3):
        store.submit(a_request())
    assert [claimed_threads(store, eight_cores) for _ in range(3)] == [2, 3, 3]


def test_a_core_stays_with_the_pages_while_any_is_open(store, eight_cores):
    pages = store.workers.register("pages")
    store.submit(a_request())
    assert claimed_threads(store, eight_cores) == 7
    store.submit(a_request())
    assert claimed_threads(store, eight_cores) == 1  # at a lower priority than the pages
    store.workers.unregister(pages)


def test_a_run_whose_mode_is_given_waits_for_the_threads_of_its_mode(store, eight_cores):
    narrow = store.submit(replace(a_request(), mode="t3-nchw-fp32"))
    wide = store.submit(replace(a_request(), mode="t6-nchw-fp32"))
    worker_id = store.workers.register()
    assert store.claim(worker_id, narrow, eight_cores).threads == 3
    assert store.claim(store.workers.register(), wide, eight_cores) is None
    store.record_events(narrow, worker_id, [started(), the_end()])
    assert store.claim(store.workers.register(), wide, eight_cores).threads == 6


def test_a_run_holds_the_threads_that_it_has_chosen(store, eight_cores):
    run_id = store.submit(a_request())
    worker_id = store.workers.register()
    assert store.claim(worker_id, capacity=eight_cores).threads == 8
    store.record_events(run_id, worker_id, [started()])  # it has chosen one
    store.submit(a_request())
    assert claimed_threads(store, eight_cores) == 7


def test_on_gpus_only_the_number_of_runs_counts(store, eight_cores, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    gpus = machine_capacity(2)
    for _ in range(3):
        store.submit(a_request())
    assert [claimed_threads(store, gpus) > 0 for _ in range(3)] == [True, True, False]


def test_a_run_that_waits_for_memory_says_so(store):
    run_id = store.submit(a_request())
    store.explain_wait(run_id, "waits for memory: it needs 3 GB")
    assert metrics_since(store, run_id)["waits_for"] == "waits for memory: it needs 3 GB"
    assert store.claim(store.workers.register()).phase == "preparing"


def test_as_many_runs_train_at_once_as_there_are_cores_or_gpus(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("cnnlib.runs.capacity.cores", lambda: 8)
    monkeypatch.delenv("CNNLAB_WORKERS", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert default_runs() == 8
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert default_runs() == 3
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert default_runs() == 2
    monkeypatch.setenv("CNNLAB_WORKERS", "5")
    assert default_runs() == 5
    monkeypatch.setenv("CNNLAB_WORKERS", "many")
    with pytest.raises(StoreError, match="CNNLAB_WORKERS='many' is not a number of workers"):
        default_runs()


def test_gpus_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 5")
    assert visible_gpus() == ["2", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []
