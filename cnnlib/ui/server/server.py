"""Lifespan and headers of the server: warm-up after the first page, workers, content policy."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy  # noqa: F401  on the main thread first: concurrent imports in two threads break it

from cnnlib.data.catalogue import catalogue
from cnnlib.ui.common.identity import HeaderMiddleware
from cnnlib.ui.common.shared import first_page, folders, open_pages, worker_pool
from cnnlib.ui.common.urls import at_root, script

if TYPE_CHECKING:
    from starlette.datastructures import MutableHeaders
    from starlette.requests import HTTPConnection
    from starlette.types import ASGIApp, Receive, Scope, Send

    from cnnlib.runs.workers.pool import WorkerPool

NAVIGATION = Path(__file__).with_name("main.py")  # the script of every page
# Without any page view, warm-up starts after this time, so that queued runs are trained.
LONGEST_WAIT_SECONDS = 15.0
# Time for a browser to draw the first page after its script has ended.
DRAWING_SECONDS = 1.0


@asynccontextmanager
async def lifespan(app: Any) -> AsyncGenerator[None]:
    """Run workers from the first page to the end of the server; their runs end as interrupted."""
    pool = worker_pool()
    warm_up = asyncio.create_task(_warm_up(pool))
    try:
        yield
    finally:
        warm_up.cancel()
        with suppress(asyncio.CancelledError):
            await warm_up
        await asyncio.to_thread(pool.shutdown)


async def _warm_up(pool: WorkerPool) -> None:
    """Start workers and load what the first page does not need, after it was served."""
    await _wait_for_first_page()
    await asyncio.to_thread(pool.start)
    await asyncio.to_thread(_import_heavy)
    await asyncio.to_thread(catalogue, folders())  # reads and caches the contents lists of zips


async def _wait_for_first_page() -> None:
    """Wait until the first page is drawn, or for `LONGEST_WAIT_SECONDS` without any."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + LONGEST_WAIT_SECONDS
    while not first_page().is_set() and clock() < deadline:
        await asyncio.sleep(0.1)
    await asyncio.sleep(DRAWING_SECONDS)


def _import_heavy() -> None:
    """Import what tables and figures need, then hide all imports from the garbage collector.

    Streamlit runs a full garbage collection after every rerun; with the hundreds of thousands of
    objects of libraries that takes 0.1 s and stops every thread. Objects of sessions are created
    later, and are still collected.
    """
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401

    gc.collect()
    gc.freeze()


# Names of runs and datasets are escaped in Markdown. If one were not, it could embed a picture by
# URL, and every viewer's browser would send a request to its server. (Content Security Policy 3.)
POLICY = "img-src 'self' data: blob:; media-src 'self' data: blob:; object-src 'none'"


class ContentPolicy(HeaderMiddleware):
    """Adds the Content-Security-Policy header to every response."""

    def add_headers(self, headers: MutableHeaders, connection: HTTPConnection) -> None:
        headers.setdefault("Content-Security-Policy", POLICY)


class OpenPages:
    """ASGI middleware that keeps `open_pages`: each open page holds one WebSocket."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        open_pages().add(id(scope))
        try:
            await self._app(scope, receive, send)
        finally:
            open_pages().discard(id(scope))


class LabScript(HeaderMiddleware):
    """Makes a browser that opens the Lab load its script while Streamlit starts.

    Without it the script is loaded once Streamlit has run the page.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app)
        links = [
            f"<{script('lab/lab.bundle.js')}>; rel=modulepreload",
            f"<{script('common/uplot/uPlot.iife.min.js')}>; rel=preload; as=script",
        ]
        for style in ("lab/lab.css", "common/uplot/uPlot.min.css"):  # read by fetch()
            links.append(f"<{script(style)}>; rel=preload; as=fetch; crossorigin")
        self._link = ", ".join(links)

    def add_headers(self, headers: MutableHeaders, connection: HTTPConnection) -> None:
        if connection.scope["path"] == at_root(""):
            headers.append("Link", self._link)
