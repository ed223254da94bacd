"""Runs whose files lie in an object store: other machines go on, and errors stay errors."""

import shutil
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from example_runs import a_running_run, a_step, the_end, wait_for

from cnnlib.design.spec import CNNSpec
from cnnlib.errors import FilesUnreachable
from cnnlib.records.events import EpochEnd, WeightsSaved
from cnnlib.records.folders import Folders, run_key, run_prefix
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import Origin, Run, RunRequest
from cnnlib.runs import RunStore
from cnnlib.runs.event_writer import RunReassigned
from cnnlib.runs.files import sweep as sweep_module
from cnnlib.runs.files.sweep import sweep, sweep_if_due
from cnnlib.runs.saved_steps import saved_weights
from cnnlib.train.checkpoint import read_weights
from cnnlib.train.control import Control
from cnnlib.train.worker.execute_run import execute_run
from cnnlib.train.worker.recorder import Recorder

REQUEST = RunRequest(
    CNNSpec(channels=(4, 6), hidden_dims=(8,), dropout=0.1),
    Recipe(epochs=3, batch_size=256, patience=3, restore_best=True),
    "digits",
    device="cpu",
    mode="t1-nchw-fp32",
)
Node = Callable[[str], RunStore]


@pytest.fixture
def node(tmp_path, postgres_server, files_address) -> Generator[Node]:
    """Opens the store as a machine of a name sees it; each has a folder of its own."""
    database, opened = postgres_server.create_schema(), []

    def open_node(name: str) -> RunStore:
        folder = tmp_path / name
        folders = Folders(folder / "data", folder / "runs", database, files_address)
        opened.append(RunStore(folders))
        return opened[-1]

    yield open_node
    for store in opened:
        store.close()


class Killed(BaseException):
    """The end of a worker in the middle of a run."""


def train(store: RunStore, run_id: str, *, killed_after_epoch: int = 0) -> Run:
    """Train a run that waits, as a worker of this machine."""

    def listen(event) -> None:
        if isinstance(event, EpochEnd) and event.epoch == killed_after_epoch:
            raise Killed

    worker_id = store.workers.register()
    run = store.claim(worker_id, run_id)
    assert run is not None
    with suppress(Killed):
        execute_run(run, store, worker_id, Control(), listen)
    store.workers.unregister(worker_id)
    return store.run(run_id)


def saved_names(store: RunStore, run_id: str) -> set[str]:
    return {each.file for each in store.saved_weights(run_id)}


def stored_names(store: RunStore, run_id: str) -> set[str]:
    prefix = run_prefix(run_id)
    return {each.key.removeprefix(prefix) for each in store.files.names(prefix)}


def last_weights(store: RunStore, run_id: str) -> dict[str, list]:
    path = store.weights_file(run_id, saved_weights(store, run_id))
    return {name: value.tolist() for name, value in read_weights(path).items()}


def test_a_run_goes_on_elsewhere_after_its_machine_and_disk_are_gone(node, tmp_path):
    first, second = node("first"), node("second")
    whole, broken = first.submit(REQUEST), first.submit(REQUEST)
    assert train(first, whole).state == "finished"
    assert train(first, broken, killed_after_epoch=2).state == "interrupted"
    shutil.rmtree(tmp_path / "first" / "runs")
    second.resume(broken)

    run = train(second, broken)

    assert (run.state, run.attempt) == ("finished", 2)
    for rows in (
        lambda run_id: second.steps_after(run_id)["loss"],
        lambda run_id: [(e.epoch, e.val_loss) for e in second.epochs(run_id)],
        lambda run_id: last_weights(second, run_id),
        lambda run_id: second.result(run_id).loss,
    ):
        assert rows(broken) == rows(whole)
    named = saved_names(second, broken) | {second.result(broken).predictions_file}
    assert named == stored_names(second, broken)
    names = saved_names(second, broken)
    assert "snapshot-00000000.safetensors" in names  # of the first attempt
    assert any(name.endswith(".a2.safetensors") for name in names)
    third = node("third")
    assert last_weights(third, broken) == last_weights(second, broken)


def test_a_fork_starts_from_files_of_another_machine(node):
    first, second = node("first"), node("second")
    parent = first.submit(REQUEST)
    step = train(first, parent).step
    origin = Origin(parent, step, weights_only=True)
    fork = second.submit(replace(REQUEST, origin=origin))
    assert train(second, fork).state == "finished"


def test_a_row_is_written_after_its_upload_and_the_loop_goes_on_meanwhile(node, monkeypatch):
    store = node("first")
    run_id, worker_id = a_running_run(store)
    may_end = threading.Event()
    put = type(store.files).put
    monkeypatch.setattr(type(store.files), "put", lambda *args: may_end.wait(30) and put(*args))
    with Recorder(store, run_id, worker_id, Control()) as recorder:
        recorder.record(saved := write_checkpoint(store, run_id, 1))
        recorder.record(a_step(1))
        wait_for(lambda: store.run(run_id).step == 1)
        assert store.saved_weights(run_id) == []
        may_end.set()
        wait_for(lambda: store.saved_weights(run_id) == [saved])
    assert stored_names(store, run_id) == {saved.file}


def write_checkpoint(store: RunStore, run_id: str, step: int, *dropped: str) -> WeightsSaved:
    """Write a file as the training loop does; it may be deleted at once afterwards."""
    path = store.folders.run(run_id) / f"checkpoint-{step:08}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"1234")
    return WeightsSaved(step, path.name, "checkpoint", 4, dropped)


def test_a_file_that_the_run_deletes_before_its_upload_is_stored_and_then_removed(node):
    store = node("first")
    run_id, worker_id = a_running_run(store)
    with Recorder(store, run_id, worker_id, Control()) as recorder:
        recorder.record(first := write_checkpoint(store, run_id, 1))
        (store.folders.run(run_id) / first.file).unlink()
        recorder.record(write_checkpoint(store, run_id, 2, first.file))
    assert saved_names(store, run_id) == {"checkpoint-00000002.safetensors"}
    assert stored_names(store, run_id) == {"checkpoint-00000002.safetensors"}


def test_an_upload_that_fails_ends_the_run_with_a_sentence(node, monkeypatch):
    store = node("first")
    run_id = store.submit(REQUEST)

    def refuse(files, key, path) -> None:
        raise FilesUnreachable("The bucket is away. Try again.")

    monkeypatch.setattr(type(store.files), "put", refuse)
    monkeypatch.setitem(Recorder.__init__.__kwdefaults__, "final_retry_seconds", 0.0)

    run = train(store, run_id)

    assert (run.state, run.reason) == ("failed", "The bucket is away. Try again.")
    assert store.saved_weights(run_id) == []


def test_an_upload_is_retried_for_a_while(node, monkeypatch):
    store = node("first")
    run_id, worker_id = a_running_run(store)
    failures = iter(range(2))
    put = type(store.files).put

    def fail_twice(*args) -> None:
        if next(failures, None) is not None:
            raise FilesUnreachable("The bucket is away.")
        put(*args)

    monkeypatch.setattr(type(store.files), "put", fail_twice)
    monkeypatch.setattr("cnnlib.train.worker.uploader.RETRY_SECONDS", 0.01)
    with Recorder(store, run_id, worker_id, Control()) as recorder:
        recorder.record(saved := write_checkpoint(store, run_id, 1))
        recorder.record(replace(the_end(), test=None))
    assert store.saved_weights(run_id) == [saved]
    assert store.run(run_id).state == "finished"


def test_an_unreachable_store_is_not_an_empty_one(node, monkeypatch):
    first, second = node("first"), node("second")
    run_id = first.submit(REQUEST)
    train(first, run_id, killed_after_epoch=2)
    second.resume(run_id)
    steps, saved = second.steps_after(run_id), second.saved_weights(run_id)

    def unreachable(*args, **options) -> Path:
        raise FilesUnreachable("The bucket is away. Try again.")

    with monkeypatch.context() as patch:
        patch.setattr(type(second.files), "copy_to", unreachable)
        run = train(second, run_id)
    assert (run.state, run.reason) == ("failed", "The bucket is away. Try again.")
    assert (second.steps_after(run_id), second.saved_weights(run_id)) == (steps, saved)

    second.resume(run_id)
    assert train(second, run_id).state == "finished"


def test_an_empty_place_is_not_taken_for_a_store_whose_files_were_deleted(node, files_address):
    first, second = node("first"), node("second")
    run_id = first.submit(REQUEST)
    train(first, run_id, killed_after_epoch=2)
    second.resume(run_id)
    steps = second.steps_after(run_id)
    second.files.remove([each.key for each in second.files.names()])  # as if not mounted

    run = train(second, run_id)

    assert run.state == "failed" and "does not hold the files of this run store" in run.reason
    assert second.steps_after(run_id) == steps


def test_a_worker_that_lost_its_run_removes_no_file_of_it(node):
    first, second = node("first"), node("second")
    run_id, old = a_running_run(first)
    with Recorder(first, run_id, old, Control()) as recorder:
        recorder.record(saved := write_checkpoint(first, run_id, 1))
    assert stored_names(first, run_id) == {saved.file}
    first.workers.unregister(old)
    first.resume(run_id)
    assert second.claim(second.workers.register(), run_id).attempt == 2

    with (
        pytest.raises(RunReassigned),
        Recorder(first, run_id, old, Control()) as recorder,
    ):
        recorder.record(write_checkpoint(first, run_id, 2, saved.file))

    assert saved.file in stored_names(second, run_id)
    assert second.saved_weights(run_id) == [saved]


def test_files_of_dead_attempts_are_removed_after_a_day(node, monkeypatch):
    store = node("first")
    run_id, worker_id = a_running_run(store)
    with Recorder(store, run_id, worker_id, Control()) as recorder:
        recorder.record(saved := write_checkpoint(store, run_id, 1))
    left = store.folders.runs / "left"
    left.write_bytes(b"left")
    of_unknown = run_key("unknownrun00", saved.file)
    of_a_job = run_key(run_id, "familiarity-20.npz")
    of_a_dead_attempt = run_key(run_id, "snapshot-00000007.safetensors")
    for key in (of_unknown, of_a_job, of_a_dead_attempt):
        store.files.put(key, left)
    now = max(each.modified for each in store.files.names()) + 1

    assert sweep(store, now) == []
    assert sweep(store, now + sweep_module.LEFT_SECONDS) == [of_a_dead_attempt]

    keys = {each.key for each in store.files.names("files/")}
    assert keys == {run_key(run_id, saved.file), of_unknown, of_a_job}
    monkeypatch.setattr(sweep_module, "LEFT_SECONDS", -10.0)
    store.files.put(of_a_dead_attempt, left)
    assert sweep_if_due(store) == [of_a_dead_attempt]
    store.files.put(of_a_dead_attempt, left)
    assert sweep_if_due(store) == []  # once an hour


def test_a_deleted_run_leaves_no_file(node):
    store = node("first")
    run_id, worker_id = a_running_run(store)
    with Recorder(store, run_id, worker_id, Control()) as recorder:
        recorder.record(write_checkpoint(store, run_id, 1))
        recorder.record(replace(the_end(), test=None))
    store.delete(run_id)
    assert stored_names(store, run_id) == set()
    assert not store.folders.run(run_id).exists()


def test_another_database_may_not_use_the_same_place(node, tmp_path, postgres_server):
    node("first")
    with pytest.raises(Exception, match="does not hold the files of this run store"):
        RunStore(replace(node("second").folders, database=postgres_server.create_schema()))
