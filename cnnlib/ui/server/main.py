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

# Each page with its title, icon and help; the first one is at the root of the server.
PAGES = (
    (LAB, "Lab", "hub", "Shape a network, train it with one button, and see inside as it learns."),
    (BUILD, "Build", "layers", "Design a convolutional network; see its size and cost at once."),
    (TRAIN, "Train", "show_chart", "Train a design on real pictures, and watch its curves."),
    (RESULTS, "Results", "table_rows", "Compare the accuracy and cost of all trained designs."),
    (COMPARE, "Compare", "balance", "See how two designs differ, and which one is better."),
    (EXPERIMENTS, "Experiments", "science", "Vary some settings, or search for good ones."),
    (INSPECT, "Inspect", "search", "Look inside a trained network, at any saved step."),
    (CONVOLUTION, "Convolution", "grid_on", "Slide a kernel over a picture, and see every number."),
    (DRAW, "Draw", "draw", "Draw a digit, and see what trained networks predict."),
    (DATA, "Data", "photo_library", "See the datasets, and add your own pictures."),
    (GLOSSARY, "Glossary", "menu_book", "The technical terms, each explained in a few sentences."),
)
page = st.navigation(
    [
        st.Page(
            file,
            title=title,
            icon=f":material/{icon}:",
            url_path=None if file == LAB else file.stem,
            default=file == LAB,
            help=help,
        )
        for file, title, icon, help in PAGES
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
