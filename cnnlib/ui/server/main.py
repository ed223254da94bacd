"""Navigation: every page with its address. Runs at the start of every rerun of every page.

The pages are given by absolute paths. There is no folder ``pages`` beside this script, so Streamlit
adds no pages by itself, and every address opens on a server that has just started.
"""

import streamlit as st

from cnnlib.errors import CnnlibError
from cnnlib.ui.common.identity import require_sign_in
from cnnlib.ui.common.messages import show_error
from cnnlib.ui.common.shared import first_page, settings
from cnnlib.ui.common.urls import (
    BUILD,
    COMPARE,
    CONVOLUTION,
    DATA,
    DRAW,
    EXPERIMENTS,
    GLOSSARY,
    INSPECT,
    LAB,
    RESULTS,
    TRAIN,
    static_folder,
)

st.set_page_config(
    page_title="CNN Lab", page_icon=str(static_folder("common") / "icon.svg"), layout="wide"
)
st.html(static_folder("common") / "page.css")

page = st.navigation(
    [
        st.Page(
            LAB,
            title="Lab",
            icon=":material/hub:",
            default=True,
            help="Shape a network and train it with one button, and see inside while it learns.",
        ),
        st.Page(
            BUILD,
            title="Build",
            icon=":material/layers:",
            url_path="build",
            help="Design a convolutional network, and see its size and cost at once.",
        ),
        st.Page(
            TRAIN,
            title="Train",
            icon=":material/show_chart:",
            url_path="train",
            help="Train a design on real pictures, watch its curves, and change settings while it "
            "trains.",
        ),
        st.Page(
            RESULTS,
            title="Results",
            icon=":material/table_rows:",
            url_path="results",
            help="Compare the accuracy and cost of all trained designs.",
        ),
        st.Page(
            COMPARE,
            title="Compare",
            icon=":material/balance:",
            url_path="compare",
            help="See the differences between two designs, and test whether one is better (a "
            "duel).",
        ),
        st.Page(
            EXPERIMENTS,
            title="Experiments",
            icon=":material/science:",
            url_path="experiments",
            help="Train with all combinations of some settings, or search for good settings.",
        ),
        st.Page(
            INSPECT,
            title="Inspect",
            icon=":material/search:",
            url_path="inspect",
            help="Look inside a trained network, at any saved step of its training.",
        ),
        st.Page(
            CONVOLUTION,
            title="Convolution",
            icon=":material/grid_on:",
            url_path="convolution",
            help="Slide a kernel over a picture, and see every number of the calculation.",
        ),
        st.Page(
            DRAW,
            title="Draw",
            icon=":material/draw:",
            url_path="draw",
            help="Draw a digit, and see what trained networks predict.",
        ),
        st.Page(
            DATA,
            title="Data",
            icon=":material/photo_library:",
            url_path="data",
            help="See the datasets, and add your own pictures.",
        ),
        st.Page(
            GLOSSARY,
            title="Glossary",
            icon=":material/menu_book:",
            url_path="glossary",
            help="The technical terms, each explained in a few sentences.",
        ),
    ],
    position="top",
)
try:
    require_sign_in(settings())
    page.run()
except CnnlibError as error:  # errors that no page handles: an unreadable run store, for example
    show_error(error)
finally:  # st.stop() raises an exception too
    first_page().set()
