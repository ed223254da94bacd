"""What a page of this server may load: nothing from elsewhere, whatever a name on it says."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
