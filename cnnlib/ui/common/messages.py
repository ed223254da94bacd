"""Error and warning boxes, and what stands in for a part that waits for the viewer.

Texts are escaped, so that Markdown in them is shown literally.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import streamlit as st

from cnnlib.errors import CnnlibError, ViewerError
from cnnlib.runs.workers.viewer import STARTING
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.shared import place

RETRY_EVERY_SECONDS = 1.0


def show_error(what: object) -> None:
    """Show an error or its text; it may contain user input."""
    st.error(escape_markdown(what), icon=":material/error:")


def show_warning(what: object, icon: str = ":material/warning:") -> None:
    """Show a warning, escaped like in `show_error`; the rest of the page is not affected."""
    st.warning(escape_markdown(what), icon=icon)


def show_not_found(what: str, name: str, instead: str = "") -> None:
    """Warn that the address names a run, a dataset or a study that does not exist.

    Args:
        instead: Sentence on what the page shows in its place.
    """
    show_warning(
        f"The address names the {what} {name[:60]}, but there is no such {what} here: it was "
        f"deleted, or the address is wrong. {instead}".rstrip(),
        ":material/link_off:",
    )


@contextmanager
def errors_shown() -> Generator[None]:
    """Show a `CnnlibError` raised in the block as an error box; other exceptions pass.

    While the viewer starts, a sentence stands in for the block.
    """
    try:
        with viewer_awaited():
            yield
    except CnnlibError as error:
        show_error(error)


@contextmanager
def viewer_awaited() -> Generator[None]:
    """Show a sentence in place of the block until the viewer is ready; then the page reruns."""
    try:
        yield
    except ViewerError as error:
        wait_for_viewer(str(error))


def wait_for_viewer(sentence: str = STARTING) -> None:
    """Show a sentence; the page reruns when the viewer is ready."""
    st.caption(f":material/hourglass_empty: {escape_markdown(sentence)}")
    st.fragment(_rerun_when_ready, run_every=RETRY_EVERY_SECONDS)()


def viewer_is_ready() -> bool:
    """Return whether the viewer answers."""
    viewer = place().viewer
    return viewer is not None and viewer.is_ready


def _rerun_when_ready() -> None:
    if viewer_is_ready():
        st.rerun()


def fragment(part: Callable[..., None], run_every: float | None = None) -> Callable[..., None]:
    """Make a Streamlit fragment that shows its own errors, since it reruns without the page.

    Args:
        part: Function that draws the fragment.
        run_every: Seconds between reruns; None reruns only on the use of a widget in it.
    """

    @wraps(part)
    def run_part(*args: Any) -> None:
        with errors_shown():
            part(*args)

    return st.fragment(run_part, run_every=run_every)
