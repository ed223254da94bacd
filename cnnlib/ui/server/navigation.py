"""Navigation: every page with its address. Shown at the start of every rerun of every page.

The pages are given by absolute paths. There is no folder ``pages`` beside the script, so Streamlit
adds no pages by itself, and every address opens on a server that has just started.
"""

import streamlit as st

from cnnlib.errors import CnnlibError
from cnnlib.ui.common.identity import require_sign_in
from cnnlib.ui.common.messages import show_error
from cnnlib.ui.common.open_pages import first_page
from cnnlib.ui.common.shared import settings
from cnnlib.ui.common.urls import PAGES, static_folder

# Each page: its name, icon and help; the first one is at the root of the server.
_SHOWN = (
    ("lab", "hub", "Shape a network, train it with one button, and see inside as it learns."),
    ("build", "layers", "Design a convolutional network; see its size and cost at once."),
    ("train", "show_chart", "Train a design on real pictures, and watch its curves."),
    ("results", "table_rows", "Compare the accuracy and cost of all trained designs."),
    ("compare", "balance", "See how two designs differ, and which one is better."),
    ("experiments", "science", "Vary some settings, or search for good ones."),
    ("inspect", "search", "Look inside a trained network, at any saved step."),
    ("convolution", "grid_on", "Slide a kernel over a picture, and see every number."),
    ("draw", "draw", "Draw a digit, and see what trained networks predict."),
    ("data", "photo_library", "See the datasets, and add your own pictures."),
    ("glossary", "menu_book", "The technical terms, each explained in a few sentences."),
)


def show_page() -> None:
    """Show the menu, and the page of the address."""
    st.set_page_config(
        page_title="CNN Lab", page_icon=str(static_folder("common") / "icon.svg"), layout="wide"
    )
    st.html(static_folder("common") / "page.css")

    page = st.navigation(
        [
            st.Page(
                PAGES / f"{name}.py",
                title=name.capitalize(),
                icon=f":material/{icon}:",
                url_path=None if name == "lab" else name,
                default=name == "lab",
                help=help,
            )
            for name, icon, help in _SHOWN
        ],
        position="top",
    )
    try:
        require_sign_in(settings())
        page.run()
    except CnnlibError as error:  # that no page handles: an unreadable run store, say
        show_error(error)
    finally:  # st.stop() raises an exception too
        first_page.set()
