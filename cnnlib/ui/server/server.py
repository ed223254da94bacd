"""What the server does around serving: it warms up after the first page and ends its workers."""

from __future__ import annotations

import asyncio
import gc
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy  # noqa: F401  first, and on the main thread: two threads importing it at once break it
from starlette.datastructures import MutableHeaders

from cnnlib.data.catalogue import catalogue
from cnnlib.ui.common.shared import first_page, folders, worker_pool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from cnnlib.runs.workers.pool import WorkerPool

# A server that nobody looks at still works off its queue.
LONGEST_WAIT_SECONDS = 15.0
# What a browser needs to draw the first page after its script has ended.
DRAWING_SECONDS = 1.0


@asynccontextmanager
async def lifespan(app: Any) -> AsyncGenerator[None]:
    """Workers from the first page to the end of the server; its runs then end as interrupted."""
    pool = worker_pool()
    warming = asyncio.create_task(_warm_up(pool))
    try:
        yield
    finally:
        warming.cancel()
        with suppress(asyncio.CancelledError):
            await warming
        await asyncio.to_thread(pool.shutdown)


async def _warm_up(pool: WorkerPool) -> None:
    """Everything that would only have made the first page late."""
    await _wait_for_first_page()
    await asyncio.to_thread(pool.start)
    await asyncio.to_thread(_import_heavy)
    await asyncio.to_thread(catalogue, folders())  # reads the tables of contents of zips, once


async def _wait_for_first_page() -> None:
    clock = asyncio.get_running_loop().time
    deadline = clock() + LONGEST_WAIT_SECONDS
    while not first_page().is_set() and clock() < deadline:
        await asyncio.sleep(0.1)
    await asyncio.sleep(DRAWING_SECONDS)


def _import_heavy() -> None:
    """Import what tables and figures need, then hide all imports from the garbage collector.

    Streamlit collects all garbage after every rerun; with hundreds of thousands of objects of
    libraries in sight that takes a tenth of a second and stops every thread. What sessions leave
    behind is made later, and is still collected.
    """
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401

    gc.collect()
    gc.freeze()


# Names of runs and datasets stand in Markdown, escaped. Were one not, it could name a picture by
# its address, and whoever looked would tell that server so. (Content Security Policy, level 3.)
POLICY = "img-src 'self' data: blob:; media-src 'self' data: blob:; object-src 'none'"


class ContentPolicy:
    """Sends the policy along with every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("Content-Security-Policy", POLICY)
            await send(message)

        await self._app(scope, receive, send_with_policy)
