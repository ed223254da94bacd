"""Tests of the picture picker of Inspect and the live page: selected, clicked or drawn."""

import numpy as np
import pytest
from apps import AppTest
from inspecting import a_stroke, page_text, with_pad
from sample_data import prepared_now

from cnnlib.probe.drawing import prepare_drawing


def page():
    import streamlit as st

    from cnnlib.ui.common.pickers.picture_picker import choose_picture, select_test_picture

    choose_picture(st.session_state["dataset"], st.session_state["page"])
    st.button(
        "Press", key="press", on_click=select_test_picture, args=(7, st.session_state["page"])
    )


@pytest.fixture(params=["inspect", "train_look"])
def app(request) -> AppTest:
    """A page with the picker, and a button that selects a picture as a click elsewhere does."""
    app = AppTest.from_function(page, default_timeout=60)
    app.session_state["dataset"] = prepared_now("digits")
    app.session_state["page"] = request.param
    return app


def is_selected(app: AppTest, index: int) -> bool:
    name = app.session_state["page"]
    source = app.segmented_control(key=f"{name}_source").value
    return source == "Test picture" and app.number_input(key=f"{name}_picture").value == index


def test_a_clicked_picture_replaces_a_drawing_from_another_page(app):
    app.session_state["inspect_drawing"] = prepare_drawing(np.zeros((280, 280), np.uint8))
    app.run()
    assert "Your drawing, prepared for the network." in page_text(app)
    app.button(key="press").click().run()
    assert not app.exception and is_selected(app, 7)


def test_a_clicked_picture_replaces_a_drawing_of_this_page(app, monkeypatch):
    with_pad(monkeypatch, a_stroke())
    app.run()
    app.segmented_control(key=f"{app.session_state['page']}_source").set_value("Draw").run()
    assert "Your drawing, prepared for the network." in page_text(app)
    app.button(key="press").click().run()
    assert not app.exception and is_selected(app, 7)


def test_a_drawing_can_be_removed(app):
    app.session_state["inspect_drawing"] = prepare_drawing(np.zeros((280, 280), np.uint8))
    app.run()
    app.button(key=f"{app.session_state['page']}_no_drawing").click().run()
    assert is_selected(app, 0)


def test_a_drawing_of_another_size_is_ignored(app):
    drawing = prepare_drawing(np.zeros((280, 280, 3), np.uint8), (3, 32, 32))
    app.session_state["inspect_drawing"] = drawing
    app.run()
    assert is_selected(app, 0)
