"""Menus of runs: those that belong together stand together."""

from contextlib import closing
from dataclasses import replace

import pytest
from compare_runs import finish
from example_runs import a_request

from cnnlib.design.spec import CNNSpec
from cnnlib.experiments.duel import Duel
from cnnlib.records.run import Origin
from cnnlib.runs import RunStore, studies
from cnnlib.runs.studies import StudyStep
from cnnlib.ui.common.pickers import run_menu as module
from cnnlib.ui.common.pickers.run_menu import best_first, run_titles


@pytest.fixture
def store(own_folders, monkeypatch):
    """The run store of the menus."""
    with closing(RunStore()) as store:
        monkeypatch.setattr(module, "run_store", lambda: store)
        yield store


def titles(store) -> list[str]:
    return list(run_titles(store.runs(), lambda run: run.request.name).values())


def test_the_runs_of_a_duel_stand_together_with_its_name(store):
    duel = Duel(a_request(), replace(a_request(), spec=CNNSpec()), "small", "large")
    duel_id = studies.submit(store, "duel", duel.to_dict(), lambda _: StudyStep(state="done"))
    for name, group in (("first", duel_id), ("alone", ""), ("second", duel_id), ("new", "mine")):
        store.submit(a_request(name=name, group=group))
    assert titles(store) == [
        "new",
        "second · duel small against large",
        "first · duel small against large",
        "alone",
    ]


def test_a_fork_follows_the_run_that_it_began_from(store):
    begun = store.submit(a_request(name="begun"))
    store.submit(a_request(name="other"))
    fork = store.submit(a_request(name="fork", origin=Origin(begun, 3)))
    store.submit(a_request(name="fork of the fork", origin=Origin(fork, 5)))
    store.submit(a_request(name="of a deleted run", origin=Origin("000000000000", 5)))
    assert titles(store) == ["of a deleted run", "begun", "fork of the fork", "fork", "other"]


def test_equal_titles_can_be_told_apart(store):
    ids = [store.submit(a_request(name="same")) for _ in range(2)]
    assert titles(store) == [f"same ({run_id})" for run_id in reversed(ids)]


def test_a_finished_run_on_the_newest_dataset_is_chosen_first(store):
    for name, test, fields in (
        ("good", 0.95, {}),
        ("better", 0.97, {"seed": 1}),
        ("other pictures", 0.99, {"dataset": "mnist"}),
        ("taught", 1.0, {"origin": Origin("000000000000", 3, weights_only=True)}),
        ("cut off", 0.98, {"seed": 2}),
    ):
        state = "stopped" if name == "cut off" else "finished"
        finish(store, store.submit(a_request(name=name, **fields)), test=test, state=state)
    store.submit(a_request(name="waits", seed=3))
    assert best_first(store.runs())[0].request.name == "better"
    assert best_first(store.runs(), dataset="mnist")[0].request.name == "other pictures"
