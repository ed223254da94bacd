"""A client of Streamlit's protocol that opens pages, moves sliders and presses buttons.

It keeps a browser's state: cookies, the page, and the values of the widgets that it used. It draws
nothing, so thirty clients fit on one machine with the measured server.
"""

from __future__ import annotations

import asyncio
import json
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
    """One tab of one browser.

    Args:
        url: Address of the server, without a slash at the end.
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
        self.components: dict[str, Any] = {}  # key -> data of a component of the page

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

    async def trigger(self, key: str, event: str, value: Any) -> float:
        """Send an event of a component; returns the seconds until the answer is complete."""
        state = WidgetState(id=f"$$STREAMLIT_INTERNAL_KEY_{self._widgets[key]}__events")
        state.json_trigger_value = json.dumps([{"event": event, "value": value}])
        return await self._rerun(state)

    async def post_json(self, address: str, body: Any) -> tuple[int, Any]:
        """Send JSON to a route; returns the status and the JSON of the answer, None without any."""
        answer = await self._request("POST", address, json=body)
        return answer.status_code, answer.json() if answer.content else None

    async def get_json(self, address: str) -> Any:
        """The JSON of a route of the server."""
        answer = await self._request("GET", address)
        answer.raise_for_status()
        return answer.json()

    async def _request(self, method: str, address: str, **options: Any) -> httpx.Response:
        """Send a request, once more where the server had closed an idle connection."""
        try:
            return await self._http.request(method, address, **options)
        except (httpx.RemoteProtocolError, httpx.ReadError):
            return await self._http.request(method, address, **options)

    def take_cookies(self, other: Session) -> None:
        """Become a tab of the browser of another session."""
        self._http.cookies.update(other._http.cookies)

    @property
    def runs_in_address(self) -> list[str]:
        """The ids of the runs in the page's current address."""
        return parse_qs(self._query).get("run", [])

    async def close(self) -> None:
        """Close the tab."""
        if self._socket is not None:
            await self._socket.close()
        await self._http.aclose()

    def _cookies(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self._http.cookies.items())

    async def _rerun(self, *pressed: WidgetState) -> float:
        """Send the widgets and process the answer; return the seconds that it took."""
        assert self._socket is not None
        message = BackMsg()
        client = message.rerun_script
        client.query_string = self._query
        client.page_script_hash, client.page_name = self._page_hash, self._page
        client.widget_states.widgets.extend([*self._states.values(), *pressed])
        begun = time.monotonic()
        await self._socket.send(message.SerializeToString())
        async with asyncio.timeout(ANSWER_SECONDS):
            while not self._process(ForwardMsg.FromString(await self._socket.recv())):
                pass
        return time.monotonic() - begun

    def _process(self, message: ForwardMsg) -> bool:
        """Update the state from a message; return whether it ends the answer."""
        match message.WhichOneof("type"):
            case "navigation":
                self._page_hash = message.navigation.page_script_hash
            case "page_info_changed":
                self._query = message.page_info_changed.query_string
            case "delta":
                self._store_element(message.delta.new_element)
            case "script_finished":
                success = ForwardMsg.ScriptFinishedStatus.FINISHED_SUCCESSFULLY
                return message.script_finished == success
        return False

    def _store_element(self, element: Any) -> None:
        """Store a widget's id, or what is shown; raise if the page shows an exception."""
        kind = element.WhichOneof("type")
        if kind == "exception":
            raise RuntimeError(f"{self._page}: {element.exception.message}")
        if kind == "bidi_component":
            component = element.bidi_component
            key = component.id.rsplit("-", 1)[-1]
            self._widgets[key] = component.id
            data = json.loads(component.json)
            self.components[key] = json.loads(data["json"]) if "json" in data else data
        elif kind in ("slider", "button"):
            widget = getattr(element, kind)
            self._widgets[widget.id.rsplit("-", 1)[-1]] = widget.id
