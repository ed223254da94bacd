"""What went wrong, in sentences: shown letter by letter, in the place where it went wrong."""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.errors import CnnlibError
from cnnlib.ui.common.format import escape_markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


def show_error(what: object) -> None:
    """An error or its sentence; what somebody typed may be repeated in it."""
    st.error(escape_markdown(what), icon=":material/error:")


def show_warning(what: object, icon: str = ":material/warning:") -> None:
    """As `show_error`, for what leaves the rest of the page as it is."""
    st.warning(escape_markdown(what), icon=icon)


@contextmanager
def errors_shown() -> Generator[None]:
    """What a person can cause ends the block with a sentence; anything else is a bug and passes."""
    try:
        yield
    except CnnlibError as error:
        show_error(error)


def fragment(part: Callable[..., None], run_every: float | None = None) -> Callable[..., None]:
    """A part of a page that runs again by itself, alone, and then has nobody else to tell errors.

    Args:
        run_every: Seconds; None is only when somebody uses what is in it.
    """

    @wraps(part)
    def told(*args: Any) -> None:
        with errors_shown():
            part(*args)

    return st.fragment(told, run_every=run_every)
