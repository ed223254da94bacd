"""Tests of the page Results with its duels and experiments, with an empty and a filled store."""

from dataclasses import replace

import pytest
from apps import AppTest, components
from compare_runs import a_finished_run, a_step, finish, started
from example_runs import a_request
from sample_data import class_folders, write_folder

from cnnlib.experiments.duel import duel_state
from cnnlib.experiments.grid import experiment_state
from cnnlib.experiments.study import advance_studies
from cnnlib.records.run import Origin
from cnnlib.runs import RunStore, studies
from cnnlib.ui.common.urls import LAB, RESULTS

COMPARE, EXPERIMENTS = "duel", "experiment"  # sections of the page
MAIN = LAB.parent.parent / "cnnlib" / "ui" / "server" / "main.py"


@pytest.fixture
def store():
    opened = RunStore()
    yield opened
    opened.close()


def open_page(section="table", **query: str | list[str]) -> AppTest:
    app = AppTest.from_file(str(MAIN), default_timeout=30)
    app.run()
    for key, value in (query or {"view": section}).items():
        app.query_params[key] = value
    app.switch_page(str(RESULTS)).run()
    assert not app.exception
    return app


def choose(app: AppTest, a: str, b: str) -> None:
    """Choose two designs by a part of their labels."""
    for key, part in (("compare_A", a), ("compare_B", b)):
        box = app.selectbox(key=key)
        box.select(next(each for each in box.options if part in each)).run()


def vary(app: AppTest, **settings: list[str]) -> None:
    """Choose settings and type their values."""
    app.multiselect(key="experiments_settings").set_value(list(settings)).run()
    for name, values in settings.items():
        app.multiselect(key=f"experiments_values_{name}").set_value(values).run()
    assert not app.exception


def start_duel(app: AppTest) -> str:
    app.number_input(key="compare_pairs").set_value(3).run()
    app.button(key="compare_start").click().run()
    assert not app.exception
    [plan] = studies.find_all(RunStore(), ["duel"])
    return plan.id


@pytest.mark.parametrize("address", [COMPARE, EXPERIMENTS])
def test_a_page_opens_with_an_empty_and_with_a_filled_store(address, store):
    assert len(open_page(address).title) == 1
    a_finished_run(store, preset="lenet5")
    assert len(open_page(address).title) == 1


@pytest.mark.parametrize("address", [COMPARE, EXPERIMENTS])
def test_the_dataset_of_a_study_warns_of_its_classes_and_has_no_open_question(address, store):
    write_folder(store.folders.data / "one", class_folders({"cat": 4}))
    write_folder(store.folders.data / "odd", class_folders({"cat": 4, "dog": 4, "test": 4}))
    app = open_page(address)
    menu = app.selectbox(key="compare_dataset")
    assert "one" in menu.options and "odd" not in menu.options
    assert not app.warning
    menu.select("one").run()
    assert app.warning[0].value.startswith("There is only one class, cat")


def test_the_difference_of_two_designs_is_shown_layer_by_layer():
    app = open_page(COMPARE)
    choose(app, "(lenet5)", "(tiny99)")
    assert not app.exception
    table = app.table[0].value
    assert list(table.columns) == ["Change", "A: lenet5", "B: tiny99", "Parameters", "MACs"]
    assert set(table["Change"]) == {"added", "removed", "changed"}
    # On digits at 1 x 28 x 28: lenet5 has 940 + 105,214 parameters, tiny99 8,834.
    [params] = [each for each in app.metric if each.label == "Parameters"]
    assert params.value == "106 K → 8.83 K"
    assert "0.083 × A" in {each.delta for each in app.metric}  # 8,834 / 106,154


def test_a_duel_proposes_the_two_best_different_designs(store):
    for val, width, split_seed in ((0.5, 4, 0), (0.8, 6, 0), (0.95, 8, 0), (0.9, 8, 5)):
        name = f"width {width}, split {split_seed}"
        a_finished_run(store, val, channels=(width,), split_seed=split_seed, name=name)
    app = open_page(COMPARE)
    a, b = (app.selectbox(key=f"compare_{letter}").value for letter in "AB")
    assert a.startswith("Result: width 8, split 0 on")
    assert b.startswith("Result: width 6, split 0 on")


def test_the_settings_that_differ_have_the_labels_of_their_controls():
    app = open_page(COMPARE)
    choose(app, "(mnist_fast)", "(cnn3)")
    [text] = [each.value for each in app.caption if each.value.startswith("Settings that differ")]
    assert "Channels of each convolution: 32, 48 → 16, 32, 64" in text
    assert "_" not in text


def test_a_stem_that_differs_is_described_in_words():
    app = open_page(COMPARE)
    choose(app, "(mnist_fast)", "(cnn3)")
    [text] = [each.value for each in app.caption if each.value.startswith("Settings that differ")]
    assert "Stem: channels 16, kernel size 5, stride 2" in text and "Stem(" not in text


def test_duel_is_started_and_found_by_its_address(store):
    app = open_page(COMPARE)
    choose(app, "(lenet5)", "(tiny99)")
    duel_id = start_duel(app)
    assert app.query_params["duel"] == duel_id
    assert "no pair has finished yet" in card(app)
    assert "no pair has finished yet" in card(open_page(duel=duel_id))


def fight(store) -> str:
    """Start a duel of lenet5 and tiny99 on the page, and let tiny99 win."""
    app = open_page(COMPARE)
    choose(app, "(lenet5)", "(tiny99)")
    duel_id = start_duel(app)
    engine = {"mode": "t1-nchw-fp32"}
    first = duel_state(store, duel_id).pairs[0][0]
    finish(store, first.id, val=0.90, chosen=engine)
    advance_studies(store)
    for pair, accuracy in enumerate((0.950, 0.952, 0.948, 0.950, 0.951, 0.949, 0.950)):
        advance_studies(store)
        for run, score in zip(duel_state(store, duel_id).pairs[pair], (0.9, accuracy), strict=True):
            if run.is_live:
                finish(store, run.id, val=score)
    advance_studies(store)
    return duel_id


def test_finished_duel_shows_its_verdict_and_what_differs(store):
    app = open_page(COMPARE, duel=fight(store))
    assert "tiny99 is better by 5.00 points" in card(app)
    assert "lenet5 → tiny99: channels of each convolution 6, 16 →" in card(app)
    assert "Error rate" in card(app) and "7 pairs of runs count." in card(app)
    assert any("Test accuracy by class" in each.get("html", "") for each in components(app))
    assert list(app.table[0].value.columns)[1:3] == ["A: lenet5", "B: tiny99"]


def test_after_a_verdict_the_form_proposes_the_winner_against_another_preset(store):
    fight(store)
    app = open_page(COMPARE)
    a, b = (app.selectbox(key=f"compare_{letter}").value for letter in "AB")
    assert a.startswith("Result: tiny99 on")
    assert "lenet5" not in b and "tiny99" not in b and not b.startswith("Result")


def test_an_earlier_duel_is_listed_with_both_designs_and_its_dataset(store):
    duel_id = fight(store)
    button = open_page(COMPARE).button(key=f"compare_past_{duel_id}")
    assert button.label.startswith("lenet5 against tiny99 on Digits")
    assert "tiny99 is better by 5.00 points" in button.label


def test_a_running_duel_is_on_top_with_the_progress_of_its_pair(store):
    app = open_page(COMPARE)
    choose(app, "(lenet5)", "(tiny99)")
    duel_id = start_duel(app)
    first = duel_state(store, duel_id).pairs[0][0]
    worker_id = store.workers.register()
    store.claim(worker_id, first.id)
    store.record_events(first.id, worker_id, [started(10), a_step(6)])
    app = open_page(COMPARE)
    assert app.button(key=f"compare_live_{duel_id}").label == "Running: lenet5 against tiny99"
    assert not [each for each in app.button if each.key.startswith("compare_past")]
    progress = "Pair 1 of at most 20: lenet5 at 60 %, tiny99 waits"
    [bar] = app.get("progress")
    assert (bar.proto.text, bar.proto.value) == (progress, 1)  # 60 % of one of forty runs
    [bar] = open_page(duel=duel_id).get("progress")
    assert bar.proto.text.startswith(progress)


def test_only_a_duel_that_is_over_has_a_download(store):
    app = open_page(COMPARE)
    choose(app, "(lenet5)", "(tiny99)")
    duel_id = start_duel(app)
    first = duel_state(store, duel_id).pairs[0]
    finish(store, first[0].id, val=0.9, chosen={"mode": "t1-nchw-fp32"})
    advance_studies(store)
    finish(store, duel_state(store, duel_id).pairs[0][1].id, val=0.95)
    assert not open_page(duel=duel_id).get("download_button")
    studies.stop(store, duel_id)
    [button] = open_page(duel=duel_id).get("download_button")
    assert button.proto.label == "Download the result so far"


def test_a_duel_of_a_design_with_itself_is_refused(store):
    app = open_page(COMPARE)
    choose(app, "(lenet5)", "(lenet5)")
    app.button(key="compare_start").click().run()
    assert "the same design and the same recipe" in app.error[0].value
    assert studies.find_all(store, ["duel"]) == []


def test_a_duel_can_be_stopped(store):
    app = open_page(COMPARE)
    choose(app, "(lenet5)", "(tiny99)")
    duel_id = start_duel(app)
    app.button(key="compare_stop").click().run()
    assert duel_state(store, duel_id).state == "stopped"


@pytest.mark.parametrize(("address", "what"), [(COMPARE, "duel"), (EXPERIMENTS, "experiment")])
def test_an_unknown_study_in_the_address_is_said(address, what):
    app = open_page(address, **{what: "nothing"})
    [warning] = app.warning
    assert f"the {what} nothing, but there is no such {what} here" in warning.value
    assert not app.error


def test_grid_is_started_and_lists_invalid_combinations(store):
    app = open_page(EXPERIMENTS)
    vary(app, K=["4"], L=["1", "9"], P=["1"])
    app.button(key="experiments_start").click().run()
    assert not app.exception
    [plan] = studies.find_all(store, ["grid"])
    assert app.query_params["experiment"] == plan.id
    assert [trial.settings["L"] for trial in experiment_state(store, plan.id).invalid] == [9]
    assert "1 combination is not valid" in app.expander[0].label


def test_finished_grid_shows_the_best_trial(store):
    app = open_page(EXPERIMENTS)
    vary(app, lr=["0.1", "0.01"])
    app.button(key="experiments_start").click().run()
    [plan] = studies.find_all(store, ["grid"])
    for number, score in enumerate((0.6, 0.8)):
        finish(store, experiment_state(store, plan.id).trials[number].runs[0].id, val=score)
        advance_studies(store)
    app = open_page(EXPERIMENTS, experiment=plan.id)
    assert app.info[0].value.startswith(
        "Learning rate makes the largest difference: up to 20.00 points. "
        "Best of 2 combinations: Learning rate 0.01, with 80.00 % validation accuracy"
    )
    assert list(app.dataframe[0].value["Validation accuracy"]) == [80.0, 60.0]


def test_grid_with_a_gap_says_over_what_its_effects_are(store):
    app = open_page(EXPERIMENTS)
    vary(app, lr=["0.1", "0.01"], K=["4", "8"])
    app.button(key="experiments_start").click().run()
    [plan] = studies.find_all(store, ["grid"])
    finish(store, experiment_state(store, plan.id).trials[0].runs[0].id, val=0.5)
    advance_studies(store)
    for number, state in ((1, "finished"), (2, "finished"), (3, "lost")):
        run_id = experiment_state(store, plan.id).trials[number].runs[0].id
        finish(store, run_id, val=0.6, state=state)
    captions = [each.value for each in open_page(EXPERIMENTS, experiment=plan.id).caption]
    assert any("1 of 4 runs has no result. Effects compare only" in each for each in captions)


def test_grid_with_a_lost_run_says_what_is_missing_and_goes_on(store):
    app = open_page(EXPERIMENTS)
    vary(app, lr=["0.1", "0.01"])
    app.button(key="experiments_start").click().run()
    [plan] = studies.find_all(store, ["grid"])
    for number, state in enumerate(("finished", "lost")):
        run_id = experiment_state(store, plan.id).trials[number].runs[0].id
        finish(store, run_id, val=0.6, state=state)
        advance_studies(store)
    app = open_page(EXPERIMENTS, experiment=plan.id)
    assert app.warning[0].value == "1 run has no result and is not scored: 1 lost."
    assert list(app.dataframe[0].value["Status"]) == ["Finished", "Lost"]
    app.button(key="experiments_resume").click().run()
    assert store.run(run_id).state == "queued"


def test_duel_with_a_stopped_run_goes_on(store):
    app = open_page(COMPARE)
    choose(app, "(lenet5)", "(tiny99)")
    duel_id = start_duel(app)
    app.button(key="compare_stop").click().run()
    app = open_page(COMPARE, duel=duel_id)
    assert "has no result. Resume the duel" in app.warning[0].value
    app.button(key="compare_resume").click().run()
    assert duel_state(store, duel_id).state == "live"


def test_search_is_started(store):
    app = open_page(EXPERIMENTS)
    app.segmented_control(key="experiments_kind").select("Search").run()
    app.button(key="experiments_start").click().run()
    assert not app.exception
    [plan] = studies.find_all(store, ["search"])
    assert len(store.runs(group=plan.id)) == 1


def test_unreadable_settings_show_an_error():
    app = open_page(EXPERIMENTS)
    vary(app, lr=["fast"])
    assert "1 combination with 1 seed each, of which 1 cannot be built" in app.caption[-1].value
    app.button(key="experiments_start").click().run()
    assert "lr is 'fast'" in app.error[0].value


def test_the_form_says_how_many_runs_and_that_the_time_is_a_guess(store):
    app = open_page(EXPERIMENTS)
    vary(app, lr=["0.1", "0.01", "0.001"], norm=["batch", "none"])
    app.number_input(key="experiments_seeds").set_value(2).run()
    size = app.caption[-1].value
    assert size.startswith("6 combinations with 2 seeds each: 12 runs, about ")
    assert size.endswith("a rough estimate).")


def test_a_finer_search_starts_around_the_best_values(store):
    app = open_page(EXPERIMENTS)
    vary(app, lr=["0.001", "0.01", "0.1"], norm=["batch", "none"])
    app.button(key="experiments_start").click().run()
    [plan] = studies.find_all(store, ["grid"])
    for trial in experiment_state(store, plan.id).trials:
        best = trial.settings == {"lr": 0.01, "norm": "batch"}
        finish(store, trial.runs[0].id, val=0.9 if best else 0.5)
    advance_studies(store)
    app = open_page(experiment=plan.id)
    app.button(key="experiments_finer").click().run()
    assert not app.exception
    [search] = studies.find_all(store, ["search"])
    assert app.query_params["experiment"] == search.id
    assert search.body["space"]["lr"] == {"low": 0.001, "high": 0.1, "log": True}
    assert "batch" in search.body["space"]["norm"]["choices"]
    assert search.body["count"] == 6


def test_experiment_without_a_name_is_labelled_by_its_settings(store):
    app = open_page(EXPERIMENTS)
    vary(app, K=["4", "8"], lr=["0.1"])
    app.button(key="experiments_start").click().run()
    [plan] = studies.find_all(store, ["grid"])
    running = open_page(EXPERIMENTS).button(key=f"experiments_live_{plan.id}")
    assert running.label == "Running: Filters per convolution (K), Learning rate"
    studies.stop(store, plan.id)
    again = open_page(EXPERIMENTS)
    assert again.button(key=f"experiments_past_{plan.id}").label.startswith(
        "Filters per convolution (K), Learning rate: grid"
    )


def test_the_runs_of_an_experiment_are_chosen_in_the_table(store):
    app = open_page(EXPERIMENTS)
    vary(app, K=["4", "8"], lr=["0.1"])
    app.button(key="experiments_start").click().run()
    app.button(key="experiments_runs").click().run()
    assert not app.exception
    assert sorted(app.query_params["run"]) == sorted(run.id for run in store.runs())


# -- the results table -----------------------------------------------------------------------------


def card(app: AppTest) -> str:
    """The HTML of a duel's verdict card."""
    return next(each["html"] for each in components(app) if "html" in each)


def table(app: AppTest) -> dict:
    """What the page told the results table."""
    return next(each for each in components(app) if "chips" in each)


def test_one_epoch_is_no_curve(store):
    # Two epochs at 90 % on validation are a line; one alone would be drawn as two points.
    a_finished_run(store, name="two")
    finish(store, store.submit(replace(a_request(), name="one")), epochs=1)
    curves = {row["name"]: row["cells"]["curve"] for row in table(open_page())["rows"]}
    assert curves["two"]["points"] == [0.9, 0.9] and "points" not in curves["one"]


def test_accuracies_are_dots_on_one_scale_from_the_lowest_to_the_highest_interval(store):
    for number, test in enumerate((0.90, 0.92, 0.94)):
        a_finished_run(store, test=test, channels=(4 + number,))
    cells = [row["cells"]["test_accuracy"] for row in table(open_page())["rows"]]
    by_text = {cell["text"]: cell for cell in cells}
    low, middle, high = (by_text[f"{percent}.00 %"] for percent in (90, 92, 94))
    assert 0 < low["from"] < low["at"] < middle["at"] < high["at"] < high["to"] <= 1
    # Wilson's interval of 900 of 1,000
    assert low["said"] == "90.00 % test accuracy, 95 % interval 87.98 to 91.71 % over test pictures"


def test_a_design_that_guesses_does_not_press_the_others_together(store):
    for number, test in enumerate((0.10, 0.970, 0.975, 0.980)):
        a_finished_run(store, test=test, channels=(4 + number,))
    cells = {
        row["cells"]["test_accuracy"]["text"]: row["cells"]["test_accuracy"]
        for row in table(open_page())["rows"]
    }
    assert cells["10.00 %"]["at"] < 0  # an arrow to the left
    assert cells["98.00 %"]["at"] - cells["97.00 %"]["at"] > 0.1


def test_a_stopped_run_is_marked_beside_its_validation_accuracy_and_comes_last_in_each_order(store):
    a_finished_run(store, val=0.9)
    finish(store, store.submit(replace(a_request(epochs=9), seed=2)), val=0.99, state="stopped")
    done, stopped = (row["cells"] for row in table(open_page())["rows"])
    # Wilson's interval of 900 of 1,000
    assert done["val_accuracy"] == {"text": "90.00 %", "sort": 0.9, "note": "88.0 to 91.7 %"}
    assert stopped["val_accuracy"]["note"] == "stopped at step 20 of 20"
    assert (stopped["val_accuracy"]["sort"], stopped["test_accuracy"]["sort"]) == (None, None)
    assert stopped["test_accuracy"]["note"] == "stopped at step 20 of 20"
    assert "at" not in stopped["test_accuracy"]  # it has no place on the scale of the results


def test_a_search_that_is_not_understood_is_said(store):
    a_finished_run(store)
    app = open_page()
    app.session_state["results_search"] = "depth>3"
    assert table(app.run())["problem"].startswith("'depth>3' names no column. Write words from")


def test_runs_of_a_study_stand_under_it_and_a_fork_under_its_row(store):
    origin = a_finished_run(store, name="root")
    fork = replace(a_request(), name="child", origin=Origin(origin, 20))
    finish(store, store.submit(fork))
    app = open_page(EXPERIMENTS)
    vary(app, lr=["0.1", "0.01"])
    app.button(key="experiments_start").click().run()
    [plan] = studies.find_all(store, ["grid"])
    for trial in experiment_state(store, plan.id).trials:
        finish(store, trial.runs[0].id)
    rows = {row["name"]: row for row in table(open_page())["rows"]}
    assert rows["child, fork of step 20"]["parent"] == rows["root"]["key"]
    heading = rows["Learning rate"]
    assert (heading["what"], heading["address"]) == (
        "Experiment",
        f"/results?experiment={plan.id}",
    )
    assert sum(row["parent"] == plan.id for row in rows.values()) == 2


def test_a_run_in_the_address_that_there_is_not_is_said(store):
    a_finished_run(store)
    assert "the run nothing, but there is no such run" in open_page(run="nothing").warning[0].value


def test_two_rows_show_their_differences_and_open_a_duel(store):
    runs = [
        a_finished_run(store, name=name, channels=channels)
        for name, channels in (("narrow", (4,)), ("wide", (8,)))
    ]
    app = open_page(run=runs)
    app.segmented_control(key="results_view").select("Settings").run()
    assert not app.exception
    assert {"A: wide", "B: narrow", "MACs"} <= set(app.table[-1].value.columns)
    app.button(key="results_duel").click().run()
    assert not app.exception
    assert app.title[0].value == "Results"
    selected = {app.selectbox(key=f"compare_{letter}").value.split(" on ")[0] for letter in "AB"}
    assert selected == {"Result: narrow", "Result: wide"}
    assert app.selectbox(key="compare_dataset").value == "digits"
    assert app.session_state["results_section"] == "duel"
