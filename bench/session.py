"""A browser's end of Streamlit's protocol: opens pages, moves sliders, presses buttons.

It keeps what a browser would send back: cookies, the page, the state of the widgets that it used.
It draws nothing, so thirty of them fit beside the server that is measured.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import parse_qs

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

ANSWER_SECONDS = 60.0


class Session:
    """One tab of a browser of its own.

    Args:
        url: Of the server, without a slash at the end.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = httpx.AsyncClient(base_url=url, timeout=ANSWER_SECONDS)
        self._socket: ClientConnection | None = None
        self._page = ""
        self._page_hash = ""
        self._query = ""
        self._widgets: dict[str, str] = {}  # key -> id
        self._states: dict[str, WidgetState] = {}
        self.metrics: dict[str, str] = {}  # label -> what it shows

    async def open(self, page: str, query: str = "") -> float:
        """Open a page by its address; returns the seconds until its script has ended."""
        begun = time.monotonic()
        if self._socket is not None:
            await self._socket.close()
        self._page, self._page_hash, self._query = page, "", query
        self._states.clear()
        answer = await self._http.get(f"/{page}", headers={"accept": "text/html"})
        answer.raise_for_status()
        self._socket = await connect(
            f"{self._url.replace('http', 'ws', 1)}/_stcore/stream",
            subprotocols=["streamlit"],
            additional_headers={"cookie": self._cookies()},
            max_size=None,
        )
        await self._rerun()
        return time.monotonic() - begun

    async def move(self, key: str, value: float) -> float:
        """Move a slider; returns the seconds until the answer is complete."""
        state = WidgetState(id=self._widgets[key])
        state.double_array_value.data.append(value)
        self._states[key] = state
        return await self._rerun()

    async def press(self, key: str) -> float:
        """Press a button; returns the seconds until the answer is complete."""
        return await self._rerun(WidgetState(id=self._widgets[key], trigger_value=True))

    async def get_json(self, address: str) -> Any:
        """What a route of the server answers; a connection that went stale is opened anew."""
        try:
            answer = await self._http.get(address)
        except httpx.RemoteProtocolError:
            answer = await self._http.get(address)
        answer.raise_for_status()
        return answer.json()

    @property
    def runs_in_address(self) -> list[str]:
        """The runs that the page's address names now."""
        return parse_qs(self._query).get("run", [])

    async def close(self) -> None:
        """Close the tab."""
        if self._socket is not None:
            await self._socket.close()
        await self._http.aclose()

    def _cookies(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self._http.cookies.items())

    async def _rerun(self, *pressed: WidgetState) -> float:
        """Send the widgets and take in the answer."""
        assert self._socket is not None
        message = BackMsg()
        client = message.rerun_script
        client.query_string = self._query
        client.page_script_hash, client.page_name = self._page_hash, self._page
        client.widget_states.widgets.extend([*self._states.values(), *pressed])
        begun = time.monotonic()
        await self._socket.send(message.SerializeToString())
        async with asyncio.timeout(ANSWER_SECONDS):
            while not self._take_in(ForwardMsg.FromString(await self._socket.recv())):
                pass
        return time.monotonic() - begun

    def _take_in(self, message: ForwardMsg) -> bool:
        """Note what a message says; true for the one that ends the answer."""
        match message.WhichOneof("type"):
            case "navigation":
                self._page_hash = message.navigation.page_script_hash
            case "page_info_changed":
                self._query = message.page_info_changed.query_string
            case "delta":
                self._note(message.delta.new_element)
            case "script_finished":
                ended_well = ForwardMsg.ScriptFinishedStatus.FINISHED_SUCCESSFULLY
                return message.script_finished == ended_well
        return False

    def _note(self, element: Any) -> None:
        """Remember where widgets are, and what numbers the page shows."""
        kind = element.WhichOneof("type")
        if kind == "exception":
            raise RuntimeError(f"{self._page}: {element.exception.message}")
        if kind == "metric":
            self.metrics[element.metric.label] = element.metric.body
        elif kind in ("slider", "button"):
            widget = getattr(element, kind)
            self._widgets[widget.id.rsplit("-", 1)[-1]] = widget.id
