"""Duels as runs in the store: what is asked for, when it ends, who looks after it."""

import json
from dataclasses import replace

import pytest
from compare_runs import a_store, finish
from example_runs import a_request

from cnnlib.cli.main import main
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import RecipeError, StoreError
from cnnlib.experiments.duel import Duel, duel_state, start_duel
from cnnlib.experiments.study import advance_studies
from cnnlib.figures.compare import duel_figure
from cnnlib.records.compare import Look, Verdict
from cnnlib.runs import RunStore, studies


@pytest.fixture
def store(tmp_path, store_address):
    opened = a_store(tmp_path, store_address)
    yield opened
    opened.close()


def a_duel(**fields) -> Duel:
    one = a_request(mode="t1-nchw-fp32")
    other = replace(one, spec=CNNSpec(channels=(8,)))
    return Duel(one, other, "narrow", "wide", **fields)


def finish_pair(store: RunStore, duel_id: str, pair: int, difference: float) -> None:
    """Both runs of a pair end, as their workers would have it."""
    advance_studies(store)
    sides = duel_state(store, duel_id).pairs[pair]
    for run, accuracy in zip(sides, (0.9, 0.9 + difference), strict=True):
        finish(store, run.id, val=accuracy, test=accuracy)
    advance_studies(store)


def test_a_duel_begins_with_three_pairs_of_equal_seeds(store):
    duel_id = start_duel(store, a_duel())
    runs = store.runs(group=duel_id)
    assert sorted((run.request.seed, run.request.spec.channels) for run in runs) == [
        (seed, channels) for seed in (0, 1, 2) for channels in ((4,), (8,))
    ]
    assert duel_state(store, duel_id).sentence == "narrow and wide: no pair has finished yet."


def test_a_clear_duel_ends_at_the_third_pair(store):
    duel_id = start_duel(store, a_duel())
    for pair, difference in enumerate((0.040, 0.042, 0.038)):
        finish_pair(store, duel_id, pair, difference)
    state = duel_state(store, duel_id)
    assert (state.state, state.verdict.outcome, len(state.pairs)) == ("done", "b", 3)
    assert state.sentence.startswith("wide is better by 4.00 points (95 % interval 0.")
    assert not [run for run in store.runs() if run.is_live]


def test_an_open_duel_asks_for_one_pair_more_until_the_maximum(store):
    duel_id = start_duel(store, a_duel(most_pairs=4))
    for pair, difference in enumerate((0.04, -0.04, 0.02)):
        finish_pair(store, duel_id, pair, difference)
    assert len(duel_state(store, duel_id).pairs) == 4
    finish_pair(store, duel_id, 3, 0.0)
    state = duel_state(store, duel_id)
    assert (state.state, state.verdict.outcome) == ("done", "untold")
    assert state.sentence.startswith("narrow and wide: undecided after all 4 paired seeds")


def test_advancing_twice_asks_for_nothing_twice(store):
    start_duel(store, a_duel())
    advance_studies(store)
    advance_studies(store)
    assert len(store.runs()) == 6


def test_runs_that_are_not_needed_any_more_are_stopped(store):
    duel_id = start_duel(store, a_duel(first_pairs=5))
    for pair, difference in enumerate((0.040, 0.042, 0.038)):
        finish_pair(store, duel_id, pair, difference)
    states = [run.state for run in store.runs(group=duel_id)]
    assert sorted(states) == ["finished"] * 6 + ["stopped"] * 4


def test_all_runs_share_the_mode_that_the_first_one_chose(store):
    duel = a_duel()
    auto = replace(duel, a=replace(duel.a, mode="auto"), b=replace(duel.b, mode="auto"))
    duel_id = start_duel(store, auto)
    [first] = store.runs(group=duel_id)
    worker_id = store.workers.register()
    store.claim(worker_id, first.id)
    from example_runs import started

    chosen = {"mode": "t2-nhwc-fp32"}
    store.record_events(first.id, worker_id, [replace(started(), chosen=chosen)])
    advance_studies(store)
    others = [run for run in store.runs(group=duel_id) if run.id != first.id]
    assert len(others) == 5
    assert {run.request.mode for run in others} == {"t2-nhwc-fp32"}


def test_a_run_that_diverged_ends_the_duel_with_a_sentence(store):
    duel_id = start_duel(store, a_duel())
    finish(store, duel_state(store, duel_id).pairs[0][1].id, state="diverged")
    advance_studies(store)
    state = duel_state(store, duel_id)
    assert state.state == "stopped"
    assert "The run of wide with seed 0 diverged" in state.problem


def test_a_duel_of_which_a_run_was_deleted_does_not_wait_for_it(store):
    duel_id = start_duel(store, a_duel())
    first = duel_state(store, duel_id).pairs[0][0].id
    finish(store, first)
    store.delete(first)
    advance_studies(store)
    state = duel_state(store, duel_id)
    assert state.state == "stopped"
    assert state.problem.startswith("A run of the duel was deleted")
    assert not [run for run in store.runs() if run.is_live]


def test_a_duel_can_be_stopped(store):
    duel_id = start_duel(store, a_duel())
    studies.stop(store, duel_id)
    advance_studies(store)
    assert {run.state for run in store.runs()} == {"stopped"}
    assert [plan.state for plan in studies.find_all(store, ["duel"])] == ["stopped"]


def test_the_test_split_may_decide(store):
    duel_id = start_duel(store, a_duel(on="test"))
    for pair in range(3):
        advance_studies(store)
        one, other = duel_state(store, duel_id).pairs[pair]
        finish(store, one.id, val=0.5, test=0.9)
        finish(store, other.id, val=0.5, test=0.95 + pair / 1000)
    advance_studies(store)
    assert duel_state(store, duel_id).verdict.outcome == "b"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": {"dataset": "mnist"}}, "differ in dataset"),
        ({"b": {"seed": 4}}, "differ in seed"),
        ({"b": {"precision": "bf16"}}, "differ in precision"),
        ({"most_pairs": 2}, "maximum number of pairs is 2"),
        ({"first_pairs": 0}, "first_pairs=0 is not from 1 to most_pairs=20"),
        ({"within": 1.5}, "not a difference of accuracies"),
    ],
)
def test_an_unfair_duel_is_refused(change, message):
    duel = a_duel()
    if "b" in change:
        change = {"b": replace(duel.b, **change["b"])}
    with pytest.raises(RecipeError, match=message):
        replace(duel, **change)


def test_an_unknown_duel_is_a_sentence(store):
    with pytest.raises(StoreError, match="no duel or experiment 'nothing'"):
        duel_state(store, "nothing")


def test_a_duel_has_a_figure_from_its_first_moment(store):
    duel_id = start_duel(store, a_duel())
    assert (
        duel_figure(duel_state(store, duel_id).verdict, "A", "B").layout.title.text == "B minus A"
    )
    for pair, difference in enumerate((0.040, 0.042, 0.038)):
        finish_pair(store, duel_id, pair, difference)
    band, line = duel_figure(duel_state(store, duel_id).verdict, "A", "B").data
    assert list(line.x) == [1, 2, 3] and list(band.x) == [3, 3]


def test_the_picture_of_a_duel_holds_its_newest_interval_and_says_each_of_them():
    # In points: the first look from -80.13 to 90 leaves the picture, the newest from -4 to 10 is in
    # it, with a tenth of 10 to spare.
    looks = (Look(2, 0.05), Look(3, 0.04, -0.8013, 0.9), Look(4, 0.03, -0.04, 0.1))
    shown = duel_figure(
        Verdict("open", 4, 10, 0.03, 0.1, -0.04, 0.1, 0.95, 0.0, looks=looks), "A", "B"
    )
    assert list(shown.layout.yaxis.range) == pytest.approx([-11, 11])
    assert list(shown.data[1].customdata) == [
        "",
        ", interval −80.13 to 90.00",
        ", interval −4.00 to 10.00",
    ]


# -- the command line ------------------------------------------------------------------------------


def test_the_command_runs_a_real_duel_to_its_end(capsys):
    arguments = ["duel", "lenet5", "tiny99", "--pairs", "3", "--max-pairs", "3", "--json"]
    assert main([*arguments, "--epochs", "1", "--train-limit", "64", "--max-batches", "2"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    duels = [line for line in lines if line.get("event") == "duel"]
    assert [line["verdict"]["pairs"] for line in duels] == [0, 1, 2, 3]
    assert duels[-1]["state"] == "done"
    runs = RunStore().runs(group=duels[-1]["duel_id"])
    assert len({run.chosen["mode"] for run in runs}) == 1
    assert sorted(run.request.seed for run in runs) == [0, 0, 1, 1, 2, 2]


def test_one_design_is_no_duel(capsys):
    assert main(["duel", "lenet5"]) == 2
    assert "A duel needs two designs" in capsys.readouterr().err
