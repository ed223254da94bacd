"""Test that the pages that are open in browsers are known: each holds a WebSocket."""

import asyncio

from cnnlib.ui.common.open_pages import OpenPages, open_pages


def test_a_page_counts_while_its_connection_is_open():
    counts = []

    async def app(scope, receive, send):
        counts.append((scope["type"], len(open_pages)))
        if scope.get("path") == "/broken":
            raise ConnectionError

    async def visit():
        server = OpenPages(app)
        await server({"type": "http"}, None, None)
        await server({"type": "websocket"}, None, None)
        try:
            await server({"type": "websocket", "path": "/broken"}, None, None)
        except ConnectionError:
            counts.append(("broken", len(open_pages)))

    asyncio.run(visit())
    assert counts == [("http", 0), ("websocket", 1), ("websocket", 1), ("broken", 0)]
