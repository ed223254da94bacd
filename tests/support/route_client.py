"""Requests to the app's routes alone, without a server and without a network."""

import asyncio
import json
from typing import Any

import httpx
from starlette.applications import Starlette

from cnnlib.ui.server.routes import routes


def send(method: str, address: str, content: Any = None, **headers: str) -> httpx.Response:
    """Send a request; content that is not bytes is sent as JSON."""
    body = content if isinstance(content, bytes | None) else json.dumps(content).encode()

    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(app=Starlette(routes=routes()))
        async with httpx.AsyncClient(transport=transport, base_url="http://lab") as client:
            options = {"content-type": "application/json"} | headers
            return await client.request(method, address, content=body, headers=options)

    return asyncio.run(request())
