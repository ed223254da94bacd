"""The results table: which runs share a row, what its columns say, what people note on it."""

import csv
import io
import shutil
import subprocess
from contextlib import closing
from dataclasses import replace

import pytest
from compare_runs import a_finished_run, a_store, finish
from example_runs import a_request, a_running_run, a_stopped_end, an_epoch

import cnnlib
from cnnlib.cli.main import main
from cnnlib.compare.annotations import Annotation
from cnnlib.compare.charts import accuracy_against, curves, labels, settings
from cnnlib.compare.columns import COLUMN_PRESETS, COLUMNS, cells, column, columns
from cnnlib.compare.differences import design_difference, differing_settings
from cnnlib.compare.results_table import ResultsTable
from cnnlib.compare.rows import best_of_sentence, load_rows, trained_on
from cnnlib.compare.seeds import wilson
from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import RecipeError, StoreError
from cnnlib.figures.compare import class_figure, cost_figure, curves_figure, settings_figure
from cnnlib.records.compare import Point
from cnnlib.records.events import Intervention
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import Origin
from cnnlib.report.page import to_html
from cnnlib.report.text import escape_latex, to_csv, to_latex, to_markdown
from cnnlib.runs import RunStore


@pytest.fixture
def store(tmp_path, store_address):
    opened = a_store(tmp_path, store_address)
    yield opened
    opened.close()


# -- pooling ---------------------------------------------------------------------------------------


def test_runs_that_differ_by_their_seed_alone_share_a_row(store):
    for seed in (2, 0, 1):
        a_finished_run(store, seed=seed)
    [row] = load_rows(store)
    assert (row.seeds, row.not_pooled_reason) == ((0, 1, 2), "")


@pytest.mark.parametrize(
    "other",
    [
        {"channels": (8,)},
        {"recipe": Recipe(epochs=2, lr=0.01)},
        {"dataset": "mnist"},
        {"split_seed": 1},
        {"validation": 0.2},
        {"train_limit": 100},
    ],
)
def test_runs_that_differ_in_anything_else_do_not(store, other):
    a_finished_run(store)
    a_finished_run(store, seed=1, **other)
    rows = load_rows(store)
    assert [row.not_pooled_reason for row in rows] == ["", ""]


def test_a_name_does_not_part_runs(store):
    a_finished_run(store, name="mine")
    a_finished_run(store, seed=1, preset="lenet5", group="g")
    assert len(load_rows(store)) == 1


def test_a_nought_written_otherwise_does_not_part_runs(store):
    a_finished_run(store, recipe=Recipe(epochs=2, lr=1, weight_decay=0), validation=0)
    a_finished_run(store, seed=1, recipe=Recipe(epochs=2, lr=1.0), validation=0.0)
    assert len(load_rows(store)) == 1


def test_threads_and_memory_format_do_not_part_runs_but_precision_and_compilation_do(store):
    modes = ("t1-nchw-fp32", "t2-nhwc-fp32", "t2-nhwc-bf16", "t2-nchw-bf16-compiled")
    for seed, mode in enumerate(modes):
        run_id = store.submit(a_request(seed=seed))
        finish(store, run_id, chosen={"mode": mode})
    rows = sorted(load_rows(store), key=lambda row: row.seeds)
    assert [row.seeds for row in rows] == [(0, 1), (2,), (3,)]
    [pooled] = cells(rows[:1], columns(["modes", "state"]))
    assert pooled == {"modes": "t1-nchw-fp32, t2-nhwc-fp32", "state": "2 seeds, 2 modes"}
    assert differing_settings(rows) == {"precision": ["fp32", "bf16", "bf16-compiled"]}


def test_the_note_of_a_row_of_an_earlier_version_is_found(store):
    run_id = store.submit(a_request())
    finish(store, run_id, chosen={"mode": "t1-nchw-fp32"})
    [row] = load_rows(store)
    table = ResultsTable(store)
    [earlier] = row.earlier_keys
    assert earlier != row.key
    table.annotate(earlier, Annotation(name="mine"))
    assert [row.name for row in table.rows()] == ["mine"]
    table.annotate(row.key, Annotation(name="new"))
    assert [row.name for row in table.rows()] == ["new"]


def test_a_repeated_seed_gets_a_row_that_says_so(store):
    a_finished_run(store)
    second = a_finished_run(store)
    alone = [row for row in load_rows(store) if row.not_pooled_reason]
    reasons = [(row.runs[0].id, row.not_pooled_reason) for row in alone]
    assert reasons == [(second, "Repeat of seed 0")]


def test_a_run_that_is_not_finished_stands_alone(store):
    a_finished_run(store)
    a_running_run(store, seed=1)
    stopped = store.submit(replace(a_request(), seed=2))
    finish(store, stopped, state="stopped")
    assert sorted(row.not_pooled_reason for row in load_rows(store)) == [
        "",
        "Running",
        "Stopped",
    ]


@pytest.mark.parametrize("state", ["stopped", "lost", "interrupted", "failed", "diverged"])
def test_a_run_that_was_broken_off_comes_last_and_says_so_on_every_way_out(store, state):
    a_finished_run(store, val=0.5, test=0.5)
    broken = store.submit(replace(a_request(epochs=15), seed=2, preset="lenet5"))
    finish(store, broken, val=0.99, test=0.99, state=state, epochs=5)
    rows = load_rows(store)
    assert [row.has_result for row in rows] == [True, False]
    at = "at step 50 of 50" if state == "stopped" else "after epoch 5 of 15"
    name = f"lenet5, {state} {at}"
    assert cells(rows, columns(["name"]))[1] == {"name": name}
    assert labels(rows)[1] == name
    assert name in to_csv(rows, columns(["name", "test_accuracy"]))
    assert cells(rows, columns(["state"]))[1] == {"state": f"{state.capitalize()} {at}"}
    assert len(accuracy_against(rows, "params")) == 1
    assert [line.accuracy for line in settings(rows)] == [0.5, None]
    assert best_of_sentence(rows) == ""


def test_the_validation_accuracy_of_one_run_has_wilsons_interval_over_its_pictures(store):
    a_finished_run(store, val=0.9)
    [row] = load_rows(store)
    [line] = cells([row], columns(["val_low", "val_high", "interval"]))
    expected = wilson(round(0.9 * row.val_pictures), row.val_pictures)
    assert row.val_pictures > 0
    assert (line["val_low"], line["val_high"]) == (expected.low, expected.high)
    assert {"val_low", "val_high"} <= set(COLUMN_PRESETS["results"])


def test_a_run_that_was_stopped_in_its_first_epoch_hides_no_number_of_pictures(store):
    for seed, epochs in ((0, []), (1, [an_epoch(1, 10)])):
        run_id, worker_id = a_running_run(store, seed=seed)
        store.record_events(run_id, worker_id, [*epochs, a_stopped_end(15)])
        store.workers.unregister(worker_id)
    pictures = {row.runs[0].request.seed: row.val_pictures for row in load_rows(store)}
    assert pictures == {0: 8, 1: 8}  # the split is the same, and an epoch has counted it


def test_early_stopping_shows_the_epochs_that_were_trained(store):
    for seed, done in ((0, 12), (1, 17)):
        recipe = Recipe(epochs=30, patience=3)
        run_id = store.submit(replace(a_request(), recipe=recipe, seed=seed))
        finish(store, run_id, epochs=done)
        [row] = load_rows(store)
        short = "12 of 30 epochs" if seed == 0 else "12 to 17 of 30 epochs"
        assert trained_on(row) == f"all pictures, {short}"


def test_a_run_that_somebody_steered_stands_alone(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [Intervention(5, "set", "lr", 0.1)])
    from example_runs import the_end

    store.record_events(run_id, worker_id, [the_end()])
    [row] = load_rows(store)
    assert row.not_pooled_reason == "Changed by hand"


def test_a_fork_stands_alone(store):
    first = a_finished_run(store)
    a_finished_run(store, seed=1, origin=Origin(first, 10), preset="lenet5")
    rows = {row.not_pooled_reason: row.name for row in load_rows(store)}
    assert rows["Fork of step 10"] == "lenet5, fork of step 10"


# -- order and columns -----------------------------------------------------------------------------


def test_validation_decides_the_order_and_not_the_test(store):
    a_finished_run(store, val=0.90, test=0.99, name="a")
    a_finished_run(store, val=0.95, test=0.91, name="b", channels=(8,))
    a_running_run(store, name="c")
    assert [row.name for row in load_rows(store)] == ["b", "a", "c"]


def test_a_row_tells_mean_spread_and_interval_over_seeds(store):
    a_finished_run(store, 0.92, 0.90)
    a_finished_run(store, 0.94, 0.92, seed=1)
    names = ("seeds", "val_accuracy", "test_accuracy", "test_sd", "test_low", "interval", "params")
    [line] = cells(load_rows(store), columns(names))
    # mean 0.91, sd 0.01 * sqrt(2); t(0.975, 1) = 12.706: 0.91 - 12.706 * 0.01 = 0.78294
    assert line == {
        "seeds": 2,
        "val_accuracy": pytest.approx(0.93),
        "test_accuracy": pytest.approx(0.91),
        "test_sd": pytest.approx(0.0141421, abs=1e-6),
        "test_low": pytest.approx(0.78294, abs=1e-4),
        "interval": "seeds (t)",
        "params": 4000,
    }


def test_one_run_tells_wilsons_interval_over_its_test_pictures(store):
    a_finished_run(store, test=0.9)
    [line] = cells(load_rows(store), columns(["test_low", "test_high", "interval"]))
    # 900 of 1000: z^2 = 3.84146; middle 0.901920 / 1.003841 = 0.898469, reach 0.018692 / 1.003841
    assert (line["test_low"], line["test_high"]) == pytest.approx((0.87985, 0.91709), abs=2e-5)
    assert line["interval"] == "pictures (Wilson)"


def test_the_table_of_the_course_texts(store):
    a_finished_run(store, test=0.97, recipe=Recipe(epochs=5))
    a_finished_run(store, recipe=Recipe(epochs=2), val=0.5)
    texts = columns(COLUMN_PRESETS["course texts"])
    five, two = cells(load_rows(store), texts)
    assert five == {
        "name": "own design",
        "epoch1_loss": 1.0,
        "epoch5_loss": 0.2,
        "epoch5_test": 0.97,
        "params": 4000,
    }
    assert (two["epoch5_loss"], two["epoch5_test"]) == (None, None)


def test_time_to_an_accuracy_is_the_training_time_until_it_was_first_reached(store):
    a_finished_run(store, val=0.9)  # one second per epoch
    [row] = load_rows(store)
    assert column("seconds_to_90").value(row) == 1.0
    assert column("seconds_to_95").value(row) is None


def test_an_unknown_column_lists_those_there_are():
    with pytest.raises(RecipeError, match="no column 'accurcy'.*val_accuracy"):
        column("accurcy")


def test_every_column_reads_every_kind_of_row(store):
    a_finished_run(store)
    a_running_run(store, seed=1)
    store.submit(a_request(seed=2))
    for line in cells(load_rows(store), tuple(COLUMNS.values())):
        assert line.keys() == COLUMNS.keys()


def test_the_best_of_several_is_said_to_be_that(store):
    assert best_of_sentence(load_rows(store)) == ""
    for seed in (0, 1):
        a_finished_run(store, val=0.90 + seed / 100, seed=seed)
        a_finished_run(store, val=0.80 + seed / 100, seed=seed, channels=(8,))
    # sd 0.00707 over 2 seeds each, without bias (c4 of 2 degrees of freedom) 0.00707 / 0.8862, so
    # 0.00564 for a mean; best of two (0.5642 sd): 0.32 points
    sentence = best_of_sentence(load_rows(store))
    assert sentence.startswith(
        "own design is the best of 2 comparable designs on Digits (scikit-learn) (all pictures, "
        "2 epochs) by validation accuracy. It is 5.00 points above their average. Luck alone gives "
        "about 0.32 points: "
    )


def test_luck_is_told_among_the_designs_of_one_dataset(store):
    for seed in (0, 1):
        a_finished_run(store, val=0.90 + seed / 100, seed=seed)
        a_finished_run(store, val=0.80 + seed / 100, seed=seed, channels=(8,))
        a_finished_run(store, val=0.30 + seed / 2, seed=seed, dataset="mnist")
    assert "is the best of 2 " in (sentence := best_of_sentence(load_rows(store)))
    assert "on Digits" in sentence
    assert "about 0.32 points" in sentence  # as above: what mnist spreads does not count


@pytest.mark.parametrize(
    ("other", "trained"),
    [
        ({"train_limit": 100}, "100 pictures, 2 epochs"),
        ({"recipe": Recipe(epochs=5)}, "all pictures, 5 epochs"),
        ({"validation": 0.2}, "all pictures, 2 epochs, validation 0.2"),
        ({"recipe": Recipe(epochs=2, max_batches=3)}, "all pictures, 2 epochs of at most 3 steps"),
    ],
)
def test_luck_is_told_among_rows_that_were_trained_alike(store, other, trained):
    for seed in (0, 1):
        a_finished_run(store, val=0.90 + seed / 100, seed=seed)
        a_finished_run(store, val=0.30 + seed / 2, seed=seed, channels=(8,), **other)
    assert best_of_sentence(load_rows(store)) == ""
    shown = cells(load_rows(store), columns(["trained_on"]))
    assert [cell["trained_on"] for cell in shown] == ["all pictures, 2 epochs", trained]


def test_a_row_in_which_a_seed_never_learned_does_not_decide_what_luck_is(store):
    for seed in (0, 1):
        a_finished_run(store, val=0.90 + seed / 100, seed=seed)
        a_finished_run(store, val=0.80 + seed / 100, seed=seed, channels=(8,))
        a_finished_run(store, val=0.10 + 0.8 * seed, seed=seed, channels=(16,))
    # As above 0.00564 for a mean: the third row is left out. Best of three (0.8463 sd): 0.48
    assert "Luck alone gives about 0.48 points" in best_of_sentence(load_rows(store))


# -- what differs ----------------------------------------------------------------------------------


def test_only_what_differs_between_rows_is_shown(store):
    a_finished_run(store, val=0.9)
    a_finished_run(store, val=0.8, channels=(4, 8), recipe=Recipe(epochs=2, lr=0.01))
    assert differing_settings(load_rows(store)) == {
        "channels": ["4", "4, 8"],
        "lr": ["0.001", "0.01"],
    }


def test_a_design_difference_names_layers_settings_and_costs():
    small = CNNSpec(in_size=(1, 8, 8), channels=(4,), hidden_dims=())
    found = design_difference(small, replace(small, channels=(4, 6)), (Recipe(), Recipe()))
    assert found.settings == {"channels": ("4", "4, 6")}
    assert [change.what for change in found.layers if change.what in ("added", "removed")] == [
        "added"
    ] * 3  # convolution, activation, pooling
    # 4 * 16 * 10 + 10 = 650 and 40; then 6 * (4 * 9) + 6 = 222 more, but 6 * 4 * 10 + 10 = 250
    assert found.costs["params"] == (40 + 650, 40 + 222 + 250)
    assert sum(change.params for change in found.layers) == 222 + 250 - 650


def test_the_memory_of_a_step_is_that_of_each_recipe():
    spec, large = CNNSpec(), Recipe(batch_size=128, optimizer="adamw")
    small = replace(large, batch_size=16)
    before, after = design_difference(spec, spec, (large, small)).costs["training_bytes"]
    assert before == cost(plan(spec), batch_size=128, optimizer="adamw").training_bytes
    assert after == cost(plan(spec), batch_size=16, optimizer="adamw").training_bytes


def test_kernel_sizes_that_are_not_square_differ_as_height_x_width():
    wide = CNNSpec(channels=(4, 4), kernel_size=((3, 5), 3))
    found = design_difference(wide, replace(wide, kernel_size=3), (Recipe(), Recipe()))
    assert found.settings == {"kernel_size": ("3x5, 3", "3")}


# -- charts ----------------------------------------------------------------------------------------


def test_a_curve_is_the_mean_over_seeds_with_a_band(store):
    a_finished_run(store, val=0.8)
    a_finished_run(store, val=0.9, seed=1)
    [curve] = curves(load_rows(store), "val_accuracy")
    assert curve.epochs == (1, 2)
    assert curve.mean == pytest.approx((0.85, 0.85))
    assert (curve.low, curve.high, curve.seeds) == ((0.8, 0.8), (0.9, 0.9), 2)


def test_the_frontier_holds_what_nothing_beats_in_both(store):
    a_finished_run(store, test=0.90, channels=(1,), name="small")
    a_finished_run(store, test=0.95, channels=(4,), name="good")
    a_finished_run(store, test=0.93, channels=(8,), name="beaten")
    points = {point.name: point for point in accuracy_against(load_rows(store), "params")}
    assert {name for name, point in points.items() if point.on_frontier} == {"small", "good"}
    assert points["good"].cost == 4000


def test_equal_names_are_told_apart(store):
    a_finished_run(store, val=0.9, preset="lenet5")
    a_finished_run(store, val=0.8, preset="lenet5", channels=(8,))
    rows = load_rows(store)
    assert [row.name for row in rows] == labels(rows) == ["lenet5", "lenet5 (2)"]
    assert labels([replace(row, given_name="mine") for row in rows]) == ["mine (1)", "mine (2)"]


@pytest.mark.parametrize("filled", [False, True])
def test_every_figure_is_built_from_nothing_and_from_something(store, filled):
    if filled:
        a_finished_run(store)
        a_finished_run(store, val=0.8, channels=(8,))
    rows = load_rows(store)
    assert curves_figure(curves(rows, "val_accuracy"), "Validation accuracy").layout.title.text
    assert cost_figure(accuracy_against(rows, "macs"), "macs").layout.title.text
    assert settings_figure(settings(rows)).layout.title.text
    assert class_figure([], []).layout.title.text


def test_a_row_that_cost_no_time_is_not_lost_on_a_log_scale():
    free, dear = Point("untrained", 0.0, 0.1), Point("trained", 90.0, 0.9)
    assert cost_figure([free, dear], "seconds").layout.xaxis.type == "linear"
    assert cost_figure([replace(free, cost=1.0), dear], "seconds").layout.xaxis.type == "log"


# -- files -----------------------------------------------------------------------------------------


def test_csv_opens_in_pandas_with_full_precision(store):
    import pandas as pd

    a_finished_run(store, test=0.9125, name='odd, "name"')
    text = to_csv(load_rows(store), columns(COLUMN_PRESETS["results"]))
    frame = pd.read_csv(io.StringIO(text))
    assert frame.loc[0, "name"] == 'odd, "name"'
    assert frame.loc[0, "test_accuracy"] == 0.9125
    assert list(frame.columns) == list(COLUMN_PRESETS["results"])


def test_markdown_keeps_a_bar_inside_its_cell(store):
    a_finished_run(store, test=0.9125, name="a|b")
    table = to_markdown(load_rows(store), columns(["name", "test_accuracy"]))
    assert table == "| Design | Test |\n| --- | ---: |\n| a\\|b | 91.25 % |\n"


def test_latex_has_no_letter_that_it_would_take_for_a_command():
    assert escape_latex("50 % & a_b #1 \\x {y}") == (
        "50 \\% \\& a\\_b \\#1 \\textbackslash{}x \\{y\\}"
    )
    assert escape_latex("für кот") == "für ???"


def test_latex_has_as_many_cells_in_each_line_as_places(store):
    a_finished_run(store, name="a_b")
    lines = to_latex(load_rows(store), columns(["name", "params"])).splitlines()
    assert lines == [
        "\\begin{tabular}{lr}",
        "\\hline",
        "Design & Parameters \\\\",
        "\\hline",
        "a\\_b & 4,000 \\\\",
        "\\hline",
        "\\end{tabular}",
    ]


def test_latex_compiles_where_there_is_latex(store, tmp_path):
    if not shutil.which("pdflatex"):
        pytest.skip("cannot run here: no pdflatex")
    a_finished_run(store, name="100 % of $5 & ~^ ünïcødé ß Æ ×± кот <|>")
    table = to_latex(load_rows(store), columns(COLUMN_PRESETS["results"]))
    (tmp_path / "t.tex").write_text(
        f"\\documentclass{{article}}\\begin{{document}}{table}\\end{{document}}"
    )
    done = subprocess.run(["pdflatex", "-halt-on-error", "t.tex"], cwd=tmp_path, check=False)
    assert done.returncode == 0


def test_the_accuracies_of_a_stopped_run_are_of_the_same_weights_on_every_way_out(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [an_epoch(1, 10, 0.5), a_stopped_end(13)])
    rows, shown = load_rows(store), columns(["name", "val_accuracy", "test_accuracy"])
    [row] = cells(rows, shown)
    assert (row["val_accuracy"], row["test_accuracy"]) == (0.6, 0.75)
    assert to_csv(rows, shown).splitlines()[1].endswith("0.6,0.75")
    for text in (to_markdown(rows, shown), to_html(rows, shown)):
        assert "60.00" in text and "75.00" in text
    frame = cnnlib.results_frame(shown=["val_accuracy", "test_accuracy"], folders=store.folders)
    assert frame.to_numpy().tolist() == [[0.6, 0.75]]


# -- the desk --------------------------------------------------------------------------------------


def test_a_row_can_be_named_noted_tagged_and_hidden(store):
    a_finished_run(store)
    desk = ResultsTable(store)
    [row] = desk.rows()
    desk.annotate(row.key, Annotation("Mine", "looks odd", ("course", "old"), hidden=True))
    assert desk.rows() == []
    with closing(RunStore(store.folders)) as another:
        [shown] = ResultsTable(another).rows(hidden=True)
    assert shown.name == "Mine"
    assert desk.annotations()[row.key].tags == ("course", "old")


def test_the_runs_of_a_row_are_renamed_but_not_those_of_another_person(store):
    own = a_finished_run(store.on_behalf_of("ada"), preset="lenet5")
    other = a_finished_run(store.on_behalf_of("bob"), preset="lenet5", seed=1)
    table = ResultsTable(store.on_behalf_of("ada"))
    [row] = table.rows()
    table.rename_runs(row, "mine")
    assert [store.run(each).request.name for each in (own, other)] == ["mine", ""]
    table.rename_runs(row, "")
    assert store.run(own).request.name == ""


def test_a_search_finds_names_datasets_tags_and_settings(store):
    a_finished_run(store, name="wide", channels=(8,))
    a_finished_run(store, name="narrow", recipe=Recipe(epochs=2, optimizer="sgd"))
    desk = ResultsTable(store)
    assert [row.name for row in desk.rows(search="SGD digits")] == ["narrow"]
    assert [row.name for row in desk.rows(search="wide")] == ["wide"]
    assert desk.rows(search="wide sgd") == []


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("test>90", ["good"]),
        ("test>=90 params<=4000", ["cheap"]),
        ("validation<95 dataset=digits", ["cheap"]),
        ("tag=course", ["good"]),
        ("seeds>=2", []),
        ("seconds_per_life>3", []),  # no column, and no row says so
        ("test>much", []),
    ],
)
def test_a_search_compares_columns_accuracies_in_per_cent(search, found, store):
    a_finished_run(store, val=0.96, test=0.95, channels=(8,), name="good")
    a_finished_run(store, val=0.91, test=0.90, channels=(4,), name="cheap")
    desk = ResultsTable(store)
    desk.annotate(desk.rows()[0].key, Annotation(tags=("Course",)))
    assert [row.name for row in desk.rows(search=search)] == found


def test_a_deleted_run_can_be_brought_back_until_the_basket_is_emptied(store):
    run_id = a_finished_run(store)
    desk = ResultsTable(store)
    thrown = desk.move_to_trash([store.run(run_id)])
    assert desk.rows() == [] and store.run(run_id)
    desk.restore(thrown)
    assert len(desk.rows()) == 1
    desk.move_to_trash([store.run(run_id)])
    assert desk.empty_trash() == [run_id]
    with pytest.raises(StoreError, match="no run"):
        store.run(run_id)


def test_without_a_deleted_run_no_runs_are_read_for_the_basket(store, monkeypatch):
    a_finished_run(store)
    monkeypatch.setattr(store, "runs", None)  # a call fails
    assert ResultsTable(store).own_trash() == {}


def test_what_was_noted_on_a_run_that_stands_alone_comes_back_with_it(store):
    run_id = a_finished_run(store, origin=Origin("another", 10))
    desk, note = ResultsTable(store), Annotation(name="mine", tags=("course",))
    [row] = desk.rows()
    assert row.key == run_id  # so that the note and the basket speak of the same thing
    desk.annotate(row.key, note)
    desk.restore(desk.move_to_trash([store.run(run_id)]))
    assert desk.annotations() == {run_id: note}
    assert [row.name for row in desk.rows()] == ["mine"]


def test_a_run_that_goes_on_is_not_deleted(store):
    run_id, _ = a_running_run(store)
    with pytest.raises(StoreError, match="Stop it first"):
        ResultsTable(store).move_to_trash([store.run(run_id)])


def test_a_note_that_is_too_long_is_refused(store):
    with pytest.raises(StoreError, match="note has 2,001 characters"):
        ResultsTable(store).annotate("key", Annotation(note="x" * 2001))


# -- the command line ------------------------------------------------------------------------------


@pytest.fixture
def own_store():
    opened = RunStore()
    yield opened
    opened.close()


def test_the_command_prints_rows_as_json(own_store, capsys):
    import json

    a_finished_run(own_store, 0.92, 0.90)
    a_finished_run(own_store, 0.94, 0.92, seed=1)
    assert main(["table", "--json", "--columns", "name,test_accuracy"]) == 0
    [line] = json.loads(capsys.readouterr().out)
    assert line["row_seeds"] == [0, 1]
    assert line["test_accuracy"] == pytest.approx(0.91)


def test_the_command_prints_csv_in_the_order_asked_for(own_store, capsys):
    a_finished_run(own_store, val=0.9, channels=(8,), name="large")
    a_finished_run(own_store, val=0.8, name="small")
    assert (
        main(["table", "--csv", "--columns", "name,params", "--sort", "params", "--ascending"]) == 0
    )
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [line["name"] for line in lines] == ["small", "large"]


def test_the_command_prints_a_table_for_people(own_store, capsys):
    a_finished_run(own_store, name="mine")
    assert main(["table"]) == 0
    assert "pictures (Wilson)" in capsys.readouterr().out


def test_the_command_without_runs_makes_no_store(capsys, tmp_path):
    assert main(["table"]) == 0
    assert capsys.readouterr().out == "No runs yet.\n"
    assert not (tmp_path / "runs").exists()


def test_the_command_writes_a_report(own_store, tmp_path):
    a_finished_run(own_store)
    file = tmp_path / "report.html"
    assert main(["table", "--html", "--output", str(file)]) == 0
    assert file.read_text().startswith("<!DOCTYPE html>")


def test_a_file_that_cannot_be_written_is_a_sentence(own_store, capsys):
    assert main(["table", "--csv", "--output", "/nowhere/at/all.csv"]) == 2
    assert "cannot be written" in capsys.readouterr().err
