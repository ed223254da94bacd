"""The picture that Inspect and the live page look at: chosen, pressed elsewhere, or drawn."""

import numpy as np
import pytest
from inspecting import a_stroke, said, with_pad
from sample_data import prepared_now
from streamlit.testing.v1 import AppTest


def page():
    import streamlit as st

    from cnnlib.ui.common.pickers.picture_picker import choose_picture, look_at

    choose_picture(st.session_state["dataset"], st.session_state["page"])
    st.button("Press", key="press", on_click=look_at, args=(7, st.session_state["page"]))


@pytest.fixture(params=["inspect", "train_look"])
def app(request) -> AppTest:
    """A page with the picture, and a button that stands for one that is pressed elsewhere."""
    app = AppTest.from_function(page, default_timeout=60)
    app.session_state["dataset"] = prepared_now("digits")
    app.session_state["page"] = request.param
    return app


def is_chosen(app: AppTest, place: int) -> bool:
    name = app.session_state["page"]
    source = app.segmented_control(key=f"{name}_source").value
    return source == "Test picture" and app.number_input(key=f"{name}_picture").value == place


def test_a_picture_that_is_pressed_takes_the_place_of_a_drawing_that_was_brought_along(app):
    app.session_state["inspect_drawing"] = np.zeros((1, 28, 28), np.uint8)
    app.run()
    assert "Your drawing, as the network sees it." in said(app)
    app.button(key="press").click().run()
    assert not app.exception and is_chosen(app, 7)


def test_a_picture_that_is_pressed_takes_the_place_of_one_drawn_here(app, monkeypatch):
    with_pad(monkeypatch, a_stroke())
    app.run()
    app.segmented_control(key=f"{app.session_state['page']}_source").set_value("Draw").run()
    assert "Your drawing, as the network sees it." in said(app)
    app.button(key="press").click().run()
    assert not app.exception and is_chosen(app, 7)


def test_there_is_a_way_back_from_a_drawing(app):
    app.session_state["inspect_drawing"] = np.zeros((1, 28, 28), np.uint8)
    app.run()
    app.button(key=f"{app.session_state['page']}_no_drawing").click().run()
    assert is_chosen(app, 0)


def test_a_drawing_of_another_size_is_not_looked_at(app):
    app.session_state["inspect_drawing"] = np.zeros((3, 32, 32), np.uint8)
    app.run()
    assert is_chosen(app, 0)
