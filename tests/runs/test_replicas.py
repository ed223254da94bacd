"""Tests of page servers that share a database and an object store, each with a disk of its own."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from example_runs import a_running_run

from cnnlib.data import labelled_drawings
from cnnlib.data.drawings import save_drawing, saved_drawings
from cnnlib.data.prepare import prepare
from cnnlib.data.prepared import load_prepared
from cnnlib.data.stored_datasets import pull_prepared, pull_uploads
from cnnlib.design.spec import CNNSpec
from cnnlib.nets.model import build_model
from cnnlib.records.events import WeightsSaved
from cnnlib.records.folders import Folders, run_key
from cnnlib.runs import RunStore
from cnnlib.runs.saved_designs import SavedDesigns
from cnnlib.train.checkpoint import write_state
from cnnlib.train.submit import submit_fine_tuning

LATEST = "latest.safetensors"


@pytest.fixture
def replicas(tmp_path, monkeypatch, postgres_server, s3_address):
    """The stores of two page servers."""
    monkeypatch.setattr(labelled_drawings, "REHEARSAL_PER_CLASS", 3)  # files of a set, one by one
    address = postgres_server.create_schema()
    folders = [
        Folders(tmp_path / name / "data", tmp_path / name, address, s3_address, address)
        for name in ("first", "second")
    ]
    with closing(RunStore(folders[0])) as first, closing(RunStore(folders[1])) as second:
        yield first, second


def digits(store: RunStore):
    """The digits, which one of the replicas prepares."""
    for _ in prepare("digits", store.folders):
        pass
    return load_prepared("digits", store.folders)


def draw(store: RunStore, data, count: int = 1) -> None:
    for number in range(count):
        picture = np.full((1, 8, 8), number, np.uint8)
        save_drawing(picture, 1, data.info, store.folders, store.owner)


def lose(store: RunStore) -> None:
    """Lose the machine of a replica with its disk."""
    store.close()
    shutil.rmtree(store.folders.runs)


def test_a_saved_design_of_one_page_server_is_on_the_others(replicas):
    first, second = replicas
    SavedDesigns(first).save("mine", CNNSpec(channels=(4, 8)))
    lose(first)
    [design] = SavedDesigns(second).designs()
    assert (design.name, design.spec.channels) == ("mine", (4, 8))


def test_the_drawings_of_a_lost_page_server_are_in_a_set_that_another_makes(replicas):
    first, second = replicas
    draw(first, digits(first), count=8)
    lose(first)
    data = digits(second)
    name = labelled_drawings.make_fine_tune_dataset(data, second.folders)
    held_out = labelled_drawings.labelled_drawings(name, data.info, second.folders, "test")
    assert len(held_out) == 2  # every fourth of eight
    assert len(saved_drawings(data.info, second.folders)) == 8


def test_sets_that_two_page_servers_make_at_once_are_two(replicas, monkeypatch):
    both = threading.Barrier(2, timeout=1)

    def pull_at_once(folders: Folders) -> None:
        pull_uploads(folders)
        with suppress(threading.BrokenBarrierError):  # the other one waits for its turn
            both.wait()

    worker = a_running_run(replicas[0])
    run = replicas[0].run(worker[0])
    for store in replicas:
        draw(store, digits(store))
        pull_uploads(store.folders)
    monkeypatch.setattr(labelled_drawings, "pull_uploads", pull_at_once)

    def submit(store: RunStore) -> str:
        [run_id] = submit_fine_tuning(store, run, 1, load_prepared("digits", store.folders))
        return store.run(run_id).request.dataset

    with ThreadPoolExecutor(2) as threads:
        names = sorted(threads.map(submit, replicas))
    assert names == ["folder:lesson 1 for digits", "folder:lesson 2 for digits"]


def test_a_block_that_one_page_server_runs_keeps_the_same_of_another_waiting(replicas):
    first, second = replicas
    order = list[str]()
    begun = threading.Event()

    def run_second() -> None:
        begun.set()
        with second.database.exclusive("upload cats"):
            order.append("second")

    thread = threading.Thread(target=run_second)
    with first.database.exclusive("upload cats"):
        thread.start()
        begun.wait()
        with second.database.exclusive("upload dogs"):
            order.append("dogs")
        order.append("first")
    thread.join()
    assert order == ["dogs", "first", "second"]


def test_weights_that_are_written_twice_in_a_second_are_both_seen(replicas, tmp_path):
    # An object store tells the second of an object's last change, so its time is not enough.
    first, second = replicas
    run_id, worker_id = a_running_run(first)
    net = build_model(CNNSpec(in_size=(1, 8, 8), channels=(2,)))
    times = set[int]()
    for step in range(1, 9):
        path = tmp_path / "written" / LATEST
        path.parent.mkdir(exist_ok=True)
        next(net.parameters()).data.fill_(step)
        size = write_state(path, net.state_dict(), step)
        first.files.put(run_key(run_id, LATEST), path)
        saved = WeightsSaved(step, LATEST, "latest", size)
        first.record_events(run_id, worker_id, [saved])
        [found] = second.saved_weights(run_id)
        seen: Path = second.weights_file(run_id, found)
        assert seen.read_bytes() == path.read_bytes()
        assert second.weights_file(run_id, found).stat().st_mtime_ns == seen.stat().st_mtime_ns
        times.add(seen.stat().st_mtime_ns)
    assert len(times) == 8


def test_a_prepared_dataset_of_another_machine_is_fetched_by_name(replicas):
    first, second = replicas
    digits(first)
    assert pull_prepared("digits", second.folders)
    load_prepared("digits", second.folders).verify()
