"""Requests that compute: who may send them, bounded in rate, and those with JSON also in size."""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME
from streamlit.web.server.starlette.starlette_websocket import _get_signed_cookie_with_chunks

from cnnlib.records.settings import ClassMode
from cnnlib.ui.common.identity import COOKIE
from cnnlib.ui.common.shared import shared_store

REQUESTS_PER_SECOND = 60.0  # of one browser, on average over `_BURST_SECONDS`
_BURST_SECONDS = 5.0
_MOST_BROWSERS = 10_000


async def respond_to_json(
    request: Request, most_bytes: int, respond: Callable[[dict[str, Any]], Response]
) -> Response:
    """Respond to a POST with what `respond` returns for its JSON object, on another thread.

    Refused are: visitors who are not signed in where that is required (401), pages of other sites
    (403), other content types (415), bodies above the limit (413), too many requests (429), and
    what is not a JSON object (400).
    """
    if (refused := await run_in_threadpool(_refuse_visitor, request)) is not None:
        return refused
    if not _is_own_origin(request):
        return error_response("Requests from other sites are refused.", 403)
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return error_response("Send JSON, with the content type application/json.", 415)
    if (refused := _refuse_flood(request)) is not None:
        return refused
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > most_bytes:
                sentence = f"The request has more than {most_bytes:,} bytes. Send less."
                return error_response(sentence, 413)
    except ClientDisconnect:  # the page asks for something else now
        return Response(status_code=204)
    try:
        values = json.loads(bytes(body))
        if not isinstance(values, dict):
            raise ValueError
    except (ValueError, RecursionError):
        return error_response("The body is not a JSON object. Send one.", 400)
    return await run_in_threadpool(respond, values)


async def respond_to_query(request: Request, respond: Callable[[], Response]) -> Response:
    """Respond to a GET with what `respond` returns, on another thread.

    Refused are visitors who are not signed in where that is required (401), and too many requests
    (429).
    """
    refused = await run_in_threadpool(_refuse_visitor, request) or _refuse_flood(request)
    return await run_in_threadpool(respond) if refused is None else refused


def _refuse_visitor(request: Request) -> JSONResponse | None:
    return refusal(request, shared_store().settings.class_mode)


def _refuse_flood(request: Request) -> JSONResponse | None:
    if _limit.allows(_browser(request)):
        return None
    return error_response("There are too many requests from this browser. Wait a moment.", 429)


def error_response(sentence: str, status: int) -> JSONResponse:
    """Return a response with a sentence in ``error``."""
    return JSONResponse({"error": sentence}, status_code=status)


def _is_own_origin(request: Request) -> bool:
    """Whether the request comes from a page of this server, or from a program without an origin."""
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _browser(request: Request) -> str:
    """Return the browser's cookie, or its address where it has none."""
    return request.cookies.get(COOKIE, "") or (request.client.host if request.client else "")


class _RateLimit:
    """A limit of requests per browser: each has an allowance that refills with time."""

    def __init__(self, per_second: float, burst_seconds: float) -> None:
        self._per_second, self._most = per_second, per_second * burst_seconds
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # allowance, at time

    def allows(self, browser: str) -> bool:
        """Whether one more request is allowed; it counts."""
        now = time.monotonic()
        with self._lock:
            left, at = self._left.pop(browser, (self._most, now))
            left = min(self._most, left + (now - at) * self._per_second)
            is_allowed = left >= 1
            self._left[browser] = (left - is_allowed, now)
            if len(self._left) > _MOST_BROWSERS:
                self._left.popitem(last=False)
        return is_allowed


_limit = _RateLimit(REQUESTS_PER_SECOND, _BURST_SECONDS)


def refusal(request: Request, mode: ClassMode) -> JSONResponse | None:
    """Return the response to a request without a sign-in's signed cookie where one is required."""
    if not (mode.on and mode.sign_in):
        return None
    if _get_signed_cookie_with_chunks(request.cookies, USER_COOKIE_NAME):
        return None
    sentence = "You are not signed in, but this lab requires it. Sign in on the home page."
    return JSONResponse({"error": sentence}, status_code=401)
