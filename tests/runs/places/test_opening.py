"""The place that the environment names, and what needs no cluster of a placed worker."""

import pickle
import sys
from contextlib import closing
from dataclasses import replace

import pytest
from example_runs import a_running_run, a_store

from cnnlib.errors import StoreError
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore
from cnnlib.runs.capacity import Capacity
from cnnlib.runs.places.local_place import LocalPlace
from cnnlib.runs.places.opening import open_place
from cnnlib.runs.places.place import Node, Report
from cnnlib.runs.places.placed_worker import Expected, Refused
from cnnlib.runs.places.ray_place import RayPlace, report_file, write_report
from cnnlib.runs.places.reconciler import open_cluster


@pytest.fixture
def store(tmp_path, store_address) -> RunStore:
    with closing(a_store(tmp_path, store_address)) as store:
        yield store


@pytest.mark.parametrize(
    ("kind", "place"), [("", LocalPlace), ("local", LocalPlace), ("ray", RayPlace)]
)
def test_the_variable_names_the_place(kind, place, monkeypatch):
    monkeypatch.setenv("CNNLAB_PLACE", kind)
    opened = open_place(Folders.from_environment())
    try:
        assert type(opened) is place
    finally:
        opened.shutdown()


def test_an_unknown_place_is_an_error(monkeypatch):
    monkeypatch.setenv("CNNLAB_PLACE", "slurm")
    with pytest.raises(StoreError, match="'slurm' is no place.*Set it to local"):
        open_place(Folders.from_environment())


def test_this_machine_reports_itself():
    place = LocalPlace(Folders.from_environment(), count=3)
    try:
        report = place.report()
    finally:
        place.shutdown()
    assert (report.room, report.workers, report.trouble) == (3, 0, "")


def test_a_report_is_read_as_it_was_written():
    folders = Folders.from_environment()
    place = RayPlace(folders)
    try:
        assert "being made" in place.report().trouble
        node = Node("id", "host", "10.0.0.1", True, 8.0, 1.0, 64_000, 4)
        dead, refused = replace(node, is_alive=False), replace(node, refused="No.")
        report = Report((node, dead, refused), 2, "A sentence.")
        write_report(report_file(folders), report)
        assert place.report() == report
        assert place.report().room == 4
    finally:
        place.shutdown()


def test_without_ray_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "cnnlib.runs.places.ray_cluster", raising=False)
    with closing(RunStore()) as store, pytest.raises(StoreError, match="pip install"):
        open_cluster(store)


# -- lost runs -------------------------------------------------------------------------------------


def lose(store: RunStore, run_id: str) -> None:
    """Let the worker of a run vanish."""
    with store.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM workers")
    assert store.workers.reap() == [run_id]


def test_a_lost_run_goes_on_at_its_place_at_most_five_times(store):
    run_id, _ = a_running_run(store)
    behind = store.submit(store.run(run_id).request)
    for attempt in range(2, 6):
        lose(store, run_id)
        store.resume_lost(5)
        store.resume_lost(5)  # another process does so, too
        assert (store.run(run_id).state, store.run(run_id).attempt) == ("queued", attempt)
        assert store.position(run_id) == 1 and store.position(behind) == 2
        assert store.claim(store.workers.register(), run_id)
    lose(store, run_id)
    store.resume_lost(5)
    assert (store.run(run_id).state, store.run(run_id).attempt) == ("lost", 5)


def test_a_run_that_was_stopped_is_not_begun_again(store):
    run_id, worker_id = a_running_run(store)
    store.workers.unregister(worker_id)
    store.resume_lost(5)
    assert store.run(run_id).state == "interrupted"


# -- workers of a cluster --------------------------------------------------------------------------


def test_a_run_has_the_threads_of_its_worker_whatever_else_is_at_work(store):
    a_running_run(store)
    run_id = store.submit(store.runs()[0].request)
    worker_id = store.workers.register()
    run = store.claim(worker_id, run_id, Capacity(1, threads=3))
    assert run is not None and run.threads == 3


def test_machines_of_one_store_expect_the_same(store, tmp_path):
    assert Expected.of(store) == Expected.of(store)
    with closing(RunStore(Folders(tmp_path / "data", tmp_path / "other"))) as other:
        assert Expected.of(other).store != Expected.of(store).store


def test_a_difference_is_a_sentence_that_survives_the_way_back(monkeypatch, store):
    from cnnlib.runs.places.placed_worker import differences

    here = Expected.of(store)
    there = replace(here, torch="2.11.0", program="another")
    assert differences(here, there) == [
        "torch 2.11.0, not " + here.torch,
        "another version of cnnlib",
    ]
    assert differences(here, here) == []
    error = pickle.loads(pickle.dumps(Refused("A sentence.", "node")))
    assert (str(error), error.node) == ("A sentence.", "node")
