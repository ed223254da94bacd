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

# The menu, in the order of a first lesson: name, title, icon and help of each page. The first one
# is at the root of the server.
_MENU = (
    ("lab", "Lab", "hub", "Shape a network, train it with one button, and see it learn."),
    ("build", "Build", "layers", "Design a convolutional network; see its size and cost at once."),
    ("train", "Train", "show_chart", "Train a design on real pictures, and watch its curves."),
    ("inspect", "Look inside", "search", "See a convolution, and the inside of a trained network."),
    ("draw", "Draw", "draw", "Draw a digit, and see what trained networks predict."),
    ("results", "Results", "table_rows", "Compare the accuracy and cost of all trained designs."),
    ("data", "Data", "photo_library", "See the datasets, and add your own pictures."),
    ("glossary", "Glossary", "menu_book", "The technical terms, each in a few sentences."),
)
# Pages that are reached from those of the menu, and addresses of earlier versions.
_OTHERS = (
    ("compare", "Compare", "balance", "Leads to the duels of Results."),
    ("experiments", "Experiments", "science", "Leads to the experiments of Results."),
    ("convolution", "Convolution", "grid_on", "Slide a kernel over a picture, number by number."),
)

# On a narrow screen the menu is Streamlit's sidebar, which closes by itself after a choice only if
# the browser says that it is a phone's. Its button exists while it is open.
_close_menu = st.components.v2.component(
    "cnnlab_close_menu",
    js="""
const close = ({ target }) => {
  if (target.closest?.('[data-testid="stSidebarNavLink"]'))
    document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
};

export default function () {
  document.addEventListener("click", close);
  return () => document.removeEventListener("click", close);
}
""",
)


def show_page() -> None:
    """Show the menu, and the page of the address."""
    st.set_page_config(
        page_title="CNN Lab", page_icon=str(static_folder("common") / "icon.svg"), layout="wide"
    )
    for sheet in ("tokens.css", "page.css"):
        st.html(static_folder("common") / sheet)
    pages = {row[0]: _page(*row, is_shown=row in _MENU) for row in (*_MENU, *_OTHERS)}
    page = st.navigation([*pages.values()], position="top")
    _close_menu(key="close_menu", data={})  # takes no space: see page.css
    try:
        require_sign_in(settings())
        page.run()
    except CnnlibError as error:  # that no page handles: an unreadable run store, say
        show_error(error)
    finally:  # st.stop() raises an exception too
        first_page.set()


def _page(name: str, title: str, icon: str, help: str, *, is_shown: bool) -> st.Page:
    return st.Page(
        PAGES / f"{name}.py",
        title=title,
        icon=f":material/{icon}:",
        url_path=None if name == "lab" else name,
        default=name == "lab",
        visibility="visible" if is_shown else "hidden",
        help=help,
    )
