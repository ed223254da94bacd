"""The Lab's scripts are announced with its page, and with no other."""

import asyncio
import re

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from cnnlib.ui.server.routes import routes
from cnnlib.ui.server.server import LabScripts


def test_every_announced_script_is_served_and_only_for_the_lab():
    pages = [Route(path, lambda _: PlainTextResponse("")) for path in ("/", "/build")]
    app = Starlette(routes=[*pages, *routes()], middleware=[Middleware(LabScripts)])

    async def get(address: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://lab") as client:
            return await client.get(address)

    assert "link" not in asyncio.run(get("/build")).headers
    addresses = re.findall(r"<([^>]+)>", asyncio.run(get("/")).headers["link"])
    assert "/assets/lab/lab.js" in addresses
    assert {asyncio.run(get(address)).status_code for address in addresses} == {200}
