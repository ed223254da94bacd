"""Which pages are open in browsers, and whether any was shown."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

first_page = threading.Event()  # set after the first complete run of a page's script
open_pages: set[int] = set()  # connections of the pages that are open


class OpenPages:
    """ASGI middleware that keeps `open_pages`: each open page holds one WebSocket."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        open_pages.add(id(scope))
        try:
            await self._app(scope, receive, send)
        finally:
            open_pages.discard(id(scope))
