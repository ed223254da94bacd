"""Tests that a store of an older version opens with all its data."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from example_runs import a_request

from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore, studies

VERSION_1 = Path(__file__).parents[1] / "stores" / "version-1.sql"


@pytest.fixture
def folders() -> Folders:
    """The folders of a store that version 1 wrote: a finished run, a queued one and a grid."""
    folders = Folders.from_environment()
    folders.runs.mkdir(parents=True)
    with closing(sqlite3.connect(folders.runs / "cnnlab.db")) as connection:
        connection.executescript(VERSION_1.read_text())
    return folders


def test_a_store_of_version_1_keeps_its_runs_which_are_the_operators(folders):
    with closing(RunStore(folders)) as store:
        waiting, finished = store.runs()
        assert [waiting.state, finished.state] == ["queued", "finished"]
        assert {waiting.owner, finished.owner} == {""}
        assert store.steps_after(finished.id)["step"] == [1, 2, 3]
        assert store.position(waiting.id) == 1
        assert [plan.owner for plan in studies.find_all(store, ["grid"])] == [""]


def test_a_store_of_version_1_takes_new_runs_of_people(folders):
    with closing(RunStore(folders)) as store:
        run_id = store.on_behalf_of("ada").submit(a_request())
        assert store.run(run_id).owner == "ada"
        assert store.on_behalf_of("ada").jobs.submit("prepare", {"name": "mnist"})


def test_programs_that_open_it_at_once_upgrade_it_once(folders):
    with ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(lambda _: RunStore(folders), range(4)))
    assert [len(store.runs()) for store in stores] == [2, 2, 2, 2]
    for store in stores:
        store.close()
