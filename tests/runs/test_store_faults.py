"""Tests of a store that cannot be used: the error is a sentence, and no data is lost."""

import sqlite3
from contextlib import closing

import pytest
from example_runs import a_request, a_running_run, a_step, a_store, steps

from cnnlib.errors import StoreError
from cnnlib.records.events import Command
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore, database


@pytest.fixture
def store(tmp_path, monkeypatch) -> RunStore:
    """A store that hardly waits for a lock."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    return a_store(tmp_path)


@pytest.fixture
def other_program(store):
    """Another program's connection to the same file."""
    with closing(sqlite3.connect(store.folders.runs / "cnnlab.db")) as connection:
        connection.isolation_level = None
        yield connection


def test_a_locked_store_can_be_read_and_is_written_later(store, other_program):
    run_id, worker_id = a_running_run(store)
    other_program.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="was locked by another program.*Try again"):
        store.record_events(run_id, worker_id, [a_step(1)])
    assert store.run(run_id).state == "running"
    other_program.execute("ROLLBACK")
    store.record_events(run_id, worker_id, [a_step(1)])
    assert store.run(run_id).step == 1


def test_a_full_disk_is_a_sentence_and_what_was_recorded_stays(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, steps(1, 10))
    with store.database.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="the disk is full. All recorded data is kept"):
        store.record_events(run_id, worker_id, steps(11, 5000))
    assert store.run(run_id).step == 10
    assert store.steps_after(run_id)["step"] == list(range(1, 11))


def test_a_store_that_may_not_be_written_is_a_sentence(store):
    with store.database.read() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="cannot be written.*Allow writing to its folder"):
        store.submit(a_request())


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be created.*CNNLAB_RUNS"):
        RunStore(Folders(data=tmp_path, runs=tmp_path / "file" / "runs"))


def test_a_file_that_is_no_database_is_a_sentence(tmp_path):
    (tmp_path / "cnnlab.db").write_bytes(b"holiday pictures" * 500)
    with pytest.raises(StoreError, match="is not a run store.*Move the file away"):
        RunStore(Folders(data=tmp_path, runs=tmp_path))


def test_a_damaged_database_is_a_sentence(tmp_path):
    store = a_store(tmp_path)
    for _ in range(50):
        store.submit(a_request())
    store.close()
    file = tmp_path / "runs" / "cnnlab.db"
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(StoreError, match="is damaged.*from a backup"):
        RunStore(store.folders).runs()


def test_a_store_of_a_newer_version_is_not_touched(tmp_path):
    store = a_store(tmp_path)
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    with pytest.raises(StoreError, match="has version 99.*Update the program"):
        RunStore(store.folders)


def test_a_database_apart_always_meets_the_same_folder(tmp_path):
    address = f"sqlite:///{tmp_path / 'apart.db'}"
    for _ in range(2):
        RunStore(Folders(data=tmp_path, runs=tmp_path / "one", database=address)).close()
    with pytest.raises(StoreError, match="two is not the folder with the files.*CNNLAB_RUNS"):
        RunStore(Folders(data=tmp_path, runs=tmp_path / "two", database=address))


@pytest.mark.parametrize("address", ["nonsense", "nonsense://host/name"])
def test_an_address_of_no_database_is_a_sentence(tmp_path, address):
    with pytest.raises(StoreError, match="CNNLAB_DATABASE"):
        RunStore(Folders(data=tmp_path, runs=tmp_path, database=address))


def test_a_file_that_cannot_be_removed_keeps_the_run(store, monkeypatch):
    run_id = store.submit(a_request())
    store.submit_command(run_id, Command("stop"))
    store.folders.run(run_id).mkdir(parents=True)

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(StoreError, match="cannot be used: Permission denied"):
        store.delete(run_id)
    assert store.run(run_id).state == "stopped"
