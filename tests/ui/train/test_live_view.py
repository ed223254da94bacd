"""Tests of the live section of the Train page: predictions, layers, confusions, forks."""

import json

import numpy as np
import pytest
from apps import AppTest, components
from example_runs import a_checkpoint, a_request, an_epoch, started, the_end
from inspecting import MAIN, RESIDUAL, a_saved_run, a_stroke, page_text, with_pad

from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.events import Command
from cnnlib.records.run import Origin
from cnnlib.runs import RunStore
from cnnlib.ui.common.urls import TRAIN
from cnnlib.ui.train.live_view import (
    STRIP_PICTURES,
    Strip,
    build_strip_data,
    class_balanced_indices,
    strip_size,
)

INFO = DatasetInfo(
    "digits", "Digits", (1, 2, 2), ("zero", "one", "two"), 4, 2, "prepared", "f00d", (0.5,), (0.5,)
)


@pytest.fixture
def store():
    opened = RunStore()
    yield opened
    opened.close()


def open_train(run_id: str, view: str | None = None) -> AppTest:
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.run()
    app.query_params["run"] = run_id
    app.switch_page(str(TRAIN)).run()
    if view is not None:
        app.button_group(key="train_look").set_value(view).run()
    assert not app.exception, app.exception
    return app


def test_closed_section_sends_only_the_curves(store):
    assert len(components(open_train(a_saved_run(store), "Off"))) == 1


def test_the_pictures_are_open_without_a_press(store):
    assert "cards" in components(open_train(a_saved_run(store)))[-1]


def test_a_run_that_waits_says_when_its_first_weights_appear(store):
    assert "The first weights appear with the first step." in page_text(
        open_train(store.submit(a_request()))
    )


def test_the_views_wrap_on_a_narrow_screen(store):
    # in a row of widgets, Streamlit cuts the options off unless told otherwise
    assert open_train(a_saved_run(store)).button_group(key="train_look").proto.wrap


def test_strip_shows_test_pictures_with_predictions(store):
    app = open_train(a_saved_run(store), "Test pictures")
    strip = components(app)[-1]
    assert len(strip["cards"]) == STRIP_PICTURES
    assert strip["step"] == 5
    card = strip["cards"][0]
    assert card["truth"] == "0" and card["uri"].startswith("data:image/png")
    assert card["right"] == card["predictions"][0]["true"]


@pytest.mark.parametrize(
    ("layer", "parts"),  # filters and maps; maps; features
    [
        ("First convolution", 2),
        ("Activation of the first convolution", 1),
        ("First linear layer", 1),
    ],
)
def test_layers_show_filters_maps_and_features(store, layer, parts):
    app = open_train(a_saved_run(store), "Layers")
    [menu] = [each for each in app.selectbox if each.label == "Layer"]
    menu.select(next(each for each in menu.options if each.startswith(f"{layer} ("))).run()
    assert not app.exception
    titles = [part["title"] for part in components(app)[1:]]
    assert len(titles) == parts, titles
    assert "Prediction: " in page_text(app)


def test_drawing_is_classified_and_has_gradients_once_its_class_is_set(store, monkeypatch):
    with_pad(monkeypatch, a_stroke())
    app = open_train(a_saved_run(store), "Layers")
    app.segmented_control(key="train_look_source").set_value("Draw").run()
    assert "Your drawing, prepared for the network." in page_text(app)
    assert "train_look_gradients" not in {each.key for each in app.toggle}
    app.selectbox(key="train_look_own_class").select(1).run()
    app.toggle(key="train_look_gradients").set_value(True).run()
    assert not app.exception
    assert all(part["title"].startswith("Gradients of the ") for part in components(app)[1:])
    assert "picture" not in app.query_params


@pytest.mark.parametrize("view", ["Test pictures", "Layers"])
def test_until_the_viewer_is_ready_a_sentence_stands_for_the_view(store, page_viewer, view):
    page_viewer.is_ready = False
    app = open_train(a_saved_run(store), view)
    assert "The viewer is starting." in page_text(app)
    assert not app.error and not app.warning
    page_viewer.is_ready = True
    app.run()
    assert "The viewer is starting." not in page_text(app)


def test_gradients_replace_filters_and_maps(store):
    app = open_train(a_saved_run(store, RESIDUAL), "Layers")
    app.toggle(key="train_look_gradients").set_value(True).run()
    assert not app.exception
    assert all(part["title"].startswith("Gradients of the ") for part in components(app)[1:])


def test_confusions_follow_the_latest_epoch_until_another_is_chosen(store):
    run_id = _a_run_with_epochs(store, 2)
    app = open_train(run_id, "Confusion matrix")
    assert "After epoch 2: 50.00 % of 8 validation pictures correct, 1 wrong." in page_text(app)
    app.select_slider(key=f"train_confusion_epoch_{run_id}").set_value(1).run()
    assert "After epoch 1" in page_text(app)


def _a_run_with_epochs(store: RunStore, count: int) -> str:
    worker_id = store.workers.register()
    run_id = store.submit(a_request())
    assert store.claim(worker_id, run_id)
    epochs = [an_epoch(epoch, 10 * epoch) for epoch in range(1, count + 1)]
    store.record_events(run_id, worker_id, [started(), *epochs])
    return run_id


def test_view_of_a_live_run_requests_fresh_weights_once(store):
    run_id = _a_run_with_epochs(store, 1)
    app = open_train(run_id, "Test pictures")
    app.run()
    app.run()
    assert _commands(store, run_id) == ["look"]
    assert "first weights" in page_text(app)


def _commands(store: RunStore, run_id: str) -> list[str]:
    from cnnlib.runs import commands

    with store.database.write() as connection:
        return [command.kind for command in commands.take(connection, run_id)]


def test_queued_run_gets_no_request(store):
    run_id = store.submit(a_request())
    open_train(run_id, "Test pictures")
    assert store.submit_command(run_id, Command("look")) == 0


def test_indices_take_the_classes_in_turn():
    # Class 0 is at 1 and 3, class 1 at 0, class 2 at 2 and 4.
    labels = np.array([1, 0, 2, 0, 2])
    assert class_balanced_indices(labels, 3, 4) == (1, 0, 2, 3)
    assert class_balanced_indices(labels, 3, 99) == (1, 0, 2, 3, 4)
    assert class_balanced_indices(labels[:0], 3, 4) == ()


def test_large_network_gets_fewer_pictures():
    assert strip_size(400_000) == STRIP_PICTURES
    assert strip_size(100_000_000) == 10  # 1e9 in all
    assert strip_size(20_000_000_000) == 1


def test_card_lists_the_likeliest_classes_first():
    strip = Strip((7,), (2,), ("data:,",))
    shown = build_strip_data(strip, np.array([[0.1, 0.6, 0.3]]), INFO, step=12)
    assert json.loads(json.dumps(shown)) == {
        "step": 12,
        "cards": [
            {
                "uri": "data:,",
                "truth": "two",
                "right": False,
                "predictions": [
                    {"name": "one", "share": 0.6, "true": False},
                    {"name": "two", "share": 0.3, "true": True},
                    {"name": "zero", "share": 0.1, "true": False},
                ],
            }
        ],
    }


# -- ended runs ------------------------------------------------------------------------------------


def test_fork_continues_from_a_checkpoint_and_is_shown_with_its_origin(store):
    worker_id = store.workers.register()
    run_id = store.submit(a_request(epochs=2))
    assert store.claim(worker_id, run_id)
    folder = store.folders.run(run_id)
    folder.mkdir(parents=True)
    (folder / "checkpoint-10").touch()
    events = [a_checkpoint(10), an_epoch(1, 10), an_epoch(2, 20), the_end()]
    store.record_events(run_id, worker_id, [started(), *events])
    app = open_train(run_id)
    app.number_input(key=f"train_fork_lr_{run_id}_10").set_value(0.005)
    app.number_input(key=f"train_fork_epochs_{run_id}_10").set_value(3)
    app.button(key="train_fork").click().run()
    fork = store.runs()[0]
    assert fork.request.origin == Origin(run_id, 10)
    # One epoch was complete at step 10, and three more are requested.
    assert (fork.request.recipe.epochs, fork.request.recipe.lr) == (4, 0.005)
    assert app.query_params["run"] == [fork.id, run_id]


def test_ended_run_without_checkpoints_has_no_fork_form(store):
    app = open_train(a_saved_run(store))
    assert "train_fork" not in {button.key for button in app.button}
    assert {"train_inspect", "train_draw", "train_results"} <= {b.key for b in app.button}
