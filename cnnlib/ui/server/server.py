"""Lifespan, headers and late routes of the server; it answers before the libraries are imported.

The first page is loaded by a browser meanwhile: that takes longer than the imports.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute, Route, Router

from cnnlib.errors import SettingsError
from cnnlib.records.folders import Folders
from cnnlib.records.settings import Settings
from cnnlib.ui.common.identity import HeaderMiddleware
from cnnlib.ui.common.open_pages import first_page
from cnnlib.ui.common.urls import API_ADDRESS, at_root, script
from cnnlib.ui.server.assets import asset_routes
from cnnlib.ui.server.imports import import_pages

if TYPE_CHECKING:
    from starlette.datastructures import MutableHeaders
    from starlette.requests import HTTPConnection
    from starlette.types import ASGIApp, Receive, Scope, Send

    from cnnlib.runs.places.place import Place

NAVIGATION = Path(__file__).with_name("main.py")  # the script of every page
# Without any page view, warm-up starts after this time, so that queued runs are trained.
LONGEST_WAIT_SECONDS = 15.0
# Time for a browser to draw the first page after its script has ended.
DRAWING_SECONDS = 1.0


def check_settings() -> None:
    """Exit with an error message if the settings of this server are invalid."""
    try:
        Settings.read(Folders.from_environment())
    except SettingsError as error:
        raise SystemExit(str(error)) from None


@asynccontextmanager
async def lifespan(app: Any) -> AsyncGenerator[None]:
    """Run workers from the first page to the end of the server; their runs end as interrupted."""
    import numpy  # noqa: F401  (on the main thread: concurrent imports in two threads break it)

    warm_up = asyncio.create_task(_warm_up())
    try:
        yield
    finally:
        warm_up.cancel()
        with suppress(asyncio.CancelledError):
            await warm_up
        await asyncio.to_thread(lambda: _place().shutdown())


async def _warm_up() -> None:
    """Import what pages need; after the first page, start workers and import the rest."""
    await asyncio.to_thread(import_pages)
    await asyncio.to_thread(_open_store)
    await asyncio.to_thread(_keep_datasets)
    await _wait_for_first_page()
    await asyncio.to_thread(lambda: _place().start())
    await asyncio.to_thread(_import_heavy)
    await asyncio.to_thread(_read_catalogue)


def _open_store() -> None:
    from cnnlib.ui.common.shared import shared_store

    shared_store()


def _keep_datasets() -> None:
    """Fetch the datasets of other machines, where an object store has them."""
    from cnnlib.data.stored_datasets import keep_up

    keep_up(Folders.from_environment())


def _place() -> Place:
    import_pages()
    from cnnlib.ui.common.shared import place

    return place()


def _read_catalogue() -> None:
    """Read and cache the contents lists of zips."""
    from cnnlib.data.catalogue import catalogue

    catalogue(Folders.from_environment())


def late_routes() -> list[BaseRoute]:
    """Return the routes of `cnnlib.ui.server.routes`, of which those of data are imported late."""
    return [*asset_routes(), Route(at_root(f"{API_ADDRESS}/{{rest:path}}"), _LateRoutes())]


class _LateRoutes:
    """ASGI app: the routes of data, imported when the first is asked for."""

    _router: Router | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._router = self._router or Router(await asyncio.to_thread(_routes))
        await self._router(scope, receive, send)


def _routes() -> list[BaseRoute]:
    import_pages()
    from cnnlib.ui.server.routes import routes

    return routes()


async def _wait_for_first_page() -> None:
    """Wait until the first page is drawn, or for `LONGEST_WAIT_SECONDS` without any."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + LONGEST_WAIT_SECONDS
    while not first_page.is_set() and clock() < deadline:
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
