"""Navigation: every page with its address. Runs at the start of every rerun of every page.

The pages lie at the top of the repository and are named by absolute paths: beside this script there
is no folder called ``pages``, so Streamlit adds none of its own accord, and every address opens on
a server that has just started.
"""

import streamlit as st

from cnnlib.errors import CnnlibError
from cnnlib.ui.addresses import BUILD, DRAW, HOME, INSPECT, RESULTS, TRAIN
from cnnlib.ui.resources import first_page
from cnnlib.ui.routes import ASSETS

st.set_page_config(page_title="CNN Lab", page_icon=str(ASSETS / "icon.svg"), layout="wide")

page = st.navigation(
    [
        st.Page(
            HOME,
            title="Home",
            icon=":material/home:",
            default=True,
            help="What this is, one button that trains a network, and the latest runs.",
        ),
        st.Page(
            BUILD,
            title="Build",
            icon=":material/layers:",
            url_path="build",
            help="Design a convolutional network and see its exact cost while you do.",
        ),
        st.Page(
            TRAIN,
            title="Train",
            icon=":material/show_chart:",
            url_path="train",
            help="Train a design on real images, watch its curves and steer it.",
        ),
        st.Page(
            RESULTS,
            title="Results",
            icon=":material/table_rows:",
            url_path="results",
            help="Every run with its numbers; select some to lay their curves over each other.",
        ),
        st.Page(
            INSPECT,
            title="Inspect",
            icon=":material/search:",
            url_path="inspect",
            help="Look inside a trained network, at any moment of its training.",
        ),
        st.Page(
            DRAW,
            title="Draw",
            icon=":material/draw:",
            url_path="draw",
            help="Draw a digit, and see what networks make of it.",
        ),
    ],
    position="top",
)
try:
    page.run()
except CnnlibError as error:  # what no page answers for: the run store cannot be read, say
    st.error(str(error), icon=":material/error:")
finally:  # st.stop() leaves a page by an exception too
    first_page().set()
