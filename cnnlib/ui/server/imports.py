"""The libraries and modules of the first page, imported by one thread while the others wait."""

from __future__ import annotations

import gc
import inspect
import sys
import threading
from functools import cache

_one_thread = threading.Lock()


@cache
def import_pages() -> None:
    """Import what the first page needs; later calls, with each rerun of a page, do nothing.

    Garbage collections, a fifth of the time of the imports, wait for their end; the server's
    thread, which sends a browser some seventy files meanwhile, has its turn ten times as often.
    """
    with _one_thread:
        interval = sys.getswitchinterval()
        sys.setswitchinterval(interval / 10)
        gc.disable()
        try:
            import numpy  # noqa: F401  (concurrent imports in two threads break it)

            import cnnlib.ui.lab.page
            import cnnlib.ui.server.navigation
            import cnnlib.ui.server.routes  # noqa: F401

            # Streamlit looks at the stack when the first element is sent. Python then reads the
            # paths of all modules, once.
            inspect.stack()  # type: ignore[attr-defined]  # mypy reads pages/inspect.py
        finally:
            gc.enable()
            sys.setswitchinterval(interval)
