"""The move of a run store: whole or not at all, to each kind of place and back."""

import os
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from example_runs import a_request, a_running_run, an_epoch, steps, the_end

from cnnlib.cli.main import main
from cnnlib.data.prepare import prepare
from cnnlib.data.prepared import load_prepared
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import FilesUnreachable, StoreError
from cnnlib.records.events import Intervention, WeightsSaved
from cnnlib.records.folders import Folders, run_key
from cnnlib.records.stored.folder_files import FolderFiles
from cnnlib.runs import RunStore, tables
from cnnlib.runs.files import move as move_module
from cnnlib.runs.files.move import move_store
from cnnlib.runs.saved_designs import SavedDesigns

KEY = "snapshot-00000004.safetensors"


@pytest.fixture
def source(tmp_path) -> Folders:
    """A store with an ended run, a waiting run, a design, an upload and a prepared dataset."""
    folders = Folders(tmp_path / "data", tmp_path / "runs")
    for _ in prepare("digits", folders):
        pass
    for name in (f"datasets/pets/cats/{number}.png" for number in range(3)):
        (folders.runs / name).parent.mkdir(parents=True, exist_ok=True)
        (folders.runs / name).write_bytes(name.encode())
    with closing(RunStore(folders)) as store:
        SavedDesigns(store).save("mine", CNNSpec())
        run_id, worker_id = a_running_run(store)
        path = store.folders.run(run_id) / KEY
        path.parent.mkdir(parents=True)
        path.write_bytes(os.urandom(10_000))
        (path.parent / "test.npz").write_bytes(b"predictions")
        saved = WeightsSaved(4, KEY, "snapshot", 10_000)
        change = Intervention(3, "set", "lr", 0.1)
        diverged = replace(steps(5, 5)[0], loss=float("nan"))
        events = [*steps(1, 4), diverged, saved, change, an_epoch(1, 4), the_end(step=5)]
        store.record_events(run_id, worker_id, events)
        store.submit(a_request())
        store.workers.unregister(worker_id)
    return folders


@pytest.fixture
def target(source, tmp_path, postgres_server, files_address) -> Folders:
    """An empty PostgreSQL database with an empty object store."""
    runs = tmp_path / "cache"
    return Folders(source.data, runs, postgres_server.create_schema(), files_address)


def rows(folders: Folders) -> dict[str, list[tuple]]:
    """All rows of a store that move."""
    with closing(RunStore(folders)) as store, store.database.read() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(sa.select(table))))
            for table in tables.metadata.sorted_tables
            if table.name not in ("workers", "meta")
        }


def contents(folders: Folders) -> dict[str, bytes]:
    """All files of a store that move, by key."""
    with closing(RunStore(folders)) as store:
        keys = [e.key for prefix in ("files/", "datasets/") for e in store.files.names(prefix)]
        return {key: store.files.fetch(key).read_bytes() for key in keys}


def on_disk(folder: Path) -> dict[str, Any]:
    """All files in a folder but the database's own."""
    found = (path for path in folder.rglob("*") if path.is_file() and "cnnlab.db" not in path.name)
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def test_a_store_moves_to_postgresql_and_an_object_store_and_back(source, target, tmp_path):
    before, files = rows(source), contents(source)
    disk = on_disk(source.runs)

    moved = move_store(source, target)

    assert (rows(source), on_disk(source.runs)) == (before, disk)
    assert (rows(target), contents(target)) == (before, files)
    assert (moved.runs, moved.rows) == (2, sum(map(len, before.values())))
    assert moved.files == len(files) + 5  # the prepared copy: four arrays and its record
    elsewhere = replace(target, data=tmp_path / "other-data", runs=tmp_path / "other-cache")
    load_prepared("digits", elsewhere).verify()
    with closing(RunStore(target)) as store:
        assert [design.name for design in SavedDesigns(store).designs()] == ["mine"]

    back = Folders(tmp_path / "back-data", tmp_path / "back")
    move_store(target, back)
    assert (rows(back), contents(back)) == (before, files)
    load_prepared("digits", back).verify()


def test_the_new_store_counts_on(source, target):
    move_store(source, target)
    with closing(RunStore(target)) as store:
        known = {run.id for run in store.runs()}
        new = store.submit(a_request())
        assert new not in known and len(store.runs()) == 3
        assert store.runs()[0].id == new
        ended = next(run for run in store.runs() if run.state == "finished")
        assert store.weights_file(ended.id, store.saved_weights(ended.id)[0]).exists()


def test_a_store_moves_from_sqlite_to_postgresql_in_its_folder(source, postgres_server):
    before, disk = rows(source), on_disk(source.runs)
    target = replace(source, database=postgres_server.create_schema())
    assert move_store(source, target).files == 0
    assert rows(target) == rows(source) == before
    assert disk.items() <= on_disk(source.runs).items()


class Broken(BaseException):
    """An interruption in the middle."""


def interrupted_puts(monkeypatch, after: int) -> None:
    """Break off the move before a number of puts."""
    from cnnlib.records.stored.object_files import ObjectFiles

    left = iter(range(after))
    put = ObjectFiles.put

    def break_off(*args) -> None:
        if next(left, None) is None:
            raise Broken
        put(*args)

    monkeypatch.setattr(ObjectFiles, "put", break_off)


@pytest.mark.parametrize("after", [0, 3, 9])
def test_an_interrupted_copy_of_files_leaves_an_empty_place(source, target, monkeypatch, after):
    before, disk = rows(source), on_disk(source.runs)
    with monkeypatch.context() as patch:
        interrupted_puts(patch, after)
        with pytest.raises(Broken):
            move_store(source, target)
    assert (rows(source), on_disk(source.runs)) == (before, disk)
    assert move_store(source, target).runs == 2  # the place is empty again
    assert rows(target) == before


def test_an_interrupted_copy_of_rows_leaves_no_row(source, target, monkeypatch):
    before = rows(source)

    def break_off(connection) -> None:
        raise Broken

    with monkeypatch.context() as patch:
        patch.setattr(move_module, "_set_counters", break_off)  # the last act of the transaction
        with pytest.raises(Broken):
            move_store(source, target)
    assert rows(source) == before
    assert not any(rows(target).values())


def test_a_killed_move_leaves_a_place_that_is_refused(source, target, monkeypatch):
    """A killed process cleans nothing up, which a failing removal stands for."""

    def refuse(*args) -> None:
        raise FilesUnreachable("The bucket is away.")

    with monkeypatch.context() as patch:
        interrupted_puts(patch, 5)
        patch.setattr("cnnlib.records.stored.object_files.ObjectFiles.remove", refuse)
        with suppress(Broken):
            move_store(source, target)
    with pytest.raises(StoreError, match="a move to it was interrupted"):
        RunStore(target)
    with pytest.raises(StoreError, match="is not empty: it holds datasets/pets/cats/0.png"):
        move_store(source, target)


def test_a_copy_that_differs_is_refused(source, target, monkeypatch):
    from cnnlib.records.stored.object_files import ObjectFiles

    put = ObjectFiles.put

    def put_other(self, key, path) -> None:
        other = path.with_name("other")
        other.write_bytes(path.read_bytes()[:-1])
        put(self, key, other)

    monkeypatch.setattr(ObjectFiles, "put", put_other)
    with pytest.raises(StoreError, match="differs from the original"):
        move_store(source, target)


def test_a_store_in_use_does_not_move(source, target):
    with closing(RunStore(source)) as store, store.workers.registered("runs"):
        with pytest.raises(StoreError, match="is used by process"):
            move_store(source, target)


def test_a_place_that_is_not_empty_is_refused(source, target, tmp_path):
    other = Folders(source.data, tmp_path / "other")
    with closing(RunStore(other)) as store:
        store.submit(a_request())
    with pytest.raises(StoreError, match="database of the new run store is not empty"):
        move_store(source, other)
    with pytest.raises(StoreError, match="same database as the old one"):
        move_store(source, replace(source, files=target.files))
    FolderFiles(other.runs).put(run_key("r1", KEY), source.runs / "cnnlab.db")
    with pytest.raises(StoreError, match="is not empty: it holds files/r1/"):
        move_store(source, other)


def test_the_command_reads_the_new_place_from_a_file(source, target, tmp_path, capsys):
    place = tmp_path / "place.env"
    place.write_text(
        f"# the new place\nexport CNNLAB_RUNS='{target.runs}'\n"
        f'CNNLAB_DATABASE="{target.database}"\nCNNLAB_FILES={target.files}\n'
    )
    assert main(["store", "move", "--to", str(place)]) == 0
    printed = capsys.readouterr().out
    assert "Copied 2 runs" in printed and "all compared" in printed
    assert rows(target) == rows(source)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "names no place for a run store"),
        ("CNNLAB_DATABASE\n", "Line 1"),
        ("CNNLAB_RUNS=/x y\n", "Line 1"),
        ('CNNLAB_RUNS="hush\n', "Line 1"),
    ],
)
def test_a_wrong_file_is_a_sentence(tmp_path, capsys, text, sentence):
    place = tmp_path / "place.env"
    place.write_text(text)
    assert main(["store", "move", "--to", str(place)]) == 2
    printed = capsys.readouterr().err
    assert sentence in printed and "hush" not in printed
