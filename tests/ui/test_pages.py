"""Every page, with an empty and with a filled run store; what people press, and what follows."""

import shutil

import pytest
from apps import AppTest, components
from example_runs import a_checkpoint, a_request, a_running_run, an_epoch, steps, the_end
from sample_data import class_folders, write_folder

from cnnlib.data.paths import prepared_folder, search_roots
from cnnlib.data.prepare import prepare
from cnnlib.design.link import encode
from cnnlib.design.presets import preset
from cnnlib.design.spec import CNNSpec
from cnnlib.records.events import Command
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore
from cnnlib.runs.archive.archive import export_bytes
from cnnlib.ui.common.urls import BUILD, LAB, RESULTS, TRAIN

PAGES = {"home": LAB, "build": BUILD, "train": TRAIN, "results": RESULTS}
MAIN = LAB.parent.parent / "cnnlib" / "ui" / "server" / "main.py"


@pytest.fixture
def store():
    """The run store that the pages of this test see."""
    with_folders = RunStore()
    yield with_folders
    with_folders.close()


def open_page(name: str, **query: str | list[str]) -> AppTest:
    """A page as a browser would open it."""
    app = AppTest.from_file(str(MAIN), default_timeout=30)
    app.run()
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page(str(PAGES[name])).run()
    assert not app.exception
    return app


def a_finished_run(store: RunStore, **fields) -> str:
    run_id, worker_id = a_running_run(store, **fields)
    store.record_events(
        run_id, worker_id, [*steps(1, 20), an_epoch(1, 10), an_epoch(2, 20), the_end()]
    )
    store.workers.unregister(worker_id)
    return run_id


def runs_in_address(app: AppTest) -> list[str]:
    """What ``?run=`` says; AppTest gives one value bare."""
    found = app.query_params["run"]
    return [found] if isinstance(found, str) else found


def live_data(app: AppTest) -> dict:
    """What the page told the live chart."""
    [chart] = [each for each in components(app) if "runs_address" in each]
    return chart


def table(app: AppTest) -> list[dict]:
    """The found rows of the results table: their cells as texts by column, and "name"."""
    [data] = [each for each in components(app) if "chips" in each]
    return [
        {name: cell.get("text") for name, cell in row["cells"].items()} | {"name": row["name"]}
        for row in data["rows"]
        if "cells" in row and row["key"] in (data["found"] or [row["key"]])
    ]


def texts(app: AppTest) -> str:
    """Everything that is written on the page."""
    return "\n".join(str(each.value) for each in [*app.title, *app.markdown, *app.caption])


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_with_an_empty_store(name):
    assert len(open_page(name).title) == 1


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_with_a_filled_store(name, store):
    a_finished_run(store, preset="lenet5")
    a_running_run(store, seed=1)
    store.submit(a_request(seed=2))
    assert len(open_page(name).title) == 1


# -- train -----------------------------------------------------------------------------------------


def test_train_asks_for_the_run_that_the_form_describes(store):
    app = open_page("train")
    app.selectbox(key="train_preset").select("lenet5").run()
    app.button(key="train_start").click().run()
    [run] = store.runs()
    assert run.request.preset == "lenet5"
    # Two convolutions (1 * 9 + 1) * 6 + (6 * 9 + 1) * 16 = 940 and three linear layers
    # (784 + 1) * 120 + (120 + 1) * 84 + (84 + 1) * 10 = 105,214.
    assert run.plan_cost["params"] == 940 + 105_214
    assert runs_in_address(app) == [run.id]
    assert live_data(app)["runs"][0]["id"] == run.id


def test_optimiser_and_precision_are_choices_of_the_form(store):
    app = open_page("train")
    assert "Momentum" not in [field.label for field in app.number_input]  # AdamW is offered
    app.selectbox(key="train_optimizer_adamw").set_value("nesterov").run()
    assert "Momentum" in [field.label for field in app.number_input]
    app.selectbox(key="train_optimizer_adamw").set_value("muon").run()
    app.selectbox(key="train_precision").set_value("bf16").run()
    app.button(key="train_start").click().run()
    request = store.runs()[0].request
    assert (request.recipe.optimizer, request.precision) == ("muon", "bf16")


def test_the_recipe_follows_the_dataset_until_somebody_changes_it(store):
    app = open_page("train")
    epochs = next(each for each in app.number_input if each.label == "Epochs")
    offered = epochs.value
    epochs.set_value(offered + 1).run()
    app.button(key="train_start").click().run()
    assert store.runs()[0].request.recipe.epochs == offered + 1


def test_the_card_beside_the_form_says_what_the_training_will_cost(store):
    app = open_page("train", dataset="digits")
    app.selectbox(key="train_preset").select("lenet5").run()
    [card] = [each.proto.body for each in app.get("html") if 'class="costs"' in each.proto.body]
    for what in ("Time in total", "Time per epoch", "Training pictures", "106,154"):
        assert what in card


def test_train_and_a_duel_give_a_design_and_its_recipe_the_same_memory(store):
    train = open_page("train", dataset="digits")
    train.selectbox(key="train_preset").select("lenet5").run()
    [card] = [each.proto.body for each in train.get("html") if 'class="costs"' in each.proto.body]
    results = open_page("results", view="duel")
    a = results.selectbox(key="compare_A")
    a.select(next(each for each in a.options if "(lenet5)" in each)).run()
    [memory] = [each for each in results.metric if each.label == "Memory, training step"]
    assert f"<dd>{memory.value.partition(' → ')[0]}</dd>" in card
    assert "a batch of 32 pictures with AdamW" in memory.help  # the default recipe on digits
    assert "Memory, training step<small>batch of 32, AdamW</small>" in card


@pytest.fixture
def colours() -> None:
    """A dataset of 40 colour pictures, `folder:own`."""
    write_folder(Folders.from_environment().data / "own", class_folders({"cat": 20, "dog": 20}))


@pytest.mark.usefixtures("colours")
def test_the_preset_follows_the_dataset_until_somebody_chooses_one():
    app = open_page("train")
    menu = app.selectbox(key="train_dataset")
    assert app.selectbox(key="train_preset").value == "mnist_fast"
    menu.select("folder:own").run()
    assert app.selectbox(key="train_preset").value == "cifar_fast"
    app.selectbox(key="train_preset").select("lenet5").run()
    app.selectbox(key="train_dataset").select("digits").run()
    assert app.selectbox(key="train_preset").value == "lenet5"


@pytest.mark.usefixtures("colours")
def test_train_says_how_coarse_the_accuracy_on_few_validation_pictures_is():
    app = open_page("train", dataset="folder:own")
    # 20 of each class, 4 of them for the test split; a tenth of 32 is 3.
    assert "With 3 validation pictures, accuracy moves in steps of 33.3 points" in texts(app)


def test_three_seeds_are_three_runs_of_one_group(store):
    app = open_page("train")
    app.number_input(key="train_seeds").set_value(3).run()
    app.button(key="train_start").click().run()
    runs = store.runs()
    assert [run.request.seed for run in runs] == [2, 1, 0]
    assert len({run.request.group for run in runs}) == 1 and runs[0].request.group
    assert app.title[0].value == "3 runs"


def test_train_says_what_a_dataset_warns_of_and_how_its_own_validation_split_is_used(store):
    files = class_folders({"a": 4, "b": 4}, "train/") | class_folders({"a": 3}, "val/", first=20)
    files |= class_folders({"a": 1, "c": 2}, "test/", first=30)
    write_folder(store.folders.data / "own", files)
    app = open_page("train", dataset="folder:own")
    assert app.warning[0].value.startswith(r"Without a training picture: c.")
    assert "own validation split of 3 pictures" in texts(app)
    assert "own validation split" not in texts(open_page("train", dataset="digits"))


def test_train_asks_to_decide_about_folders_first(store):
    write_folder(store.folders.data / "odd", class_folders({"cat": 4, "dog": 4, "test": 4}))
    app = open_page("train", dataset="folder:odd")
    assert "can be understood in several ways" in app.error[0].value
    assert not any(each.key == "train_start" for each in app.button)


def test_train_takes_the_design_from_its_address(store):
    spec = CNNSpec(channels=(5,), hidden_dims=(7,))
    app = open_page("train", design=encode(spec))
    app.button(key="train_start").click().run()
    assert store.runs()[0].request.spec == spec


def test_a_design_from_build_that_is_a_preset_keeps_its_name(store):
    app = open_page("train", design=encode(preset("lenet5").spec))
    app.button(key="train_start").click().run()
    assert store.runs()[0].request.preset == "lenet5"


def test_train_takes_the_dataset_from_its_address(store):
    app = open_page("train", design=encode(CNNSpec(channels=(5,))), dataset="digits")
    assert app.selectbox(key="train_dataset_digits").value == "digits"
    app.button(key="train_start").click().run()
    assert store.runs()[0].request.dataset == "digits"


def test_a_dataset_in_the_address_that_is_not_here_is_said_in_a_sentence():
    app = open_page("train", dataset="folder:gone")
    assert r"folder\:gone, but there is no such dataset here" in app.warning[0].value
    assert app.selectbox[0].value != "folder:gone"


def test_a_damaged_design_in_the_address_is_said_in_a_sentence():
    app = open_page("train", design="1~ch.a-b")
    assert "does not describe a design" in app.error[0].value


def test_train_trains_the_design_of_a_past_run_again(store):
    a_finished_run(store)
    app = open_page("train")
    app.segmented_control[0].select("A past run").run()
    app.button(key="train_start").click().run()
    assert store.runs()[0].request.spec.channels == (4,)


def test_a_dataset_that_is_not_prepared_can_be_prepared(store):
    app = open_page("train")
    for root in search_roots(store.folders):  # the Lab prepared it
        shutil.rmtree(prepared_folder("digits", root), ignore_errors=True)
    app.run()
    app.button(key="train_prepare").click().run()
    [job] = store.jobs.all()
    assert (job.kind, job.args) == ("prepare", {"name": "digits"})
    assert not app.exception


def test_a_prepared_dataset_shows_a_picture_of_each_class():
    for _ in prepare("digits"):
        pass
    html = open_page("train").get("html")[0].proto.body
    assert html.count("<img") == 10
    assert 'alt="Example of class 7"' in html


def test_the_plain_address_finds_the_run_that_goes_on(store):
    a_finished_run(store)
    run_id, _ = a_running_run(store)
    app = open_page("train")
    assert runs_in_address(app) == [run_id]
    assert live_data(app)["runs"][0]["state"] == "running"


def test_an_address_with_an_unknown_run_says_so():
    app = open_page("train", run="nosuchrun")
    assert "nosuchrun" in app.warning[0].value
    assert outstanding(app) == ["train_new"]


def test_every_field_of_the_training_form_is_explained():
    app = open_page("train", dataset="digits")
    fields = (*app.number_input, *app.text_input, *app.checkbox)
    assert [each.label for each in fields if not each.help] == []
    without = [each.label for each in app.selectbox if not each.help]
    assert without == ["Dataset", "Preset"]  # described below the menus


def test_the_recipe_of_one_run_does_not_stand_above_runs_that_differ(store):
    runs = [store.submit(a_request(epochs)) for epochs in (2, 2, 3)]
    assert "2 epochs" in open_page("train", run=runs[:2]).caption[0].value
    assert not [each for each in open_page("train", run=runs[1:]).caption if "epoch" in each.value]


@pytest.mark.parametrize("kind", ["pause", "step", "stop"])
def test_a_button_gives_its_order_to_the_run(store, kind):
    run_id, worker_id = a_running_run(store)
    app = open_page("train", run=run_id)
    app.button(key=f"train_{kind}").click().run()
    assert store.record_events(run_id, worker_id, [])[-1].kind == kind


def test_the_learning_rate_can_be_changed_while_a_run_goes_on(store):
    run_id, worker_id = a_running_run(store)
    app = open_page("train", run=run_id)
    app.select_slider(key=f"train_lr_{run_id}_0").set_value(0.005).run()
    order = store.record_events(run_id, worker_id, [])[-1]
    assert order == Command("set", "lr", 0.005, id=order.id)


def test_a_finished_run_says_what_it_is_worth_and_how_sure_that_is(store):
    run_id = a_finished_run(store)
    # 6 of 8 test pictures: z^2 = 3.84146, middle (0.75 + 0.240091) / 1.480182 = 0.668897,
    # reach 1.959964 * sqrt(0.0234375 + 0.0150057) / 1.480182 = 0.259621
    assert live_data(open_page("train", run=run_id))["runs"][0]["outcome"] == (
        "75.00 % of 8 test pictures correct (95 % interval 40.93 to 92.85 %)"
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_after_a_finished_run_one_next_step_stands_out(store, channels):
    spec = CNNSpec(in_size=(channels, 28, 28), channels=(4,))
    run_id = a_finished_run(store, spec=spec)
    step = {1: "train_draw", 3: "train_inspect"}[channels]  # only digits can be drawn
    assert outstanding(open_page("train", run=run_id)) == [step]
    assert outstanding(open_page("train", run=[run_id, a_finished_run(store)])) == ["train_results"]


def test_a_run_that_can_be_continued_suggests_nothing_else(store):
    run_id, worker_id = a_running_run(store)
    assert outstanding(open_page("train", run=run_id)) == []
    store.record_events(run_id, worker_id, [*steps(1, 5), the_end("interrupted", step=5)])
    assert outstanding(open_page("train", run=run_id)) == ["train_continue"]


def outstanding(app: AppTest) -> list[str]:
    """The keys of the primary buttons, but for that of the fork's form."""
    return [b.key for b in app.button if b.proto.type == "primary" and b.key != "train_fork"]


def test_an_interrupted_run_can_be_continued(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [*steps(1, 5), the_end("interrupted", step=5)])
    app = open_page("train", run=run_id)
    app.button(key="train_continue").click().run()
    assert store.run(run_id).state == "queued"


def test_the_first_button_of_a_diverged_run_does_what_is_advised(store):
    run_id, worker_id = a_running_run(store)
    saved = a_checkpoint(0)
    store.folders.run(run_id).mkdir(parents=True)
    (store.folders.run(run_id) / saved.file).touch()
    store.record_events(run_id, worker_id, [saved, *steps(1, 5), the_end("diverged", step=5)])
    app = open_page("train", run=run_id)
    assert "train_continue" not in {button.key for button in app.button}
    # the steps of the example have a learning rate of 0.1; the default recipe has 0.002
    assert app.button(key="train_lower_rate").label == "Continue with learning rate 0.002"
    app.button(key="train_lower_rate").click().run()
    fork = store.runs(limit=1)[0]
    assert (fork.request.origin.run_id, fork.request.origin.step) == (run_id, 0)
    assert fork.request.recipe.lr == 0.002


def test_a_run_that_stopped_early_says_how_many_epochs_it_was_trained(store):
    run_id, worker_id = a_running_run(store, epochs=30)
    store.record_events(run_id, worker_id, [an_epoch(12, 12), the_end(step=12)])
    assert "12 of 30 epochs, batch 128" in texts(open_page("train", run=run_id))


# -- results ---------------------------------------------------------------------------------------


def test_results_show_a_design_with_its_numbers(store):
    a_finished_run(store, preset="lenet5")
    [row] = table(open_page("results"))
    assert (row["name"], row["dataset"], row["state"]) == (
        "lenet5",
        "Digits (scikit-learn)",
        "1 seed",
    )
    assert (row["val_accuracy"], row["test_accuracy"]) == ("50.00 %", "75.00 %")
    assert (row["seconds"], row["trained_on"]) == ("2.0", "all pictures, 2 epochs")
    assert row["curve"] == "Validation accuracy from 50.00 % to 50.00 %"


def test_seeds_of_one_design_share_a_row_until_each_is_asked_for(store):
    for seed in range(3):
        a_finished_run(store, preset="lenet5", seed=seed)
    app = open_page("results")
    assert [row["state"] for row in table(app)] == ["3 seeds"]
    app.toggle(key="results_each").set_value(True).run()
    names = sorted(row["name"] for row in table(app))
    assert names == [f"lenet5, seed {seed}" for seed in range(3)]


def test_selected_rows_are_overlaid_and_named_in_the_address(store):
    older, newer = a_finished_run(store), a_finished_run(store, seed=1)
    app = open_page("results", run=[older, newer])
    assert [run["id"] for run in live_data(app)["runs"]] == [older, newer]
    assert runs_in_address(app) == [older, newer]


def test_an_address_with_one_seed_of_several_shows_single_runs(store):
    older, _ = a_finished_run(store), a_finished_run(store, seed=1)
    app = open_page("results", run=older)
    assert app.toggle(key="results_each").value is True
    assert runs_in_address(app) == [older]


def test_the_search_leaves_only_what_fits(store):
    a_finished_run(store, preset="lenet5")
    a_finished_run(store, preset="tiny99", validation=0.2)
    app = open_page("results")
    app.session_state["results_search"] = "tiny"
    assert [row["name"] for row in table(app.run())] == ["tiny99"]


def test_the_table_of_the_course_texts_is_a_choice_of_columns(store):
    a_finished_run(store)
    app = open_page("results")
    app.selectbox(key="results_preset").select("course texts").run()
    [data] = [each for each in components(app) if "chips" in each]
    assert [each["title"] for each in data["columns"]] == [
        *("Design", "Curve", "Epoch 1 loss", "Epoch 5 loss", "Epoch 5 test", "Parameters")
    ]


@pytest.mark.parametrize(
    "view",
    [
        *("Mean over seeds", "Accuracy against cost", "Settings", "Accuracy per class"),
        "Disagreements",
    ],
)
def test_every_comparison_of_two_rows_is_shown(store, view):
    runs = [a_finished_run(store), a_finished_run(store, validation=0.2)]
    app = open_page("results", run=runs)
    app.segmented_control(key="results_view").select(view).run()
    assert not app.exception


def test_a_name_given_in_results_is_the_name_of_the_run_everywhere(store):
    run_id, _ = a_running_run(store)
    app = open_page("results", run=run_id)
    [name] = [each for each in app.text_input if each.label == "Name"]
    name.set_value("my net")
    [save] = [each for each in app.button if each.label == "Save"]
    save.click().run()
    assert not app.exception
    assert store.run(run_id).title == "my net"
    assert open_page("train", run=run_id).title[0].value == "my net"


def test_a_run_that_is_live_cannot_be_deleted_and_the_button_says_why(store):
    run_id, _ = a_running_run(store)
    button = open_page("results", run=run_id).button(key="results_delete")
    assert button.disabled
    assert button.help == (
        "Only a run that has ended can be deleted. Stop it on the page Train first."
    )


def test_a_deleted_row_is_brought_back_by_undo(store):
    run_id = a_finished_run(store)
    app = open_page("results", run=run_id)
    app.button(key="results_delete").click().run()
    assert table(app) == []
    app.button(key="results_undo").click().run()
    assert len(table(app)) == 1


def test_a_row_is_trained_again_from_fresh_seeds(store):
    run_ids = [a_finished_run(store, seed=seed) for seed in (0, 4)]
    app = open_page("results", run=run_ids)
    app.button(key="results_fresh").click().run()
    assert not app.exception
    assert sorted(run.request.seed for run in store.runs(states=["queued"])) == [5, 6, 7]


def test_a_hidden_row_is_shown_on_demand(store):
    run_id = a_finished_run(store)
    app = open_page("results", run=run_id)
    app.button(key="results_hide").click().run()
    assert table(app) == []
    app.toggle(key="results_hidden").set_value(True).run()
    assert len(table(app)) == 1


def test_runs_from_another_lab_are_taken_over(store, tmp_path):
    run_id = a_finished_run(store, preset="lenet5")
    parcel = export_bytes(store, [run_id])
    store.delete(run_id)
    app = open_page("results")
    app.file_uploader(key="results_import").upload("runs.zip", parcel, "application/zip").run()
    app.button(key="results_import_take").click().run()
    assert not app.exception
    assert [row["name"] for row in table(app)] == ["lenet5"]
    assert runs_in_address(app) == [run_id]


def test_results_without_runs_lead_to_train():
    assert "No runs yet" in texts(open_page("results"))
