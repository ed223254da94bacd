"""Inspect: with an empty and with a filled store, whatever the layer; and what is not there."""

import io
from dataclasses import replace

import numpy as np
import pytest
from example_runs import a_request, a_running_run, started, the_end
from inspecting import (
    PLAIN,
    RESIDUAL,
    a_saved_run,
    a_stroke,
    open_inspect,
    parts,
    said,
    with_pad,
)
from PIL import Image
from sample_data import prepared_now

from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.nets.model import build_model
from cnnlib.probe import graph
from cnnlib.records.events import WeightsSaved
from cnnlib.runs import RunStore
from cnnlib.train.checkpoint import write_weights
from cnnlib.ui.common import network_cache
from cnnlib.ui.common.messages import fragment
from cnnlib.ui.inspect.step_slider import marks_html


@pytest.fixture
def store():
    with_folders = RunStore()
    yield with_folders
    with_folders.close()


def test_with_no_run_there_is_a_sentence_and_a_link():
    assert "No run yet. Train a network" in said(open_inspect())


def test_a_run_without_saved_weights_is_a_sentence(store):
    run_id, worker_id = a_running_run(store)
    assert "saved no weights yet" in said(open_inspect())
    store.record_events(run_id, worker_id, [the_end("failed")])
    assert "ended before it saved any weights" in said(open_inspect())


def test_a_deleted_run_is_a_sentence(store):
    a_saved_run(store)
    app = open_inspect(run="gone")
    assert "The run gone that this address names was deleted" in said(app)
    assert parts(app)


@pytest.mark.parametrize("spec", [PLAIN, RESIDUAL], ids=["plain", "residual"])
def test_filters_maps_and_numbers_of_every_layer_are_shown(store, spec):
    a_saved_run(store, spec)
    app = open_inspect()
    for step in graph.steps(plan(spec)):
        app.selectbox(key="inspect_layer").select(step.name).run()
        assert not app.exception and not app.error, step.name
        assert parts(app), step.name


def test_the_address_names_run_step_picture_and_layer(store):
    first = a_saved_run(store)
    a_saved_run(store, RESIDUAL)
    app = open_inspect(run=first, step="0", picture="3", layer="features.conv2")
    assert app.selectbox(key="inspect_run").value == first
    assert "At step 0 the network says" in said(app)
    assert app.number_input(key="inspect_picture").value == 3
    assert app.selectbox(key="inspect_layer").value == "features.conv2"


def test_a_saved_step_is_read_once_for_the_same_view(store, monkeypatch):
    a_saved_run(store)
    reads = []
    read = network_cache.read_arrays
    monkeypatch.setattr(network_cache, "read_arrays", lambda path: reads.append(path) or read(path))
    app = open_inspect()
    for layer in ("features.conv2", "features.act1", "classifier.fc1"):
        app.selectbox(key="inspect_layer").select(layer).run()
    app.number_input(key="inspect_picture").set_value(7).run()
    assert len(reads) == 1
    app.select_slider[0].set_value(0).run()
    app.select_slider[0].set_value(5).run()
    assert len(reads) == 2


def test_two_moments_are_shown_side_by_side(store):
    a_saved_run(store)
    app = open_inspect()
    app.toggle(key="inspect_pinning").set_value(True).run()
    app.select_slider[0].set_value(0).run()
    assert "**Step 5** (pinned)" in said(app) and "**Step 0**" in said(app)
    assert len(parts(app)) == 2 + 2 + 1  # filters and maps of both, and the arithmetic


def test_moments_are_stepped_through_and_checkpoints_are_marked(store):
    a_saved_run(store, moments=(0, 2, 5))
    app = open_inspect()
    assert app.button(key="inspect_step_on").disabled
    app.button(key="inspect_step_back").click().run()
    assert app.select_slider[0].value == 2
    assert "At step 2 the network says" in said(app)
    marks = marks_html([0, 2, 5], frozenset({5}))
    assert marks.count("<span") == 3 and 'title="step 5, checkpoint"' in marks
    assert "resumed or forked" in marks
    assert "resumed or forked" not in marks_html([0, 2, 5], frozenset())


def test_a_run_that_goes_on_is_followed_and_told_that_somebody_looks(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(
        run_id, worker_id, [replace(started(), fingerprint=prepared_now("digits").info.fingerprint)]
    )
    folder = store.folders.run(run_id)
    orders = []
    folder.mkdir(parents=True, exist_ok=True)

    def save(step: int, name: str, what: str) -> None:
        size = write_weights(folder / name, build_model(a_request().spec, seed=step), step)
        orders.extend(
            store.record_events(run_id, worker_id, [WeightsSaved(step, name, what, size)])
        )

    save(0, "s0.safetensors", "snapshot")
    save(3, "latest.safetensors", "latest")
    app = open_inspect(run=run_id)
    assert app.select_slider[0].value == 3
    save(4, "latest.safetensors", "latest")
    app.run()
    assert app.select_slider[0].value == 4  # it stood at the end, and the end moved on
    app.select_slider[0].set_value(0).run()
    save(5, "latest.safetensors", "latest")
    app.run()
    assert app.select_slider[0].value == 0
    assert "look" in [order.kind for order in orders]


@pytest.mark.parametrize("text", ["²", "9" * 5000, "-1", "x"])
def test_a_number_in_the_address_that_is_none_is_left_alone(store, text):
    a_saved_run(store)
    app = open_inspect(step=text, picture=text)
    assert app.number_input(key="inspect_picture").value == 0
    assert "At step 5 the network says" in said(app)


def test_while_a_run_goes_on_only_quick_panels_take_the_weights_that_do_not_stay(store):
    run_id = a_run_under_way(store)
    app = open_inspect(run=run_id)
    assert app.select_slider[0].options == ["0", "2", "3"]
    app.segmented_control(key="inspect_view").set_value("Surgery").run()
    assert app.select_slider[0].options == ["0", "2"]
    assert "At step 2 the network says" in said(app)
    app.segmented_control(key="inspect_view").set_value("Gradients").run()
    assert app.select_slider[0].options == ["0", "2", "3"]


@pytest.fixture
def looks(monkeypatch) -> list[float | None]:
    """After how many seconds the part of the page below the picture runs again by itself."""
    noted: list[float | None] = []

    def note(part, run_every=None):
        noted.append(run_every)
        return fragment(part, run_every)

    monkeypatch.setattr("cnnlib.ui.inspect.panels.fragment", note)
    return noted


def test_a_run_under_way_is_looked_at_every_second_by_one_part_of_the_page(store, looks):
    app = open_inspect(run=a_run_under_way(store))
    assert looks[-1] == 1.0
    app.segmented_control(key="inspect_view").set_value("Surgery").run()
    assert looks[-1] is None


def test_play_goes_on_by_itself_to_the_last_moment(store, looks):
    a_saved_run(store, moments=(0, 2, 5))
    app = open_inspect(step="0")
    assert looks[-1] is None
    app.toggle(key="inspect_play").set_value(True).run()
    assert (looks[-1], app.select_slider[0].value) == (1.0, 0)
    for expected in (2, 5):
        app.session_state["inspect_played_at"] -= 1.0  # a second goes by
        app.run()
        assert app.select_slider[0].value == expected
    assert app.toggle(key="inspect_play").value is False
    app.run()
    assert looks[-1] is None


def test_a_pinned_moment_is_one_that_stays(store):
    app = open_inspect(run=a_run_under_way(store))
    app.toggle(key="inspect_pinning").set_value(True).run()
    assert "**Step 2** (pinned)" in said(app) and "**Step 3**" in said(app)


def a_run_under_way(store: RunStore) -> str:
    """It kept steps 0 and 2; its newest weights are of step 3."""
    run_id, worker_id = a_running_run(store)
    begun = replace(started(), fingerprint=prepared_now("digits").info.fingerprint)
    store.record_events(run_id, worker_id, [begun])
    folder = store.folders.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    for step, name, what in (
        (0, "s0.safetensors", "snapshot"),
        (2, "s2.safetensors", "snapshot"),
        (3, "latest.safetensors", "latest"),
    ):
        size = write_weights(folder / name, build_model(a_request().spec, seed=step), step)
        store.record_events(run_id, worker_id, [WeightsSaved(step, name, what, size)])
    return run_id


def test_dead_maps_are_marked(store):
    a_saved_run(store)
    app = open_inspect(layer="features.act2")
    app.toggle(key="inspect_dead").set_value(True).run()
    assert "maps are dead: they say the same of all 200 pictures tried" in said(app)


def test_the_class_of_ones_own_picture_can_be_told(store):
    a_saved_run(store)
    app = open_inspect(view="Gradients")
    app.segmented_control(key="inspect_source").set_value("Upload").run()
    app.file_uploader(key="inspect_upload").set_value(
        [("mine.png", encoded(40, 40), "image/png")]
    ).run()
    app.selectbox(key="inspect_own_class").select(3).run()
    assert "Loss on this picture" in said(app)


def test_until_something_is_drawn_the_test_picture_stays(store, monkeypatch):
    with_pad(monkeypatch)
    a_saved_run(store)
    app = open_inspect()
    app.segmented_control(key="inspect_source").set_value("Draw").run()
    assert "Draw something. Until then the test picture stays." in said(app)
    assert "Its class is" in said(app)


def test_what_is_drawn_here_is_looked_at(store, monkeypatch):
    with_pad(monkeypatch, a_stroke())
    a_saved_run(store)
    app = open_inspect()
    app.segmented_control(key="inspect_source").set_value("Draw").run()
    assert not app.exception and "Its class is" not in said(app)
    assert "Your drawing, as the network sees it." in said(app)


def encoded(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (width, height), 90).save(out, "PNG")
    return out.getvalue()


def test_a_picture_of_twenty_megapixels_is_brought_to_size(store):
    a_saved_run(store)
    app = open_inspect()
    app.segmented_control(key="inspect_source").set_value("Upload").run()
    app.file_uploader(key="inspect_upload").set_value(
        [("large.png", encoded(5000, 4000), "image/png")]
    ).run()
    assert not app.exception
    assert "Your picture of 5,000 × 4,000 pixels, brought to 28 × 28" in said(app)


def test_an_upload_that_is_no_picture_is_a_sentence(store):
    a_saved_run(store)
    app = open_inspect()
    app.segmented_control(key="inspect_source").set_value("Upload").run()
    app.file_uploader(key="inspect_upload").set_value([("a.png", b"no", "image/png")]).run()
    assert "This file cannot be looked at: it is none of PNG" in said(app)
    assert parts(app)


def test_pictures_that_are_gone_are_a_sentence(store):
    run_id = a_saved_run(store)
    assert run_id
    worker_id = store.register_worker()
    other = store.submit(a_request(dataset="folder:gone"))
    store.claim(worker_id, other)
    folder = store.folders.run(other)
    folder.mkdir(parents=True)
    size = write_weights(folder / "s.safetensors", build_model(a_request().spec), 0)
    store.record_events(
        other, worker_id, [WeightsSaved(0, "s.safetensors", "snapshot", size), the_end()]
    )
    assert r"There is no prepared copy of folder\:gone" in said(open_inspect(run=other))


# -- the other panels ------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [PLAIN, RESIDUAL], ids=["plain", "residual"])
def test_gradients_of_every_layer_are_shown(store, spec):
    a_saved_run(store, spec)
    app = open_inspect(view="Gradients")
    for step in graph.steps(plan(spec)):
        app.selectbox(key="inspect_layer").select(step.name).run()
        assert not app.exception and not app.error, step.name
    app.toggle(key="inspect_gradients_over_time").set_value(True).run()
    assert len(app.get("plotly_chart")) == 3


def test_the_loss_needs_the_true_class(store):
    a_saved_run(store)
    app = open_inspect(view="Gradients")
    app.segmented_control(key="inspect_source").set_value("Upload").run()
    app.file_uploader(key="inspect_upload").set_value(
        [("mine.png", encoded(40, 40), "image/png")]
    ).run()
    assert "The loss needs the true class" in said(app)


@pytest.mark.parametrize("spec", [PLAIN, RESIDUAL], ids=["plain", "residual"])
def test_every_method_explains_and_is_checked(store, spec):
    a_saved_run(store, spec)
    app = open_inspect(view="Why this answer")
    for method in ("saliency", "integrated", "occlusion", "grad_cam", "guided"):
        app.segmented_control(key="inspect_method").set_value(method).run()
        assert not app.exception and not app.error, method
        assert "no better than random order" in said(app)  # it was never trained


def test_a_method_that_does_not_apply_says_why(store):
    a_saved_run(store, CNNSpec(channels=(4,), activation="tanh"))
    app = open_inspect(view="Why this answer")
    app.segmented_control(key="inspect_method").set_value("guided").run()
    assert "Guided backprop is defined for ReLU" in said(app)


# -- what is sent to the browser -------------------------------------------------------------------


def test_few_values_are_sent_exactly_and_many_as_bytes():
    from cnnlib.ui.common.components import MOST_EXACT_VALUES, grid_data

    assert grid_data(np.zeros((2, 3, 3)), "together")["exact"]
    many = np.random.default_rng(0).normal(size=(MOST_EXACT_VALUES // 64 + 1, 8, 8))
    assert not grid_data(many, "together")["exact"]


def test_colours_are_symmetric_about_zero_where_values_are_signed():
    from cnnlib.ui.common.components import grid_data

    tiles = np.array([[[-1.0, 2.0]], [[0.5, 0.0]]])
    assert grid_data(tiles, "together")["limits"] == [[-2.0, 2.0]]
    assert grid_data(tiles, "each")["limits"] == [[-2.0, 2.0], [-0.5, 0.5]]
    assert grid_data(tiles, 4.0)["limits"] == [[-4.0, 4.0]]
    assert grid_data(np.abs(tiles), "together")["limits"] == [[0.0, 2.0]]
