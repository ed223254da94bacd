"""Tests of the Inspect page: every panel and layer, empty stores, missing data, live runs."""

import io
from base64 import b64encode
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from apps import AppTest, components
from drawings import STROKES, painted
from example_runs import a_request, a_running_run, started, the_end
from inspecting import (
    MAIN,
    PLAIN,
    RESIDUAL,
    a_run_with_even_errors,
    a_saved_run,
    a_stroke,
    address,
    open_inspect,
    open_lesson,
    page_text,
    snapshot_name,
    with_pad,
)
from PIL import Image
from sample_data import copied_digits, prepared_now

from cnnlib.design.columns import columns
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.nets.model import build_model
from cnnlib.probe import graph
from cnnlib.probe.drawing import prepare_drawing
from cnnlib.records.events import WeightsSaved
from cnnlib.runs import RunStore
from cnnlib.train.checkpoint import write_weights
from cnnlib.ui.common import saved_steps
from cnnlib.ui.common.messages import fragment
from cnnlib.ui.common.urls import INSPECT
from cnnlib.ui.inspect.network import layer_of
from cnnlib.ui.inspect.page import CONVOLUTION, MAPS, REASONS, TABS
from cnnlib.ui.inspect.step_slider import marks_html

OF_A_RUN = [tab for tab in TABS if tab != CONVOLUTION]


@pytest.fixture
def store():
    opened = RunStore()
    yield opened
    opened.close()


@pytest.mark.parametrize("view", OF_A_RUN)
def test_with_no_run_there_is_a_sentence_and_a_link(view):
    app = open_inspect(view=view)
    assert "No run yet. Train a network" in page_text(app)
    assert [link.proto.page for link in app.get("page_link")] == ["train"]


def test_the_lesson_is_the_first_tab_and_needs_no_run():
    assert next(iter(TABS)) == CONVOLUTION
    for app in (open_inspect(), open_lesson()):
        assert app.segmented_control(key="inspect_view").value == CONVOLUTION
        assert "**Output: 28 × 28**" in page_text(app)
        assert "No run yet" not in page_text(app)


def test_the_old_address_of_the_lesson_opens_it_where_there_are_runs(store):
    a_saved_run(store)
    assert open_lesson().segmented_control(key="inspect_view").value == CONVOLUTION
    assert open_inspect().segmented_control(key="inspect_view").value == MAPS


@pytest.mark.parametrize("view", TABS)
def test_a_tab_opens_with_a_sentence_and_ends_with_a_next_step(store, view):
    a_run_with_even_errors(store)
    app = open_inspect(view=view)
    shown = [each.value for each in [*app.title, *app.markdown]]
    assert shown[:2] == ["Look inside", TABS[view].sentence]
    following = [*TABS, None][list(TABS).index(view) + 1]
    if following is None:
        assert [link.proto.page for link in app.get("page_link")] == ["results"]
        return
    app.button(key="inspect_next").click().run()
    assert not app.exception
    assert app.segmented_control(key="inspect_view").value == following


def test_the_address_holds_what_is_shown(store):
    run_id = a_saved_run(store)
    app = open_inspect()
    app.selectbox(key="inspect_layer").select("features.conv2").run()
    app.select_slider[0].set_value(0).run()
    app.number_input(key="inspect_picture").set_value(3).run()
    expected = {"run": run_id, "view": MAPS, "step": "0", "picture": "3"}
    assert address(app) == expected | {"layer": "features.conv2"}
    app.segmented_control(key="inspect_view").set_value(CONVOLUTION).run()
    assert address(app) == {"view": CONVOLUTION}
    assert not app.query_params  # each change of them would be an entry of the browser's history


def test_a_drawing_that_was_brought_opens_the_reasons(store):
    """The Draw page stores it: its button asks why the network predicts what it does."""
    a_saved_run(store)
    app = AppTest.from_file(str(MAIN), default_timeout=60).run()
    app.session_state["inspect_drawing"] = prepare_drawing(painted(STROKES["7"]))
    app.switch_page(str(INSPECT)).run()
    assert app.segmented_control(key="inspect_view").value == REASONS
    assert "Your drawing, prepared for the network." in page_text(app)


def test_a_run_without_saved_weights_is_a_sentence(store):
    run_id, worker_id = a_running_run(store)
    assert "saved no weights yet" in page_text(open_inspect())
    store.record_events(run_id, worker_id, [the_end("failed")])
    assert "ended before it saved any weights" in page_text(open_inspect())


def test_a_deleted_run_is_a_sentence(store):
    a_saved_run(store)
    app = open_inspect(run="gone")
    assert "The address names the run gone, but there is no such run here" in page_text(app)
    assert components(app)
    other = a_saved_run(store)
    app.run()
    app.selectbox(key="inspect_run").select(other).run()
    assert "The address names the run" not in page_text(app)


def test_a_deleted_run_is_a_sentence_where_there_is_no_other():
    app = open_inspect(run="gone")
    assert "The address names the run gone, but there is no such run here" in page_text(app)
    assert [link.proto.page for link in app.get("page_link")] == ["train"]


@pytest.mark.parametrize("spec", [PLAIN, RESIDUAL], ids=["plain", "residual"])
def test_filters_maps_and_numbers_of_every_layer_are_shown(store, spec):
    a_saved_run(store, spec)
    app = open_inspect()
    for step in graph.steps(plan(spec)):
        app.selectbox(key="inspect_layer").select(step.name).run()
        assert not app.exception and not app.error, step.name
        assert components(app), step.name


@pytest.mark.parametrize("spec", [PLAIN, RESIDUAL], ids=["plain", "residual"])
def test_each_column_of_the_network_chooses_a_layer_with_its_channels(spec):
    for column in columns(plan(spec))[1:]:
        step = graph.step_named(plan(spec), layer_of(plan(spec), column))
        assert step.kind in ("conv2d", "sum", "linear", "global_avg_pool")
        assert step.out_shape[0] == column.shape[0]


def test_the_network_shows_the_picture_at_the_chosen_step(store):
    run_id = a_saved_run(store)
    app = open_inspect(layer="features.act2", picture="3")
    app.select_slider[0].set_value(0).run()
    shown = components(app)[0]
    assert shown["script"].endswith("/inspect/network.bundle.js")
    assert shown["run"] == {"id": run_id} and shown["chosen"] == [2, 0]
    name, _, written = shown["saved"]["weights"].partition("@")
    path = store.folders.run(run_id) / name
    assert (name, int(written)) == (snapshot_name(0), path.stat().st_mtime_ns)
    picture = copied_digits().test_images[3]
    assert shown["saved"]["pixels"] == b64encode(picture.tobytes()).decode()
    assert shown["saved"]["label"] == copied_digits().test_labels[3]


def test_the_address_names_run_step_picture_and_layer(store):
    first = a_saved_run(store)
    a_saved_run(store, RESIDUAL)
    app = open_inspect(run=first, step="0", picture="3", layer="features.conv2")
    assert app.selectbox(key="inspect_run").value == first
    assert "At step 0 the network predicts" in page_text(app)
    assert app.number_input(key="inspect_picture").value == 3
    assert app.selectbox(key="inspect_layer").value == "features.conv2"


def test_a_saved_step_is_read_once_for_the_same_view(store, monkeypatch, page_viewer):
    a_saved_run(store)
    reads = []
    read = saved_steps.read_arrays
    monkeypatch.setattr(saved_steps, "read_arrays", lambda path: reads.append(path) or read(path))
    app = open_inspect()
    for layer in ("features.conv2", "features.act1", "classifier.fc1"):
        app.selectbox(key="inspect_layer").select(layer).run()
    app.number_input(key="inspect_picture").set_value(7).run()
    assert (len(reads), page_viewer.asked) == (1, ["layer_outputs"] * 2)  # of two pictures
    app.selectbox(key="inspect_layer").select("features.conv2").run()
    app.select_slider[0].set_value(0).run()
    app.select_slider[0].set_value(5).run()
    assert (len(reads), page_viewer.asked) == (2, ["layer_outputs"] * 3)


@pytest.mark.parametrize("view", OF_A_RUN)
def test_until_the_viewer_is_ready_a_sentence_stands_for_the_panel(store, page_viewer, view):
    a_run_with_even_errors(store)
    page_viewer.is_ready = False
    app = open_inspect(view=view)
    assert page_text(app).count("The viewer is starting") == 1
    assert not app.error and not app.warning
    page_viewer.is_ready = True
    app.run()
    assert "The viewer is starting" not in page_text(app)
    assert "the network predicts" in page_text(app)


def test_weights_of_another_design_are_a_sentence(store):
    run_id = a_saved_run(store)
    path = store.folders.run(run_id) / snapshot_name(5)
    write_weights(path, build_model(RESIDUAL, seed=0), 5)
    assert "The saved weights do not fit the design of their run" in page_text(
        open_inspect(view="Gradients")
    )


def test_two_saved_steps_are_shown_side_by_side(store):
    a_saved_run(store)
    app = open_inspect()
    app.toggle(key="inspect_pinning").set_value(True).run()
    app.select_slider[0].set_value(0).run()
    assert "**Step 5** (pinned)" in page_text(app) and "**Step 0**" in page_text(app)
    # The network; filters and maps of both steps; the arithmetic.
    assert len(components(app)) == 1 + 2 + 2 + 1


def test_step_buttons_move_the_slider_and_checkpoints_are_marked(store):
    a_saved_run(store, saved_steps=(0, 2, 5))
    app = open_inspect()
    assert app.button(key="inspect_step_on").disabled
    app.button(key="inspect_step_back").click().run()
    assert app.select_slider[0].value == 2
    assert "At step 2 the network predicts" in page_text(app)
    marks = marks_html([0, 2, 5], frozenset({5}))
    assert marks.count("<span") == 3 and 'title="step 5, checkpoint"' in marks
    assert "resumed or forked" in marks
    assert "resumed or forked" not in marks_html([0, 2, 5], frozenset())


def test_the_slider_follows_a_live_run_and_requests_its_latest_weights(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(
        run_id, worker_id, [replace(started(), fingerprint=prepared_now("digits").info.fingerprint)]
    )
    folder = store.folders.run(run_id)
    commands = []
    folder.mkdir(parents=True, exist_ok=True)

    def save(step: int, name: str, what: str) -> None:
        size = write_weights(folder / name, build_model(a_request().spec, seed=step), step)
        commands.extend(
            store.record_events(run_id, worker_id, [WeightsSaved(step, name, what, size)])
        )

    save(0, snapshot_name(0), "snapshot")
    save(3, "latest.safetensors", "latest")
    app = open_inspect(run=run_id)
    assert app.select_slider[0].value == 3
    save(4, "latest.safetensors", "latest")
    app.run()
    assert app.select_slider[0].value == 4  # the slider was at the end, which has moved
    app.select_slider[0].set_value(0).run()
    save(5, "latest.safetensors", "latest")
    app.run()
    assert app.select_slider[0].value == 0
    assert "look" in [command.kind for command in commands]


@pytest.mark.parametrize("text", ["²", "9" * 5000, "-1", "x"])
def test_a_number_in_the_address_that_is_none_is_left_alone(store, text):
    a_saved_run(store)
    app = open_inspect(step=text, picture=text)
    assert app.number_input(key="inspect_picture").value == 0
    assert "At step 5 the network predicts" in page_text(app)


def test_only_fast_panels_use_the_latest_weights_of_a_live_run(store):
    run_id = create_live_run(store)
    app = open_inspect(run=run_id)
    assert app.select_slider[0].options == ["0", "2", "3"]
    app.segmented_control(key="inspect_view").set_value("Ablation").run()
    assert app.select_slider[0].options == ["0", "2"]
    assert "At step 2 the network predicts" in page_text(app)
    app.segmented_control(key="inspect_view").set_value("Gradients").run()
    assert app.select_slider[0].options == ["0", "2", "3"]


@pytest.fixture
def intervals(monkeypatch) -> list[float | None]:
    """Return the recorded rerun intervals, in seconds, of the fragment with the panel."""
    recorded: list[float | None] = []

    def record(part, run_every=None):
        recorded.append(run_every)
        return fragment(part, run_every)

    monkeypatch.setattr("cnnlib.ui.inspect.page.fragment", record)
    return recorded


def test_only_the_panel_of_a_live_run_is_updated_every_second(store, intervals):
    app = open_inspect(run=create_live_run(store))
    assert intervals[-1] == 1.0
    app.segmented_control(key="inspect_view").set_value("Ablation").run()
    assert intervals[-1] is None


def test_play_advances_to_the_last_saved_step(store, intervals, monkeypatch):
    now = [100.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("cnnlib.ui.inspect.step_slider.time", clock)
    a_saved_run(store, saved_steps=(0, 2, 5))
    app = open_inspect(step="0")
    assert intervals[-1] is None
    app.toggle(key="inspect_play").set_value(True).run()
    assert (intervals[-1], app.select_slider[0].value) == (1.0, 0)
    for expected in (2, 5):
        now[0] += 1.0
        app.run()
        assert app.select_slider[0].value == expected
    assert app.toggle(key="inspect_play").value is False
    app.run()
    assert intervals[-1] is None


def test_only_kept_steps_can_be_pinned(store):
    app = open_inspect(run=create_live_run(store))
    app.toggle(key="inspect_pinning").set_value(True).run()
    assert "**Step 2** (pinned)" in page_text(app) and "**Step 3**" in page_text(app)


def create_live_run(store: RunStore) -> str:
    """Create a live run with kept weights of steps 0 and 2 and `latest` weights of step 3."""
    run_id, worker_id = a_running_run(store)
    start = replace(started(), fingerprint=prepared_now("digits").info.fingerprint)
    store.record_events(run_id, worker_id, [start])
    folder = store.folders.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    for step, name, what in (
        (0, snapshot_name(0), "snapshot"),
        (2, snapshot_name(2), "snapshot"),
        (3, "latest.safetensors", "latest"),
    ):
        size = write_weights(folder / name, build_model(a_request().spec, seed=step), step)
        store.record_events(run_id, worker_id, [WeightsSaved(step, name, what, size)])
    return run_id


def test_dead_maps_are_marked(store):
    a_saved_run(store)
    app = open_inspect(layer="features.act2")
    app.toggle(key="inspect_dead").set_value(True).run()
    assert "A dead map has the same value on all 200 tested pictures" in page_text(app)


def test_the_class_of_an_own_picture_can_be_chosen(store):
    a_saved_run(store)
    app = open_inspect(view="Gradients")
    app.segmented_control(key="inspect_source").set_value("Upload").run()
    app.file_uploader(key="inspect_upload").set_value(
        [("mine.png", encode_png(40, 40), "image/png")]
    ).run()
    app.selectbox(key="inspect_own_class").select(3).run()
    assert "Loss on this picture:" in page_text(app)


def test_until_something_is_drawn_the_test_picture_stays(store, monkeypatch):
    with_pad(monkeypatch)
    a_saved_run(store)
    app = open_inspect()
    app.segmented_control(key="inspect_source").set_value("Draw").run()
    assert "Draw something. Until then the test picture is shown." in page_text(app)
    assert "True class: " in page_text(app)


def test_a_drawing_is_used_as_the_picture(store, monkeypatch):
    with_pad(monkeypatch, a_stroke())
    a_saved_run(store)
    app = open_inspect()
    app.segmented_control(key="inspect_source").set_value("Draw").run()
    assert not app.exception and "True class: " not in page_text(app)
    assert "Your drawing, prepared for the network." in page_text(app)


def encode_png(width: int, height: int) -> bytes:
    """Return a grey picture as PNG."""
    out = io.BytesIO()
    Image.new("L", (width, height), 90).save(out, "PNG")
    return out.getvalue()


def test_a_picture_of_twenty_megapixels_is_brought_to_size(store):
    a_saved_run(store)
    app = open_inspect()
    app.segmented_control(key="inspect_source").set_value("Upload").run()
    app.file_uploader(key="inspect_upload").set_value(
        [("large.png", encode_png(5000, 4000), "image/png")]
    ).run()
    assert not app.exception
    assert "Your picture of 5,000 × 4,000 pixels, resized to 28 × 28" in page_text(app)


def test_an_upload_without_contrast_is_a_sentence(store):
    a_saved_run(store)
    app = open_inspect()
    app.segmented_control(key="inspect_source").set_value("Upload").run()
    out = io.BytesIO()
    Image.new("L", (28, 28), 9).save(out, "PNG")
    app.file_uploader(key="inspect_upload").set_value([("a.png", out.getvalue(), "image/png")])
    app.run()
    assert "all its pixels have the same value" in app.warning[0].value


def test_an_upload_of_ink_on_paper_is_said_and_prepared_on_request(store):
    a_saved_run(store)
    app = open_inspect()
    app.segmented_control(key="inspect_source").set_value("Upload").run()
    out = io.BytesIO()
    Image.fromarray(255 - painted(STROKES["7"])[..., 0]).save(out, "PNG")
    app.file_uploader(key="inspect_upload").set_value([("7.png", out.getvalue(), "image/png")])
    app.run()
    assert "dark ink on a light ground" in app.warning[0].value
    assert "Prepare it as a drawing" in app.warning[0].value
    app.checkbox(key="inspect_as_drawing").check().run()
    assert not app.exception and not app.warning
    assert "The ink of your picture of 280 × 280 pixels, prepared." in page_text(app)


def test_an_upload_that_is_no_picture_is_a_sentence(store):
    a_saved_run(store)
    app = open_inspect()
    app.segmented_control(key="inspect_source").set_value("Upload").run()
    app.file_uploader(key="inspect_upload").set_value([("a.png", b"no", "image/png")]).run()
    assert "This file cannot be read as a picture: " in page_text(app)
    assert components(app)


def test_pictures_that_are_gone_are_a_sentence(store):
    run_id = a_saved_run(store)
    assert run_id
    worker_id = store.workers.register()
    other = store.submit(a_request(dataset="folder:gone"))
    store.claim(worker_id, other)
    folder = store.folders.run(other)
    folder.mkdir(parents=True)
    size = write_weights(folder / "s.safetensors", build_model(a_request().spec), 0)
    store.record_events(
        other, worker_id, [WeightsSaved(0, "s.safetensors", "snapshot", size), the_end()]
    )
    assert r"There is no prepared copy of folder\:gone" in page_text(open_inspect(run=other))


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
        [("mine.png", encode_png(40, 40), "image/png")]
    ).run()
    assert "the loss needs the true class" in page_text(app)


@pytest.mark.parametrize("spec", [PLAIN, RESIDUAL], ids=["plain", "residual"])
def test_every_method_explains_and_is_checked(store, spec):
    a_saved_run(store, spec)
    app = open_inspect(view="Why this answer")
    for method in ("saliency", "integrated", "occlusion", "grad_cam", "guided"):
        app.segmented_control(key="inspect_method").set_value(method).run()
        assert not app.exception and not app.error, method
        assert "Not informative: " in page_text(app)  # the network is untrained
        assert ("a gap of " in page_text(app)) == (method == "integrated")
        other = "occlusion" if method == "integrated" else "integrated"
        app.button(key="inspect_other_method").click().run()
        assert app.segmented_control(key="inspect_method").value == other


def test_a_network_whose_outputs_are_not_numbers_has_a_sentence_and_no_verdict(store):
    run_id = a_saved_run(store)
    net = build_model(PLAIN, seed=5)
    for parameter in net.parameters():
        parameter.data.fill_(float("nan"))
    write_weights(store.folders.run(run_id) / snapshot_name(5), net, 5)
    shown = page_text(open_inspect(view="Why this answer"))
    assert "The outputs of this network are not numbers (NaN or infinite)" in shown
    assert "nformative" not in shown


def test_a_method_that_does_not_apply_shows_the_reason(store):
    a_saved_run(store, CNNSpec(channels=(4,), activation="tanh"))
    app = open_inspect(view="Why this answer")
    app.segmented_control(key="inspect_method").set_value("guided").run()
    assert "Guided backprop is defined for networks with ReLU" in page_text(app)


# -- data for the browser --------------------------------------------------------------------------


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
