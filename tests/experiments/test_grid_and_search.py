"""Experiments: what a grid and a search ask for, what they list, what they found."""

import json
from collections import Counter
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from compare_runs import a_store, finish
from example_runs import a_request, a_stopped_end, an_epoch, started, the_end

from cnnlib.cli.main import main
from cnnlib.cli.run_here import StudyFollower
from cnnlib.errors import RecipeError
from cnnlib.experiments.grid import (
    ExperimentState,
    Trial,
    best_so_far,
    effects,
    effects_note,
    experiment_state,
    start_grid,
)
from cnnlib.experiments.refine import finer_space
from cnnlib.experiments.search import start_search
from cnnlib.experiments.search_space import combinations, read_values, with_settings
from cnnlib.experiments.study import advance_studies, resume_study
from cnnlib.figures.compare import effects_figure
from cnnlib.records.compare import Effect
from cnnlib.records.events import RunEnd
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import Run
from cnnlib.runs import RunStore, studies, tables


@pytest.fixture
def store(tmp_path, store_address):
    opened = a_store(tmp_path, store_address)
    yield opened
    opened.close()


# -- settings --------------------------------------------------------------------------------------


def test_the_letters_of_the_course_texts_become_channels_and_pooling():
    request = with_settings(a_request(), {"K": [32, 64], "L": 2, "P": "L/4"})
    assert request.spec.channels == (32, 32, 64, 64)
    assert request.spec.pool_every == 1  # max(1, 2 // 4)


def test_settings_reach_design_recipe_and_augmentation():
    request = with_settings(
        a_request(), {"norm": "batch", "lr": 0.5, "flip": True, "hidden_dims": [7]}
    )
    assert (request.spec.norm, request.spec.hidden_dims) == ("batch", (7,))
    assert (request.recipe.lr, request.recipe.augmentation.flip) == (0.5, True)


def test_none_is_a_word_for_a_design_and_nothing_for_a_recipe():
    request = with_settings(a_request(), {"norm": None, "patience": None, "hidden_dims": None})
    assert (request.spec.norm, request.spec.hidden_dims) == ("none", ())
    assert request.recipe.patience is None


def test_values_are_read_as_people_write_them():
    assert read_values("2,4, 0.1") == [2, 4, 0.1]
    assert read_values("plain,residual") == ["plain", "residual"]
    assert read_values("[32],[32,64]") == [[32], [32, 64]]
    assert read_values("yes,none") == [True, None]


def test_an_unknown_setting_lists_those_there_are():
    with pytest.raises(RecipeError, match="'depth' is not a setting.*channels"):
        combinations(a_request(), {"depth": [1]})


def test_combinations_that_are_no_valid_design_are_listed_with_their_reason():
    found = combinations(a_request(), {"K": [4], "L": [2, 8], "P": [1]})
    assert [each.request is not None for each in found] == [True, False]  # 28 halves 4 times
    assert "features" in found[1].reason or "pool" in found[1].reason


def test_too_many_combinations_are_refused():
    with pytest.raises(RecipeError, match="1,000 combinations"):
        combinations(a_request(), {"lr": [0.1] * 10, "K": [1] * 10, "batch_size": [1] * 10})


# -- a grid ----------------------------------------------------------------------------------------


def a_grid(store: RunStore, **options) -> str:
    base = a_request(mode="t1-nchw-fp32")
    return start_grid(store, base, {"K": [4, 8], "lr": [0.1, 0.01]}, **options)


def test_a_grid_queues_every_combination_with_every_seed(store):
    plan_id = a_grid(store, seeds=2)
    runs = store.runs(group=plan_id)
    asked = {(run.request.spec.channels, run.request.recipe.lr, run.request.seed) for run in runs}
    assert len(runs) == 8
    assert asked == {((k,), lr, s) for k in (4, 8) for lr in (0.1, 0.01) for s in (0, 1)}
    assert "Filters per convolution (K) 4, Learning rate 0.1" in {run.request.name for run in runs}


def test_a_grid_tells_which_setting_mattered_and_the_best(store):
    plan_id = a_grid(store)
    scores = {(4, 0.1): 0.5, (4, 0.01): 0.6, (8, 0.1): 0.7, (8, 0.01): 0.9}
    for trial in experiment_state(store, plan_id).trials:
        finish(store, trial.runs[0].id, val=scores[trial.settings["K"], trial.settings["lr"]])
    advance_studies(store)
    state = experiment_state(store, plan_id)
    assert (state.state, state.measured, state.asked) == ("done", 4, 4)
    assert state.missing == ""
    assert state.best.settings == {"K": 8, "lr": 0.01}
    # K: 0.55 and 0.80; lr: 0.60 and 0.75
    found = effects(state.trials)
    assert [(each.setting, round(each.spread, 6)) for each in found] == [("K", 0.25), ("lr", 0.15)]
    assert best_so_far(state.trials) == [0.5, 0.6, 0.7, 0.9]


def test_a_grid_lists_what_cannot_be_built(store):
    plan_id = start_grid(store, a_request(), {"K": [4], "L": [1, 8], "P": [1]})
    state = experiment_state(store, plan_id)
    assert [trial.settings["L"] for trial in state.trials] == [1]
    [invalid] = state.invalid
    assert invalid.settings["L"] == 8 and invalid.reason


def test_a_grid_without_a_valid_design_is_refused(store):
    with pytest.raises(RecipeError, match="No combination is a valid design .1 combination tried"):
        start_grid(store, a_request(), {"K": [4], "L": [9], "P": [1]})


def test_a_grid_can_be_stopped(store):
    plan_id = a_grid(store)
    studies.stop(store, plan_id)
    assert {run.state for run in store.runs()} == {"stopped"}
    state = experiment_state(store, plan_id)
    assert (state.state, state.progress) == ("stopped", "0 of 4 runs have a result")
    assert state.missing == "4 runs have no result and are not scored: 4 stopped."


def finish_grid(store: RunStore, plan_id: str, **broken: str) -> None:
    """End the runs of a grid with 0.5, 0.6, 0.7 and 0.8, in the given states by place."""
    for number, trial in enumerate(experiment_state(store, plan_id).trials):
        state = broken.get(f"at_{number}", "finished")
        finish(store, trial.runs[0].id, val=0.5 + number / 10, state=state)
    advance_studies(store)


@pytest.mark.parametrize("state", ["lost", "stopped", "interrupted", "failed"])
def test_a_run_that_was_broken_off_is_counted_apart_and_never_scored(store, state):
    plan_id = a_grid(store)
    finish_grid(store, plan_id, at_3=state)
    found = experiment_state(store, plan_id)
    assert [trial.score for trial in found.trials] == [0.5, 0.6, 0.7, None]
    assert (found.state, found.progress) == ("incomplete", "3 of 4 runs have a result")
    assert found.missing == f"1 run has no result and is not scored: 1 {state}."
    assert found.best.settings == {"K": 8, "lr": 0.1}
    assert best_so_far(found.trials) == [0.5, 0.6, 0.7]


def test_a_run_that_diverged_is_a_result_of_its_settings(store):
    plan_id = a_grid(store)
    finish_grid(store, plan_id, at_0="diverged")
    found = experiment_state(store, plan_id)
    assert (found.state, found.trials[0].score) == ("done", 0.0)
    assert found.progress == "4 of 4 runs have a result (1 diverged)"


def test_a_grid_goes_on_with_what_it_misses(store):
    plan_id = a_grid(store)
    finish_grid(store, plan_id, at_1="lost", at_2="failed")
    store.delete(experiment_state(store, plan_id).trials[3].runs[0].id)
    assert "1 lost, 1 failed, 1 deleted" in experiment_state(store, plan_id).missing
    resume_study(store, plan_id)
    state = experiment_state(store, plan_id)
    assert [trial.states for trial in state.trials] == [("finished",)] + [("queued",)] * 3
    assert (state.state, state.missing) == ("live", "")
    worker_id = store.workers.register()
    for trial in state.trials[1:]:
        store.claim(worker_id, trial.runs[0].id)
        store.record_events(trial.runs[0].id, worker_id, [an_epoch(2, 20), the_end()])
    advance_studies(store)
    assert experiment_state(store, plan_id).state == "done"


def test_a_grid_that_counted_a_lost_run_as_done_says_what_is_missing(store):
    plan_id = a_grid(store)
    finish_grid(store, plan_id, at_3="lost")
    with store.database.write() as connection:  # as earlier versions left it
        connection.execute(sa.update(tables.studies).values(state="done"))
    assert experiment_state(store, plan_id).state == "incomplete"


def test_the_mode_of_a_grid_is_settled_before_its_first_run(store):
    plan_id = start_grid(store, a_request(), {"K": [4, 8], "lr": [0.1, 0.01]})
    runs = store.runs(group=plan_id)
    assert (len(runs), {run.request.mode for run in runs}) == (4, {"t1-nhwc-fp32"})


def test_where_a_gpu_may_train_the_first_run_of_a_grid_chooses_the_mode(store, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    plan_id = start_grid(store, a_request(), {"K": [4, 8], "lr": [0.1, 0.01]})
    [first] = store.runs(group=plan_id)
    worker_id = store.workers.register()
    store.claim(worker_id, first.id)
    begin = replace(started(), chosen={"mode": "t2-nhwc-fp32"})
    store.record_events(first.id, worker_id, [begin])
    advance_studies(store)
    others = [run for run in store.runs(group=plan_id) if run.id != first.id]
    assert len(others) == 3
    assert {run.request.mode for run in others} == {"t2-nhwc-fp32"}


def test_a_search_has_as_many_trials_in_flight_as_train_at_once(store, monkeypatch):
    monkeypatch.setenv("CNNLAB_WORKERS", "3")
    plan_id = start_search(store, a_request(), SPACE, trials=4)
    assert len({run.request.recipe.lr for run in store.runs(group=plan_id)}) == 3
    finish(store, store.runs(group=plan_id)[0].id, val=0.8)
    advance_studies(store)
    assert [run.is_live for run in store.runs(group=plan_id)].count(True) == 3
    for run in store.runs(group=plan_id):
        if run.is_live:
            finish(store, run.id, val=0.7)
    advance_studies(store)
    state = experiment_state(store, plan_id)
    assert (state.state, state.measured, state.best.score) == ("done", 4, 0.8)


def test_a_score_is_that_of_the_weights_given_back(store):
    # Early stopping restores the epoch with the lowest loss, not that of the highest accuracy.
    plan_id = start_grid(store, a_request(), {"patience": [5]})
    [run] = store.runs(group=plan_id)
    worker_id = store.workers.register()
    store.claim(worker_id, run.id)
    end = replace(the_end(), weights_step=10)
    first, last = an_epoch(1, 10, val_accuracy=0.4), an_epoch(2, 20, val_accuracy=0.6)
    store.record_events(run.id, worker_id, [started(), first, last, end])
    [trial] = experiment_state(store, plan_id).trials
    assert trial.score == 0.4


def test_the_rest_is_forecast_from_what_has_ended(store):
    plan_id = a_grid(store)
    assert experiment_state(store, plan_id).eta_seconds is None
    finish(store, experiment_state(store, plan_id).trials[0].runs[0].id)
    assert experiment_state(store, plan_id).eta_seconds >= 0


# -- a search --------------------------------------------------------------------------------------


def live_run(store: RunStore, plan_id: str) -> Run:
    [run] = [run for run in store.runs(group=plan_id) if run.is_live]
    return run


def run_search(store: RunStore, plan_id: str, trials: int) -> None:
    """Finish each trial with an accuracy that is best at lr = 0.01."""
    for _ in range(trials):
        run = live_run(store, plan_id)
        from math import log10

        finish(store, run.id, val=max(0.0, 0.9 - 0.2 * abs(log10(run.request.recipe.lr) + 2)))
        advance_studies(store)


SPACE = {"lr": {"low": 1e-5, "high": 1.0, "log": True}}


def test_a_search_asks_for_one_trial_after_the_other_and_ends(store):
    plan_id = start_search(store, a_request(), SPACE, trials=3)
    run_search(store, plan_id, 3)
    state = experiment_state(store, plan_id)
    assert (state.state, len(state.trials), state.measured) == ("done", 3, 3)


def test_a_search_comes_nearer_to_the_best_after_its_random_start(store):
    plan_id = start_search(store, a_request(), SPACE, trials=20)
    run_search(store, plan_id, 20)
    scores = [trial.score for trial in experiment_state(store, plan_id).trials]
    assert max(scores) > 0.85  # lr within a quarter of a decade of the best
    assert sum(scores[8:]) / 12 > sum(scores[:8]) / 8


def test_the_same_search_proposes_the_same(store, tmp_path):
    other = a_store(tmp_path / "other")
    learned = []
    for each in (store, other):
        plan_id = start_search(each, a_request(), SPACE, trials=2)
        run_search(each, plan_id, 2)
        learned.append([dict(t.settings) for t in experiment_state(each, plan_id).trials])
    other.close()
    assert learned[0] == learned[1]


def test_a_search_skips_and_lists_what_cannot_be_built(store):
    space = {"L": {"choices": [1, 9]}, "K": {"choices": [[4]]}, "P": {"choices": [1]}}
    plan_id = start_search(store, a_request(), space, trials=4)
    for _ in range(4):
        finish(store, live_run(store, plan_id).id)
        advance_studies(store)
    state = experiment_state(store, plan_id)
    assert {trial.settings["L"] for trial in state.trials} == {1}
    assert all(trial.settings["L"] == 9 for trial in state.invalid)


def test_hyperband_stops_all_but_the_best_third_after_one_epoch_and_after_three(store):
    # 9 epochs: brackets begin with 1, 3 and 9 epochs. The same scores at every epoch.
    plan_id = start_search(store, replace(a_request(), recipe=Recipe(epochs=9)), SPACE, trials=30)
    stopped_after: Counter[int] = Counter()
    for number in range(30):
        run = live_run(store, plan_id)
        worker_id = store.workers.register()
        store.claim(worker_id, run.id)
        store.record_events(run.id, worker_id, [started()])
        for epoch in range(1, 10):
            event = an_epoch(epoch, 10 * epoch, val_accuracy=0.5 + 0.01 * ((7 * number) % 30))
            store.record_events(run.id, worker_id, [event])
            advance_studies(store)
            if any(order.kind == "prune" for order in store.record_events(run.id, worker_id, [])):
                stopped_after[epoch] += 1
                store.record_events(run.id, worker_id, [the_end("pruned", step=10 * epoch)])
                break
        else:
            store.record_events(run.id, worker_id, [the_end()])
        store.workers.unregister(worker_id)
        advance_studies(store)
    assert set(stopped_after) <= {1, 3}  # never after the last epoch, nor between two looks
    assert sum(stopped_after.values()) >= 8
    best = experiment_state(store, plan_id).best
    assert best is not None and best.states == ("finished",)


def test_a_trial_that_falls_behind_is_stopped(store):
    plan_id = start_search(store, a_request(), SPACE, trials=5)
    for _ in range(4):
        finish(store, live_run(store, plan_id).id, val=0.8)
        advance_studies(store)
    run = live_run(store, plan_id)
    worker_id = store.workers.register()
    store.claim(worker_id, run.id)
    store.record_events(run.id, worker_id, [started(), an_epoch(1, 10, val_accuracy=0.3)])
    advance_studies(store)
    assert [order.kind for order in store.record_events(run.id, worker_id, [])] == ["prune"]
    store.record_events(run.id, worker_id, [replace(a_stopped_end(step=13), state="pruned")])
    advance_studies(store)
    pruned = store.run(run.id).summary  # measured where it was stopped
    assert (pruned["last_val_accuracy"], pruned["test_accuracy"]) == (0.6, 0.75)
    state = experiment_state(store, plan_id)
    assert (state.trials[-1].states, state.trials[-1].score) == (("pruned",), None)
    assert (state.state, state.missing) == ("done", "")
    assert state.progress == (
        "4 of 5 runs have a result; 1 was pruned (stopped early by the search)"
    )
    note = effects_note(state, [Effect("lr", {"0.1": 0.5, "0.2": 0.6}, 0.1, 4, 5)])
    assert note.startswith("1 of 5 runs was pruned and has no score. Effects compare only")
    assert "no result" not in note
    assert sum(map(len, (effect.means for effect in effects(state.trials)))) == 4


def test_a_search_that_was_stopped_goes_on(store):
    plan_id = start_search(store, a_request(), SPACE, trials=3)
    run_search(store, plan_id, 1)
    studies.stop(store, plan_id)
    state = experiment_state(store, plan_id)
    assert state.missing == "2 runs have no result and are not scored: 1 stopped, 1 not started."
    resume_study(store, plan_id)
    run_search(store, plan_id, 2)
    state = experiment_state(store, plan_id)
    assert (state.state, state.measured) == ("done", 3)
    modes = [trial.runs[0].request.mode for trial in state.trials]
    assert modes == ["t1-nhwc-fp32"] * 3


@pytest.mark.parametrize(
    "values", [{"low": 1, "high": 0}, {"low": 0.0, "high": 1.0, "log": True}, {"choices": []}]
)
def test_a_range_that_is_none_is_refused(store, values):
    with pytest.raises(RecipeError, match="The range of lr is"):
        start_search(store, a_request(), {"lr": values}, trials=3)


# -- the command line ------------------------------------------------------------------------------


def test_the_command_runs_a_real_grid_to_its_end(capsys):
    arguments = ["experiment", "grid", "--preset", "tiny99", "--vary", "lr=0.01,0.001"]
    tiny = ["--epochs", "1", "--train-limit", "64", "--max-batches", "2", "--json"]
    assert main([*arguments, *tiny]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["event"] == "experiment"
    assert (lines[-1]["state"], lines[-1]["measured"]) == ("done", 2)
    with closing(RunStore()) as store:
        assert len({run.chosen["mode"] for run in store.runs(group=lines[-1]["id"])}) == 1
    assert [trial["settings"] for trial in lines[-1]["trials"]] == [{"lr": 0.01}, {"lr": 0.001}]


def test_an_experiment_that_was_broken_off_goes_on_with_all_its_runs(capsys):
    arguments = ["experiment", "grid", "--preset", "tiny99", "--vary", "lr=0.01,0.001"]
    tiny = ["--epochs", "1", "--train-limit", "64", "--max-batches", "2", "--json"]
    assert main([*arguments, *tiny, "--detach"]) == 0
    plan_id = json.loads(capsys.readouterr().out)["id"]
    with closing(RunStore()) as store:
        worker_id = store.workers.register()
        first = store.claim(worker_id)
        store.record_events(first.id, worker_id, [RunEnd("interrupted")])
        store.workers.unregister(worker_id)
    assert main(["experiment", "show", plan_id]) == 0
    assert f"'python -m cnnlib experiment resume {plan_id}'" in capsys.readouterr().out
    assert main(["experiment", "resume", plan_id, "--json"]) == 0
    ended = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (ended["state"], ended["measured"]) == ("done", 2)
    assert all(trial["score"] is not None for trial in ended["trials"])


TINY_GRID = ["experiment", "grid", "--preset", "mlp", "--vary", "lr=0.1,0.01"]


def test_ctrl_c_interrupts_a_grid_with_all_its_runs(capsys, monkeypatch):
    monkeypatch.setattr("cnnlib.cli.run_here.follow_or_train", lambda *args, **options: 130)
    assert main(TINY_GRID) == 130
    own = RunStore()
    [grid] = studies.find_all(own, ["grid"])
    assert (grid.state, {run.state for run in own.runs()}) == ("incomplete", {"interrupted"})
    own.close()
    said = capsys.readouterr().err
    assert "The experiment is interrupted; all that its runs have trained is kept." in said
    assert f"To continue it: 'python -m cnnlib experiment resume {grid.id}'." in said


def test_runs_that_end_beside_the_one_that_is_followed_are_printed_after_it(store, capsys):
    plan_id = a_grid(store)
    follower = StudyFollower(store, plan_id, as_json=False, has_workers=True)
    runs = [trial.runs[0] for trial in experiment_state(store, plan_id).trials]
    for run in reversed(runs):
        finish(store, run.id)
    printed = []
    while left := follower.unprinted([store.run(run.id) for run in runs]):
        assert follower.follow(left[0])
        printed.append(left[0].id)
    assert printed == [run.id for run in runs]
    shown = capsys.readouterr().out
    assert all(shown.count(f"{run.id}  finished after") == 1 for run in runs)
    again = StudyFollower(store, plan_id, as_json=False, has_workers=True)
    assert again.unprinted([store.run(run.id) for run in runs]) == []  # they ended before


def test_a_grid_that_nobody_trains_is_shown_as_incomplete_with_its_command(capsys):
    assert main([*TINY_GRID, "--detach"]) == 0
    plan_id = capsys.readouterr().out.split()[0]
    assert main(["experiment", "show", plan_id]) == 0
    shown = capsys.readouterr()
    assert f"{plan_id}  grid incomplete, 0 of 2 runs" in shown.out
    assert "No worker process is running, so nothing will start its runs." in shown.err
    assert f"experiment resume {plan_id}'" in shown.err
    with closing(RunStore()) as own:
        own.workers.register()
    assert main(["experiment", "show", plan_id]) == 0
    shown = capsys.readouterr()
    assert f"{plan_id}  grid live" in shown.out and shown.err == ""


def test_the_group_of_a_grid_is_continued_by_its_own_command(capsys):
    assert main([*TINY_GRID, "--detach"]) == 0
    plan_id = capsys.readouterr().out.split()[0]
    assert main(["resume", plan_id]) == 2
    assert f"To continue it: 'python -m cnnlib experiment resume {plan_id}'." in (
        capsys.readouterr().err
    )


def test_a_cutout_larger_than_the_pictures_is_no_valid_combination():
    proposals = combinations(a_request(), {"cutout": [28, 29]})
    assert [each.request is None for each in proposals] == [False, True]
    assert "cutout is 29 pixels, but the pictures are 28 x 28" in proposals[1].reason


def test_a_detached_grid_says_how_to_see_it_later(capsys):
    assert main([*TINY_GRID, "--detach"]) == 0
    shown = capsys.readouterr().out
    assert f"experiment show {shown.split()[0]}'" in shown


@pytest.mark.parametrize("kind", ["grid", "search"])
def test_an_experiment_without_training_is_refused(capsys, kind):
    assert main(["experiment", kind, *TINY_GRID[2:], "--epochs", "0"]) == 2
    assert "networks that are not trained" in capsys.readouterr().err
    assert main([*TINY_GRID[:4], "--vary", "epochs=0,1", "--detach"]) == 0


def test_a_setting_without_values_is_a_sentence(capsys):
    assert main(["experiment", "grid", "--preset", "lenet5", "--vary", "lr"]) == 2
    assert "is incomplete" in capsys.readouterr().err


def test_a_setting_that_had_one_value_is_not_among_those_that_mattered():
    tried = [Trial({"lr": lr, "norm": "none"}, score=0.7 + lr) for lr in (0.1, 0.2)]
    found = effects([*tried, Trial({"lr": 0.1, "norm": "batch"})])  # batch has no result
    assert [(effect.setting, round(effect.spread, 6)) for effect in found] == [("lr", 0.1)]
    drawn = effects_figure(found)
    assert [trace.name for trace in drawn.data] == ["Learning rate"]
    assert drawn.layout.xaxis.title.text == "Learning rate: 10.0 points"
    assert "No combinations with results differ" in effects_figure([]).layout.annotations[0].text


def test_an_effect_is_over_combinations_that_are_equal_in_the_other_settings(store):
    plan_id = a_grid(store)
    finish_grid(store, plan_id, at_3="lost")
    state = experiment_state(store, plan_id)
    found = {effect.setting: effect for effect in effects(state.trials)}
    # K 4: 0.5 with lr 0.1 and 0.6 with 0.01; K 8: 0.7 with lr 0.1, lost with 0.01.
    assert found["K"].means == {"4": 0.5, "8": 0.7}
    assert found["lr"].means == {"0.1": 0.5, "0.01": 0.6}
    assert {(each.matched, each.tried) for each in found.values()} == {(2, 4)}
    assert effects_note(state, effects(state.trials)) == (
        "1 of 4 runs has no result. Effects compare only combinations that differ in one setting: "
        "Filters per convolution (K) over 2 of 4 combinations, Learning rate over 2 of 4 "
        "combinations. "
        "Each combination has one seed, so it is not known how much of the differences is chance. "
        "One validation picture is 0.10 points."
    )


def test_an_effect_without_matched_combinations_is_not_told(store, capsys):
    own = RunStore()
    plan_id = a_grid(own)
    finish_grid(own, plan_id, at_1="lost", at_2="lost")  # only K 4, lr 0.1 and K 8, lr 0.01 remain
    found = effects(experiment_state(own, plan_id).trials)
    own.close()
    assert [(each.means, each.spread, each.matched) for each in found] == [({}, None, 0)] * 2
    assert "No combinations" in effects_figure(found).layout.annotations[0].text
    assert main(["experiment", "show", plan_id]) == 0
    shown = capsys.readouterr().out
    assert "changes the mean accuracy" not in shown
    assert "2 of 4 runs have no result. The effect of Filters per convolution (K) is not" in shown
    assert main(["experiment", "show", plan_id, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["effects"][0]["spread"] is None
    assert "The effect of Learning rate is not known" in facts["effects_note"]


def test_a_full_grid_of_one_seed_says_that_chance_is_not_known(store):
    plan_id = a_grid(store)
    finish_grid(store, plan_id)
    state = experiment_state(store, plan_id)
    assert effects_note(state, effects(state.trials)) == (
        "Each combination has one seed, so it is not known how much of the differences is chance. "
        "One validation picture is 0.10 points."
    )


def test_repeated_combinations_of_a_search_weigh_as_one():
    scores = {("a", 1): [0.5, 0.7], ("b", 1): [0.8], ("a", 2): [0.1], ("b", 2): [0.3]}
    tried = [
        Trial({"norm": norm, "K": filters}, score=score)
        for (norm, filters), each in scores.items()
        for score in each
    ]
    found = {effect.setting: effect for effect in effects(tried)}
    # norm a: mean of 0.6 and 0.1; norm b: mean of 0.8 and 0.3
    assert {n: round(m, 6) for n, m in found["norm"].means.items()} == {"a": 0.35, "b": 0.55}
    assert (found["norm"].matched, found["norm"].tried) == (4, 4)


def test_the_progress_of_one_run_is_in_the_singular(store):
    plan_id = start_grid(store, a_request(), {"K": [4]})
    assert experiment_state(store, plan_id).progress == "0 of 1 run has a result"


def test_experiments_are_listed(store, capsys):
    own = RunStore()
    a_grid(own)
    own.close()
    assert main(["experiment", "list", "--json"]) == 0
    [line] = json.loads(capsys.readouterr().out)
    assert (line["kind"], line["state"]) == ("grid", "live")


# -- the next experiment ---------------------------------------------------------------------------


def a_state(trials: list[Trial]) -> ExperimentState:
    facts = dict.fromkeys(ExperimentState.__dataclass_fields__)
    return ExperimentState(**facts | {"trials": tuple(trials), "state": "done"})


def test_a_finer_space_lies_between_the_neighbours_of_the_best_value():
    tried = [Trial({"lr": lr, "norm": norm}, score=score) for lr, norm, score in (
        (0.001, "batch", 0.5), (0.01, "batch", 0.9), (0.1, "batch", 0.7), (0.01, "none", 0.2),
        (0.001, "none", 0.1), (0.1, "none", 0.3),
    )]  # fmt: skip
    space = finer_space(a_state(tried), {})
    assert space["lr"] == {"low": 0.001, "high": 0.1, "log": True}
    assert space["norm"] == {"choices": ["batch"]}  # both of the best third


def test_a_finer_space_of_a_search_is_a_third_of_its_range_and_within_it():
    best = Trial({"lr": 0.01, "dropout": 0.5, "epochs": 2}, score=0.9)
    ranges = {
        "lr": {"low": 1e-4, "high": 1e-1, "log": True},
        "dropout": {"low": 0.0, "high": 0.6, "log": False},
        "epochs": {"low": 1, "high": 10, "log": False},
    }
    space = finer_space(a_state([best]), ranges)
    assert space["lr"]["high"] / space["lr"]["low"] == pytest.approx(10)  # a third of three decades
    assert (space["dropout"]["low"], space["dropout"]["high"]) == (pytest.approx(0.4), 0.6)
    assert space["epochs"] == {"low": 1, "high": 4, "log": False}


def test_there_is_no_finer_space_without_a_result():
    with pytest.raises(RecipeError, match="No combination has a result yet"):
        finer_space(a_state([Trial({"lr": 0.1})]), {})


def test_the_command_searches_finer(capsys):
    assert (
        main(["experiment", "grid", "--preset", "mlp", "--vary", "lr=0.1", "--train-limit", "64"])
        == 0
    )
    study_id = capsys.readouterr().out.split("grid done")[0].split()[-1]
    assert main(["experiment", "finer", study_id, "--detach"]) == 0
    assert "To see it later" in capsys.readouterr().out


def test_intervals_of_effects_are_over_seeds():
    # Two values with two seeds each: within-trial variances 0.0002 each, so sd 0.01414 with 2
    # degrees of freedom; t = 4.30265; reach = 4.30265 * 0.01414 / sqrt(2) = 0.04303.
    def trial(lr: float, *scores: float) -> Trial:
        runs = tuple(
            SimpleNamespace(state="finished", summary={"last_val_accuracy": score})
            for score in scores
        )
        return Trial({"lr": lr}, runs, sum(scores) / len(scores), states=("finished",) * 2)

    [effect] = effects([trial(0.1, 0.80, 0.82), trial(0.2, 0.90, 0.92)])
    assert effect.reach == pytest.approx(0.04303, abs=1e-5)
