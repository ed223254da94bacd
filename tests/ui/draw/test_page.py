"""Tests of the Draw page with an empty and a filled store; a stub replaces the pad."""

import shutil
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st
from apps import AppTest
from drawings import STROKES, painted
from example_runs import a_request, a_running_run, the_end
from PIL import Image
from sample_data import prepared_now

from cnnlib.data.drawings import save_drawing
from cnnlib.data.prepared import load_prepared
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import Origin
from cnnlib.runs import RunStore
from cnnlib.train.api import LoadedRun, fit, load_run
from cnnlib.train.control import Control
from cnnlib.train.submit import submit_fine_tuning
from cnnlib.train.worker.execute_run import execute_run
from cnnlib.train.worker.job_kinds import KINDS
from cnnlib.ui.common.urls import DRAW, LAB
from cnnlib.ui.draw.fine_tune import describe_gain

MAIN = LAB.parent.parent / "cnnlib" / "ui" / "server" / "main.py"


@pytest.fixture
def store():
    """The run store of the pages under test."""
    opened = RunStore()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory) -> tuple[Path, str]:
    """The folder and the id of a network trained on two batches of digits."""
    folder = tmp_path_factory.mktemp("trained")
    folders = Folders(data=folder / "data", runs=folder / "runs")
    recipe = Recipe(epochs=1, max_batches=2)
    loaded = fit("lenet5", "digits", recipe, device="cpu", name="reader", folders=folders)
    return folder, loaded.run.id


@pytest.fixture
def trained(trained_once, tmp_path) -> LoadedRun:
    """A copy of that network in the folders of the test."""
    folder, run_id = trained_once
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return load_run(run_id)


@pytest.fixture
def pad(monkeypatch) -> SimpleNamespace:
    """A stub of the canvas component: set what the browser returns, read its arguments."""
    # The canvas registers its files at its first import, which must happen inside Streamlit.
    AppTest.from_string("import cnnlib.ui.common.drawing_pad", default_timeout=60).run()
    sent = SimpleNamespace(image_data=None, json_data={"objects": []}, arguments={})

    def canvas(**arguments):
        sent.arguments = arguments
        return sent

    monkeypatch.setattr("cnnlib.ui.common.drawing_pad.st_canvas", canvas)
    return sent


def open_draw(**query: str | list[str]) -> AppTest:
    """Open the Draw page with URL parameters."""
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.run()
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page(str(DRAW)).run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    values = [str(each.value) for each in [*app.markdown, *app.caption, *app.warning]]
    return "\n".join([*values, *html_parts(app)])


def html_parts(app: AppTest) -> list[str]:
    return [each.proto.body for each in app.get("html")]


def shown_steps(app: AppTest) -> int:
    """The number of pictures of the preparation, without those in the answers."""
    return "".join(html_parts(app)).count("data-step=")


def columns(app: AppTest) -> list[str]:
    """The HTML of each network's answer."""
    [answers] = [part for part in html_parts(app) if 'class="answers"' in part]
    return answers.split("<section")[1:]


def choose_class(app: AppTest, name: str) -> AppTest:
    """Choose the class of the drawing."""
    return app.segmented_control(key="draw_label").select(name).run()


def test_button_trains_a_first_network(store):
    app = open_draw()
    assert "There is no trained network yet" in texts(app)
    app.button(key="draw_train").click().run()
    [run] = store.runs()
    assert (run.request.dataset, run.request.preset) == ("mnist", "cnn3")


def test_run_without_a_step_is_not_listed(store):
    store.submit(a_request())
    assert "There is no trained network yet" in texts(open_draw())


def test_a_run_that_does_not_exist_is_said(trained, pad):
    app = open_draw(run="nothing")
    assert "names the trained run nothing, but there is no such trained run" in texts(app)
    assert app.multiselect(key="draw_runs").value == [trained.run.id]


def test_empty_pad_shows_a_hint(trained, pad):
    app = open_draw()
    assert app.multiselect(key="draw_runs").value == [trained.run.id]
    assert "<strong>?</strong> <span>Draw something.</span>" in columns(app)[0]
    assert "<b>–</b>" in columns(app)[0] and "data-best" not in columns(app)[0]
    assert not app.get("plotly_chart")
    assert app.query_params["run"] in (trained.run.id, [trained.run.id])


def test_drawing_is_classified_and_every_step_is_shown(trained, pad):
    pad.image_data = painted(STROKES["7"])
    app = open_draw()
    assert "% probability" in texts(app)
    assert "of 24 small changes" in texts(app)
    assert columns(app)[0].count("<li") == 10  # a bar for each digit
    assert shown_steps(app) == 3  # as drawn, fitted, centred
    app.toggle(key="draw_centre").set_value(False).run()
    assert shown_steps(app) == 2


def test_until_the_viewer_is_ready_a_sentence_stands_for_the_prediction(trained, pad, page_viewer):
    pad.image_data = painted(STROKES["7"])
    page_viewer.is_ready = False
    app = open_draw()
    assert "The viewer is starting." in texts(app) and "probability" not in texts(app)
    assert not app.error and app.button(key="draw_keep")  # the rest of the page is there
    page_viewer.is_ready = True
    app.run()
    assert "% probability" in texts(app) and "The viewer is starting." not in texts(app)


def test_eraser_draws_in_the_background_colour(trained, pad):
    app = open_draw()
    assert pad.arguments["stroke_color"] != pad.arguments["background_color"]
    app.segmented_control(key="draw_tool").select("Eraser").run()
    assert pad.arguments["stroke_color"] == pad.arguments["background_color"]


def test_undo_removes_the_last_stroke_and_clear_removes_all(trained, pad):
    pad.image_data, pad.json_data = painted(STROKES["3"]), {"objects": ["first", "second"]}
    app = open_draw()
    app.button(key="draw_undo").click().run()
    assert pad.arguments["initial_drawing"] == {"objects": ["first"], "edition": 1}
    app.button(key="draw_clear").click().run()
    assert pad.arguments["initial_drawing"] == {"objects": [], "edition": 2}


def test_drawing_is_restored_after_another_page_or_an_upload(trained, pad):
    pad.image_data, pad.json_data = painted(STROKES["7"]), {"objects": ["one stroke"]}
    app = open_draw()
    pad.image_data = None  # the canvas returns this when it is mounted again
    app.switch_page(str(LAB)).run()
    app.switch_page(str(DRAW)).run()
    assert pad.arguments["initial_drawing"]["objects"] == ["one stroke"]
    assert "% probability" in texts(app)
    app.segmented_control(key="draw_source").select("Upload").run()
    app.segmented_control(key="draw_source").select("Draw").run()
    assert pad.arguments["initial_drawing"]["objects"] == ["one stroke"]
    app.button(key="draw_clear").click().run()
    assert "% probability" not in texts(app)


@pytest.fixture
def tab(monkeypatch, pad) -> SimpleNamespace:
    """A stub of the component that stores the drawing in the browser's tab."""
    stored = SimpleNamespace(drawing=None, is_compared=False)

    def storage(data, *, key, on_restored_change):
        if not (stored.is_compared or data["drawing"]["strokes"]) and stored.drawing:
            # The browser sends them, and the callback runs before a rerun.
            st.session_state[key] = {"restored": stored.drawing}
            on_restored_change()
        else:
            stored.drawing = data["drawing"]
        stored.is_compared = True

    monkeypatch.setattr("cnnlib.ui.common.drawing_pad._tab_storage", storage)
    return stored


@pytest.mark.parametrize("first_report", [None, np.zeros((280, 280, 4), np.uint8)])
def test_a_drawing_is_restored_in_a_new_session_of_the_same_tab(trained, pad, tab, first_report):
    pad.image_data, pad.json_data = painted(STROKES["7"]), {"objects": ["one stroke"]}
    open_draw()
    assert tab.drawing["strokes"] == ["one stroke"]
    tab.is_compared = False  # a reload
    pad.image_data, pad.json_data = first_report, {"objects": []}
    app = open_draw()
    assert pad.arguments["initial_drawing"] is None
    pad.image_data = None  # a pad that is mounted with strokes sends no picture
    app.run()
    assert pad.arguments["initial_drawing"]["objects"] == ["one stroke"]
    assert "% probability" in texts(app)
    app.button(key="draw_clear").click().run()
    assert tab.drawing["strokes"] == [] and "% probability" not in texts(app)


def test_a_new_stroke_is_not_replaced_by_the_stored_drawing(trained, pad, tab):
    tab.drawing = {"strokes": ["old"], "picture": ""}
    pad.image_data, pad.json_data = painted(STROKES["7"]), {"objects": ["new"]}
    open_draw()
    assert tab.drawing["strokes"] == ["new"]


@pytest.mark.parametrize("drawing", ["text", {"strokes": 3}, {"strokes": [1], "picture": "x"}])
def test_a_damaged_tab_storage_leaves_the_pad_usable(trained, pad, tab, drawing):
    tab.drawing = drawing
    app = open_draw()
    app.run()
    assert not app.exception and "Draw something." in "".join(columns(app))


def test_networks_are_compared_and_missing_weights_show_a_warning(trained, store, pad):
    other = fit("mlp", "digits", Recipe(epochs=1, max_batches=1), device="cpu", name="other")
    for saved in store.saved_weights(other.run.id):
        (store.folders.run(other.run.id) / saved.file).unlink()
    pad.image_data = np.ascontiguousarray(painted(STROKES["8"]))
    app = open_draw(run=trained.run.id)
    app.multiselect(key="draw_runs").select(other.run.id).run()
    assert "has no saved weights" in texts(app)
    assert "reader" in texts(app)


def as_png(pixels: np.ndarray) -> bytes:
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_uploaded_picture_on_light_paper_is_classified(trained, pad):
    app = open_draw()
    app.segmented_control(key="draw_source").select("Upload").run()
    paper = 255 - painted(STROKES["7"])[..., :3]
    app.file_uploader(key="draw_upload").upload("seven.png", as_png(paper), "image/png").run()
    assert "% probability" in texts(app)


def test_white_ink_on_nothing_is_classified(trained, pad):
    app = open_draw()
    app.segmented_control(key="draw_source").select("Upload").run()
    white = np.full((280, 280, 4), 255, np.uint8)
    white[..., 3] = painted(STROKES["7"])[..., 0]
    app.file_uploader(key="draw_upload").upload("seven.png", as_png(white), "image/png").run()
    assert "% probability" in texts(app) and not app.warning


def test_two_drawings_are_said_once(trained, pad):
    pad.image_data = np.concatenate(
        [
            painted([[(140, 60), (140, 220)]])[:, 70:210],
            painted([[(140, 60), (140, 220)]])[:, 70:210],
        ],
        1,
    )
    app = open_draw()
    [warning] = app.warning
    assert "There seem to be 2 separate drawings" in warning.value
    assert "Give each drawing a picture of its own." in warning.value


def test_a_drawing_in_a_corner_is_said_where_the_steps_that_mend_it_are_off(trained, pad):
    pad.image_data = np.roll(painted(STROKES["7"]), (-40, -70), axis=(0, 1))
    app = open_draw()
    assert not app.warning
    for step in ("fit", "centre"):
        app.toggle(key=f"draw_{step}").set_value(False).run()
    assert "The ink is higher and farther left than in the training" in app.warning[0].value
    assert "Switch Fit and Centre on" in app.warning[0].value


def test_upload_without_contrast_is_a_sentence(trained, pad):
    app = open_draw()
    app.segmented_control(key="draw_source").select("Upload").run()
    grey = np.full((28, 28, 3), 9, np.uint8)
    app.file_uploader(key="draw_upload").upload("grey.png", as_png(grey), "image/png").run()
    assert "all its pixels have the same value" in app.warning[0].value


def test_file_that_is_no_picture_shows_an_error(trained, pad):
    app = open_draw()
    app.segmented_control(key="draw_source").select("Upload").run()
    app.file_uploader(key="draw_upload").upload("seven.png", b"not a picture", "image/png").run()
    assert "seven.png cannot be read as a picture" in app.error[0].value


def test_ood_detector_is_measured_by_a_job_and_then_shown(trained, store, pad):
    pad.image_data = painted(STROKES["7"])
    app = open_draw()
    app.button(key=f"draw_measure_{trained.run.id}").click().run()
    [job] = [each for each in store.jobs.all() if each.kind == "unfamiliar"]
    assert (job.args, job.state) == ({"run": trained.run.id}, "queued")
    for _ in KINDS[job.kind](job.args, store.folders):
        pass
    app = open_draw()
    assert "of the training pictures of Digits (scikit-learn)" in texts(app)
    assert "of 359 real test pictures are called out of distribution" in texts(app)


# -- fine-tuning -----------------------------------------------------------------------------------


def test_no_class_is_chosen_before_the_person_chooses_it(trained, pad):
    pad.image_data = painted(STROKES["7"])
    app = open_draw()
    assert app.segmented_control(key="draw_label").value is None
    assert app.button(key="draw_keep").disabled and app.button(key="draw_teach").disabled
    choose_class(app, "7")
    assert not app.button(key="draw_keep").disabled and not app.button(key="draw_teach").disabled


def test_a_drawing_is_saved_and_teaching_uses_it_later(trained, store, pad):
    pad.image_data = painted(STROKES["7"])
    app = choose_class(open_draw(), "7")
    app.button(key="draw_keep").click().run()
    assert "Saved as 7." in texts(app) and "1 drawing saved for Digits" in texts(app)
    assert app.segmented_control(key="draw_label").value is None  # it is not saved again by mistake
    assert app.button(key="draw_keep").disabled and not app.button(key="draw_teach").disabled
    app.button(key="draw_teach").click().run()
    assert "1 drawing saved for Digits" in texts(app)
    assert store.runs()[0].request.origin.run_id == trained.run.id


def test_one_press_saves_the_drawing_and_teaches_the_network(trained, store, pad):
    pad.image_data = painted(STROKES["7"])
    app = choose_class(open_draw(), "7")
    app.button(key="draw_teach").click().run()
    assert "1 drawing saved for Digits" in texts(app)
    run = store.runs()[0]
    assert run.request.dataset == "folder:lesson 1 for digits"
    assert run.request.origin == Origin(trained.run.id, trained.step, weights_only=True)
    assert run.title == "reader, fine-tuned on your drawings, set 1"


@pytest.fixture
def taught(trained, store) -> LoadedRun:
    """A finished run that was fine-tuned from the trained one."""
    info = prepared_now("digits", store.folders).info
    save_drawing(np.full(info.in_size, 99, np.uint8), 7, info, store.folders)
    [run_id] = submit_fine_tuning(
        store, trained.run, trained.step, load_prepared("digits"), Recipe(epochs=1)
    )
    worker_id = store.workers.register()
    execute_run(store.claim(worker_id, run_id), store, worker_id, Control())
    store.workers.unregister(worker_id)
    return load_run(run_id)


def test_after_teaching_the_same_drawing_is_read_before_and_after(trained, taught, pad):
    pad.image_data = painted(STROKES["7"])
    app = open_draw(run=trained.run.id)
    assert len(columns(app)) == 1 and "after teaching" not in texts(app)
    app.button(key="draw_compare").click().run()
    before, after = columns(app)
    assert "before teaching" in before and "% probability" in before
    assert "after teaching" in after and "% probability" in after
    assert app.multiselect(key="draw_runs").value == [trained.run.id, taught.run.id]
    assert app.query_params["run"] == [trained.run.id, taught.run.id]
    app.button(key="draw_again").click().run()  # the next step
    assert pad.arguments["initial_drawing"]["objects"] == []


def test_a_second_lesson_starts_from_the_first_network_with_all_drawings(
    trained, taught, store, pad
):
    pad.image_data = painted(STROKES["8"])
    app = choose_class(open_draw(run=taught.run.id), "8")
    app.button(key="draw_teach").click().run()
    run = store.runs()[0]
    assert run.request.dataset == "folder:lesson 2 for digits"
    assert run.request.origin.run_id == trained.run.id
    assert "2 drawings saved for Digits" in texts(app)


def test_of_two_networks_the_one_to_teach_is_chosen(trained, store, pad):
    other = fit("mlp", "digits", Recipe(epochs=1, max_batches=1), device="cpu", name="other")
    pad.image_data = painted(STROKES["8"])
    app = open_draw(run=[trained.run.id, other.run.id])
    assert len(columns(app)) == 2
    app.selectbox(key="draw_teach_run").select(other.run.id).run()
    choose_class(app, "8").button(key="draw_teach").click().run()
    assert store.runs()[0].request.origin.run_id == other.run.id


def test_many_classes_are_a_menu_without_a_choice(trained, pad, monkeypatch):
    monkeypatch.setattr("cnnlib.ui.draw.fine_tune._MOST_BUTTONS", 9)
    pad.image_data = painted(STROKES["7"])
    app = open_draw()
    assert app.selectbox(key="draw_label").value is None
    app.selectbox(key="draw_label").select("7").run()
    assert not app.button(key="draw_keep").disabled


def test_empty_drawing_cannot_be_saved(trained, pad):
    assert open_draw().button(key="draw_keep").disabled


def test_describe_gain_lists_accuracies_before_and_after():
    text = describe_gain(
        {
            "trained on": {"count": 6, "before": 0.5, "after": 1.0},
            "kept apart": {"count": 2, "before": 0.0, "after": 0.5},
            "test": {"count": 10_000, "before": 0.99, "after": 0.985},
        }
    )
    assert "50.00 % → 100.00 % of 6 drawings used for training" in text
    assert "0.00 % → 50.00 % of 2 drawings held out" in text
    assert (
        "99.00 % → 98.50 % of 10,000 test pictures" in text and "(-0.50 percentage points)" in text
    )


def test_button_shows_the_drawing_on_the_inspection_page(trained, pad):
    pad.image_data = painted(STROKES["7"])
    app = open_draw()
    app.button(key=f"draw_why_{trained.run.id}").click().run()
    assert not app.exception
    assert "Your drawing, prepared for the network." in texts(app)
    app.button(key="inspect_no_drawing").click().run()
    assert "Your drawing" not in texts(app)


def test_gain_of_a_finished_fine_tuning_is_measured_once(trained, store, pad):
    name = "folder:lesson 1 for digits"
    origin = Origin(trained.run.id, trained.step, weights_only=True)
    run_id, worker = a_running_run(store, dataset=name, origin=origin, name="reader, fine-tuned")
    app = open_draw(run=trained.run.id)
    assert "Teaching: Training" in app.get("progress")[0].proto.text
    assert app.button(key="draw_teach_stop")
    store.record_events(run_id, worker, [the_end()])
    store.workers.unregister(worker)
    for _ in range(2):
        open_draw(run=trained.run.id)
    [job] = [each for each in store.jobs.all() if each.kind == "taught"]
    assert (job.args, job.state) == ({"run": run_id}, "queued")
