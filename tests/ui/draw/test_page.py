"""The Draw page with an empty and with a filled store; the pad is played by a stand-in."""

from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
from drawings import STROKES, painted
from example_runs import a_request, a_running_run, the_end
from PIL import Image
from streamlit.testing.v1 import AppTest

from cnnlib.records.recipe import Recipe
from cnnlib.records.run import Origin
from cnnlib.runs import RunStore
from cnnlib.train.api import LoadedRun, fit
from cnnlib.train.worker.job_kinds import KINDS
from cnnlib.ui.common.urls import DRAW, LAB
from cnnlib.ui.draw.fine_tune import worth_words

MAIN = LAB.parent.parent / "cnnlib" / "ui" / "server" / "main.py"


@pytest.fixture
def store():
    """The run store that the pages of this test see."""
    found = RunStore()
    yield found
    found.close()


@pytest.fixture
def trained() -> LoadedRun:
    """A network that saw two batches of digits."""
    return fit("lenet5", "digits", Recipe(epochs=1, max_batches=2), device="cpu", name="reader")


@pytest.fixture
def pad(monkeypatch) -> SimpleNamespace:
    """What the browser's canvas would have sent."""
    # Where Streamlit runs, it knows the files of the canvas: so there is its first import.
    AppTest.from_string("import cnnlib.ui.common.drawing_pad", default_timeout=60).run()
    sent = SimpleNamespace(image_data=None, json_data={"objects": []}, asked={})

    def canvas(**asked):
        sent.asked = asked
        return sent

    monkeypatch.setattr("cnnlib.ui.common.drawing_pad.st_canvas", canvas)
    return sent


def open_draw(**query: str) -> AppTest:
    """The Draw page as a browser would open it."""
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.run()
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page(str(DRAW)).run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    return "\n".join(str(each.value) for each in [*app.markdown, *app.caption, *app.warning])


def test_without_a_network_one_press_trains_one(store):
    app = open_draw()
    assert "none is trained yet" in texts(app)
    app.button(key="draw_train").click().run()
    [run] = store.runs()
    assert (run.request.dataset, run.request.preset) == ("mnist", "cnn3")


def test_a_run_that_never_made_a_step_is_no_network(store):
    store.submit(a_request())
    assert "none is trained yet" in texts(open_draw())


def test_before_the_first_stroke_the_page_says_what_to_do(trained, pad):
    app = open_draw()
    assert app.multiselect(key="draw_runs").value == [trained.run.id]
    assert texts(app).count("Draw something") == 1
    assert not app.get("plotly_chart")  # an empty one would say it again
    assert app.query_params["run"] in (trained.run.id, [trained.run.id])


def test_a_drawing_is_answered_and_every_step_is_shown(trained, pad):
    pad.image_data = painted(STROKES["7"])
    app = open_draw()
    assert "% sure" in texts(app)
    assert "of 24 small changes" in texts(app)
    shown = "".join(each.proto.body for each in app.get("html"))
    assert shown.count("<img") == 3  # as drawn, fitted, centred
    app.toggle(key="draw_centre").set_value(False).run()
    assert "".join(each.proto.body for each in app.get("html")).count("<img") == 2


def test_the_eraser_draws_in_the_colour_of_the_paper(trained, pad):
    app = open_draw()
    assert pad.asked["stroke_color"] != pad.asked["background_color"]
    app.segmented_control(key="draw_tool").select("Eraser").run()
    assert pad.asked["stroke_color"] == pad.asked["background_color"]


def test_undo_shows_all_strokes_but_the_last_and_clear_shows_none(trained, pad):
    pad.image_data, pad.json_data = painted(STROKES["3"]), {"objects": ["first", "second"]}
    app = open_draw()
    app.button(key="draw_undo").click().run()
    assert pad.asked["initial_drawing"] == {"objects": ["first"], "edition": 1}
    app.button(key="draw_clear").click().run()
    assert pad.asked["initial_drawing"] == {"objects": [], "edition": 2}


def test_a_drawing_is_there_again_after_another_page_or_an_upload(trained, pad):
    pad.image_data, pad.json_data = painted(STROKES["7"]), {"objects": ["one stroke"]}
    app = open_draw()
    pad.image_data = None  # as the browser's canvas answers when it comes back
    app.switch_page(str(LAB)).run()
    app.switch_page(str(DRAW)).run()
    assert pad.asked["initial_drawing"]["objects"] == ["one stroke"]
    assert "% sure" in texts(app)
    app.segmented_control(key="draw_source").select("Upload").run()
    app.segmented_control(key="draw_source").select("Draw").run()
    assert pad.asked["initial_drawing"]["objects"] == ["one stroke"]
    app.button(key="draw_clear").click().run()
    assert "% sure" not in texts(app)


def test_networks_stand_side_by_side_and_one_that_is_gone_says_so(trained, store, pad):
    other = fit("mlp", "digits", Recipe(epochs=1, max_batches=1), device="cpu", name="other")
    for saved in store.saved_weights(other.run.id):
        (store.folders.run(other.run.id) / saved.file).unlink()
    pad.image_data = np.ascontiguousarray(painted(STROKES["8"]))
    app = open_draw(run=trained.run.id)
    app.multiselect(key="draw_runs").select(other.run.id).run()
    assert "has kept no weights" in texts(app)
    assert "reader on digits" in texts(app)


def as_png(pixels: np.ndarray) -> bytes:
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_an_uploaded_picture_on_light_paper_is_read(trained, pad):
    app = open_draw()
    app.segmented_control(key="draw_source").select("Upload").run()
    paper = 255 - painted(STROKES["7"])[..., :3]
    app.file_uploader(key="draw_upload").upload("seven.png", as_png(paper), "image/png").run()
    assert "% sure" in texts(app)


def test_a_file_that_is_no_picture_is_refused_with_a_sentence(trained, pad):
    app = open_draw()
    app.segmented_control(key="draw_source").select("Upload").run()
    app.file_uploader(key="draw_upload").upload("seven.png", b"not a picture", "image/png").run()
    assert "seven.png cannot be looked at" in app.error[0].value


def test_what_a_network_does_not_know_is_measured_by_a_job_and_then_said(trained, store, pad):
    pad.image_data = painted(STROKES["7"])
    app = open_draw()
    app.button(key=f"draw_measure_{trained.run.id}").click().run()
    [job] = [each for each in store.jobs() if each.kind == "unfamiliar"]
    assert (job.args, job.state) == ({"run": trained.run.id}, "queued")
    for _ in KINDS[job.kind](job.args, store.folders):
        pass
    app = open_draw()
    assert "of real pictures of Digits (scikit-learn) are nearer" in texts(app)
    assert "How often this is wrong: of 359 real test pictures" in texts(app)


# -- teaching --------------------------------------------------------------------------------------


def test_a_drawing_is_kept_under_its_class_and_a_lesson_is_an_ordinary_run(trained, store, pad):
    pad.image_data = painted(STROKES["7"])
    app = open_draw()
    app.selectbox(key="draw_label").select(7).run()
    app.button(key="draw_keep").click().run()
    assert "Kept as 7." in texts(app) and "1 kept for Digits" in texts(app)
    app.button(key="draw_teach").click().run()
    run = store.runs()[0]
    assert run.request.dataset == "folder:lesson 1 for digits"
    assert run.request.origin == Origin(trained.run.id, trained.step, weights_only=True)
    assert run.title == "reader, taught on folder:lesson 1 for digits, seed 0"


def test_nothing_can_be_kept_before_something_is_drawn(trained, pad):
    assert open_draw().button(key="draw_keep").disabled


def test_what_a_lesson_was_worth_is_said_in_numbers():
    words = worth_words(
        {
            "trained on": {"count": 6, "before": 0.5, "after": 1.0},
            "kept apart": {"count": 2, "before": 0.0, "after": 0.5},
            "test": {"count": 10_000, "before": 0.99, "after": 0.985},
        }
    )
    assert "6 drawings learned from 50.00 % → 100.00 %" in words
    assert "2 drawings kept apart 0.00 % → 50.00 %" in words
    assert "10,000 test pictures 99.00 % → 98.50 % (-0.50 points)" in words


def test_one_press_shows_the_drawing_on_the_inspection_page(trained, pad):
    pad.image_data = painted(STROKES["7"])
    app = open_draw()
    app.button(key="draw_why").click().run()
    assert not app.exception
    assert "Your drawing, as the network sees it." in texts(app)
    app.button(key="inspect_no_drawing").click().run()
    assert "Your drawing" not in texts(app)


def test_what_a_finished_lesson_was_worth_is_asked_for_once(trained, store, pad):
    name = "folder:lesson 1 for digits"
    origin = Origin(trained.run.id, trained.step, weights_only=True)
    run_id, worker = a_running_run(store, dataset=name, origin=origin, name="reader, taught")
    assert "Training" in texts(open_draw(run=trained.run.id))
    store.record_events(run_id, worker, [the_end()])
    store.unregister_worker(worker)
    for _ in range(2):
        open_draw(run=trained.run.id)
    [job] = [each for each in store.jobs() if each.kind == "taught"]
    assert (job.args, job.state) == ({"run": run_id}, "queued")
