"""Duels as runs in the store: what is asked for, when it ends, who looks after it."""

import json
from contextlib import closing
from dataclasses import replace

import pytest
from compare_runs import a_store, finish
from example_runs import a_request, started

from cnnlib.cli.main import main
from cnnlib.design.channels_last import breaks_channels_last
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import RecipeError, StoreError
from cnnlib.experiments.duel import Duel, duel_state, prediction_sentence, start_duel
from cnnlib.experiments.grid import experiment_state, start_grid
from cnnlib.experiments.study import advance_studies, resume_study
from cnnlib.figures.compare import duel_figure
from cnnlib.records.compare import Look, Verdict
from cnnlib.records.folders import Folders
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


CLEAR = (0.040, 0.042, 0.038, 0.041, 0.039, 0.040, 0.042)  # the seventh pair of twenty decides


def test_a_duel_begins_with_six_pairs_of_equal_seeds(store):
    duel_id = start_duel(store, a_duel())
    runs = store.runs(group=duel_id)
    assert sorted((run.request.seed, run.request.spec.channels) for run in runs) == [
        (seed, channels) for seed in range(6) for channels in ((4,), (8,))
    ]
    assert duel_state(store, duel_id).sentence == "narrow and wide: no pair has finished yet."


def test_a_clear_duel_ends_at_the_seventh_pair(store):
    duel_id = start_duel(store, a_duel())
    for pair, difference in enumerate(CLEAR):
        finish_pair(store, duel_id, pair, difference)
    state = duel_state(store, duel_id)
    assert (state.state, state.verdict.outcome, len(state.pairs)) == ("done", "b", 7)
    assert state.sentence == (
        "wide is better by 4.03 points (95 % interval 3.80 to 4.20, 7 paired seeds)."
    )
    assert not [run for run in store.runs() if run.is_live]


def test_an_open_duel_asks_for_one_pair_more_until_the_maximum(store):
    duel_id = start_duel(store, a_duel(most_pairs=7))
    for pair, difference in enumerate((0.04, -0.04, 0.02, -0.02, 0.01, 0.0)):
        finish_pair(store, duel_id, pair, difference)
    assert len(duel_state(store, duel_id).pairs) == 7
    finish_pair(store, duel_id, 6, 0.0)
    state = duel_state(store, duel_id)
    assert (state.state, state.verdict.outcome) == ("done", "untold")
    assert state.sentence.startswith("narrow and wide: undecided after all 7 paired seeds")


def test_seeds_that_collapsed_are_named_with_their_share(store):
    duel_id = start_duel(store, a_duel(most_pairs=7))
    for pair, difference in enumerate((0.01, -0.8, 0.01, 0.0, 0.02, 0.01, 0.01)):
        finish_pair(store, duel_id, pair, difference)
    state = duel_state(store, duel_id)
    assert state.verdict.collapsed == (0, 1)
    # Clopper and Pearson: none of 7 is at most 34.8 %, one of 7 at most 52.1 %.
    assert state.sentence.endswith(
        "Collapsed: 0 of 7 seeds of narrow (at most 35 % of all its seeds) and 1 of 7 seeds of "
        "wide (at most 52 % of all its seeds)."
    )


def test_a_duel_of_an_earlier_version_with_too_few_pairs_says_so(store, monkeypatch):
    monkeypatch.setattr("cnnlib.experiments.duel.check_pairs", lambda most_pairs: None)
    duel_id = start_duel(store, a_duel(most_pairs=3, first_pairs=3))
    for pair in range(3):
        finish_pair(store, duel_id, pair, 0.04)
    state = duel_state(store, duel_id)
    assert (state.state, state.verdict.outcome) == ("done", "untold")
    assert "With 3 pairs no verdict is possible: a duel needs at least 6." in state.sentence


@pytest.mark.parametrize("most_pairs", [3, 5, 101])
def test_fewer_pairs_than_a_verdict_needs_are_refused(store, most_pairs):
    duel = a_duel(most_pairs=most_pairs, first_pairs=1)
    with pytest.raises(RecipeError, match=f"maximum number of pairs is {most_pairs}"):
        start_duel(store, duel)


@pytest.mark.parametrize("state", ["lost", "interrupted", "stopped", "failed"])
def test_a_duel_goes_on_with_a_run_that_was_broken_off(store, state):
    duel_id = start_duel(store, a_duel())
    broken = duel_state(store, duel_id).pairs[0][1].id
    finish(store, broken, val=0.99, state=state)
    advance_studies(store)
    found = duel_state(store, duel_id)
    assert found.can_resume and "so its pair has no result" in found.problem
    assert found.verdict.pairs == 0
    resume_study(store, duel_id)
    found = duel_state(store, duel_id)
    assert (found.state, found.can_resume, found.problem) == ("live", False, "")
    assert store.run(broken).state == "queued"


def test_advancing_twice_asks_for_nothing_twice(store):
    start_duel(store, a_duel())
    advance_studies(store)
    advance_studies(store)
    assert len(store.runs()) == 12


def test_runs_that_are_not_needed_any_more_are_stopped(store):
    duel_id = start_duel(store, a_duel(first_pairs=9))
    for pair, difference in enumerate(CLEAR):
        finish_pair(store, duel_id, pair, difference)
    states = [run.state for run in store.runs(group=duel_id)]
    assert sorted(states) == ["finished"] * 14 + ["stopped"] * 4


def an_open_mode(duel: Duel) -> Duel:
    return replace(duel, a=replace(duel.a, mode="auto"), b=replace(duel.b, mode="auto"))


def test_the_mode_of_all_runs_is_settled_before_the_first_of_them(store):
    duel_id = start_duel(store, an_open_mode(a_duel()))
    runs = store.runs(group=duel_id)
    assert (len(runs), {run.request.mode for run in runs}) == (12, {"t1-nhwc-fp32"})


def test_a_design_that_forbids_a_memory_format_forbids_it_to_both(store):
    duel = an_open_mode(a_duel())
    strided = CNNSpec(channels=(4,) * 4, pool_every=2, block="residual", downsample="stride")
    assert breaks_channels_last(plan(strided).walk())
    duel_id = start_duel(store, replace(duel, b=replace(duel.b, spec=strided)))
    assert {run.request.mode for run in store.runs(group=duel_id)} == {"t1-nchw-fp32"}


def test_where_a_gpu_may_train_all_runs_share_the_mode_that_the_first_one_chose(store, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    duel_id = start_duel(store, an_open_mode(a_duel()))
    [first] = store.runs(group=duel_id)
    worker_id = store.workers.register()
    store.claim(worker_id, first.id)
    chosen = {"mode": "t2-nhwc-fp32"}
    store.record_events(first.id, worker_id, [replace(started(), chosen=chosen)])
    advance_studies(store)
    others = [run for run in store.runs(group=duel_id) if run.id != first.id]
    assert len(others) == 11
    assert {run.request.mode for run in others} == {"t2-nhwc-fp32"}


def test_pairs_in_flight_when_the_verdict_falls_are_stopped_and_not_counted(store, monkeypatch):
    monkeypatch.setenv("CNNLAB_WORKERS", "4")
    duel_id = start_duel(store, a_duel())
    for pair, difference in enumerate(CLEAR[:-1]):
        finish_pair(store, duel_id, pair, difference)
    assert len(duel_state(store, duel_id).pairs) == 9  # the seventh, and two for four workers
    early = duel_state(store, duel_id).pairs[7]
    for run, accuracy in zip(early, (0.9, 0.1), strict=True):  # ends before the seventh
        finish(store, run.id, val=accuracy, test=accuracy)
    finish_pair(store, duel_id, 6, CLEAR[-1])
    state = duel_state(store, duel_id)
    assert (state.state, state.verdict.outcome, state.verdict.pairs) == ("done", "b", 7)
    assert state.sentence == (
        "wide is better by 4.03 points (95 % interval 3.80 to 4.20, 7 paired seeds)."
    )
    assert state.not_counted == 2
    assert [run.state for run in state.pairs[8]] == ["stopped", "stopped"]


def test_a_run_in_flight_that_diverges_ends_the_duel_only_when_its_pair_is_due(store, monkeypatch):
    monkeypatch.setenv("CNNLAB_WORKERS", "4")
    duel_id = start_duel(store, a_duel())
    for pair, difference in enumerate(CLEAR[:-1]):
        finish_pair(store, duel_id, pair, difference)
    finish(store, duel_state(store, duel_id).pairs[7][0].id, state="diverged")
    advance_studies(store)
    assert (duel_state(store, duel_id).state, duel_state(store, duel_id).problem) == ("live", "")
    finish_pair(store, duel_id, 6, -0.5)  # undecided: now it is due
    state = duel_state(store, duel_id)
    assert state.state == "stopped"
    assert "The run of narrow with seed 7 diverged" in state.problem


def test_a_run_that_diverged_ends_the_duel_with_a_sentence(store):
    duel_id = start_duel(store, a_duel())
    finish(store, duel_state(store, duel_id).pairs[0][1].id, state="diverged")
    advance_studies(store)
    state = duel_state(store, duel_id)
    assert state.state == "stopped"
    assert "The run of wide with seed 0 diverged" in state.problem


@pytest.mark.parametrize(
    ("prediction", "said"),
    [
        ("b", "You predicted: wide is better. That was right."),
        ("same", "You predicted: both are equal. That was not so."),
        ("", ""),
    ],
)
def test_a_prediction_is_held_against_the_verdict(store, prediction, said):
    duel_id = start_duel(store, a_duel(prediction=prediction))
    open_state = duel_state(store, duel_id)
    started_with = prediction_sentence(open_state.duel, open_state.verdict)
    assert started_with == (said.partition(". ")[0] + "." if said else "")
    for pair, difference in enumerate(CLEAR):
        finish_pair(store, duel_id, pair, difference)
    state = duel_state(store, duel_id)
    assert prediction_sentence(state.duel, state.verdict) == said


def test_a_prediction_of_something_else_is_refused():
    with pytest.raises(RecipeError, match="prediction='c' is not a prediction"):
        a_duel(prediction="c")


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
    for pair in range(7):
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


@pytest.mark.parametrize(
    "b", [{}, {"name": "other"}, {"spec": CNNSpec(channels=(4,), norm_groups=2)}]
)
def test_a_duel_of_a_design_with_itself_is_refused(store, b):
    duel = a_duel()
    same = replace(duel, b=replace(duel.a, **b))  # groups have no effect without a group norm
    with pytest.raises(RecipeError, match="the same design and the same recipe, so any difference"):
        start_duel(store, same)
    assert store.runs() == []


def test_one_design_with_two_recipes_is_a_duel(store):
    duel = a_duel()
    recipe = replace(duel.a.recipe, lr=0.5)
    start_duel(store, replace(duel, b=replace(duel.a, recipe=recipe)))
    assert store.runs()


def test_a_duel_of_networks_that_are_not_trained_is_refused(store):
    duel = a_duel()
    recipe = replace(duel.a.recipe, epochs=0)
    sides = {"a": replace(duel.a, recipe=recipe), "b": replace(duel.b, recipe=recipe)}
    with pytest.raises(RecipeError, match="Choose 1 or more epochs"):
        start_duel(store, replace(duel, **sides))


def test_an_unknown_duel_is_a_sentence(store):
    with pytest.raises(StoreError, match="no duel or experiment 'nothing'"):
        duel_state(store, "nothing")


def test_a_duel_has_a_figure_from_its_first_moment(store):
    duel_id = start_duel(store, a_duel())
    assert (
        duel_figure(duel_state(store, duel_id).verdict, "A", "B").layout.title.text == "B minus A"
    )
    for pair, difference in enumerate(CLEAR):
        finish_pair(store, duel_id, pair, difference)
    figure = duel_figure(duel_state(store, duel_id).verdict, "A", "B")
    band, line = figure.data
    assert list(figure.layout.xaxis.range) == [0.5, 7.5]  # no pair follows the verdict
    assert figure.layout.shapes[0].label.text == "counts as equal"
    assert list(line.x) == [1, 2, 3, 4, 5, 6, 7] and list(band.x) == [7, 7]


def test_the_picture_of_a_duel_holds_all_intervals_and_says_each_of_them():
    # In points: the widest interval is the first, from -80.13 to 90, with a tenth of 90 to spare.
    looks = (Look(2, 0.05), Look(3, 0.04, -0.8013, 0.9), Look(4, 0.03, -0.04, 0.1))
    shown = duel_figure(
        Verdict("open", 4, 10, 0.03, 0.1, -0.04, 0.1, 0.95, 0.0, looks=looks), "A", "B"
    )
    assert list(shown.layout.yaxis.range) == pytest.approx([-99, 99])
    assert list(shown.data[1].customdata) == [
        "",
        ", interval −80.13 to 90.00",
        ", interval −4.00 to 10.00",
    ]


def test_a_study_is_read_as_what_it_is(store):
    duel_id = start_duel(store, a_duel())
    grid_id = start_grid(store, a_request(), {"K": [4, 8]})
    with pytest.raises(StoreError, match=f"{duel_id} is the id of a study of the kind duel"):
        experiment_state(store, duel_id)
    with pytest.raises(StoreError, match=f"{grid_id} is the id of a study of the kind experiment"):
        duel_state(store, grid_id)


# -- the command line ------------------------------------------------------------------------------


def test_the_command_runs_a_real_duel_to_its_end(capsys):
    arguments = ["duel", "lenet5", "tiny99", "--pairs", "6", "--max-pairs", "6", "--json"]
    assert main([*arguments, "--epochs", "1", "--train-limit", "64", "--max-batches", "2"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    duels = [line for line in lines if line.get("event") == "duel"]
    assert [line["verdict"]["pairs"] for line in duels] == [0, 1, 2, 3, 4, 5, 6]
    assert duels[-1]["state"] == "done"
    runs = RunStore().runs(group=duels[-1]["duel_id"])
    assert len({run.chosen["mode"] for run in runs}) == 1
    assert sorted(run.request.seed for run in runs) == [seed for seed in range(6) for _ in "ab"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["lenet5", "tiny99", "--within", "-1"],
            "--within -1 is not a difference",
        ),
        (["lenet5", "tiny99", "--pairs", "30"], "--pairs 30 is not from 1 to --max-pairs 20"),
        (["lenet5", "tiny99", "--max-pairs", "5"], "--max-pairs 5 is not from 6 to 100"),
        (["lenet5", "tiny99", "--validation", "0"], "--validation 0 keeps no pictures"),
        (["lenet5", "tiny99", "--epochs", "0"], "networks that are not trained"),
        (["lenet5", "lenet5"], "the same design and the same recipe"),
    ],
)
def test_the_command_refuses_a_duel_in_words_of_its_options(capsys, options, sentence):
    assert main(["duel", *options]) == 2
    assert sentence in capsys.readouterr().err
    assert RunStore().runs() == []


def test_a_detached_duel_says_how_to_see_it_later(capsys):
    assert main(["duel", "lenet5", "tiny99", "--detach"]) == 0
    duel_id = capsys.readouterr().out.split()[0]
    assert main(["duel", "--id", duel_id, "--detach"]) == 0
    assert f"duel --id {duel_id} --detach'" in capsys.readouterr().out


def test_ctrl_c_interrupts_a_duel_and_says_how_to_continue(capsys, monkeypatch):
    monkeypatch.setattr("cnnlib.cli.run_here.follow_or_train", lambda *args, **options: 130)
    assert main(["duel", "lenet5", "tiny99"]) == 130
    [duel] = studies.find_all(RunStore(), ["duel"])
    assert duel.state == "incomplete"
    said = capsys.readouterr().err
    assert "The duel is interrupted; all that its runs have trained is kept." in said
    assert f"To continue it: 'python -m cnnlib duel --id {duel.id}'." in said


def test_one_design_is_no_duel(capsys):
    assert main(["duel", "lenet5"]) == 2
    assert "A duel needs two designs" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["show", "stop", "resume"])
def test_the_id_of_a_duel_is_no_experiment_for_the_command(capsys, what):
    with closing(RunStore(Folders.from_environment())) as opened:
        duel_id = start_duel(opened, a_duel())
        assert main(["experiment", what, duel_id]) == 2
        assert f"{duel_id} is the id of a study of the kind duel" in capsys.readouterr().err
        assert duel_state(opened, duel_id).state == "live"
