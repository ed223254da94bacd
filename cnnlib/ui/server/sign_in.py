"""The rule of the routes: where signing in is required, only signed-in browsers may read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME
from streamlit.web.server.starlette.starlette_websocket import _get_signed_cookie_with_chunks

if TYPE_CHECKING:
    from starlette.requests import Request

    from cnnlib.records.settings import ClassMode


def refusal(request: Request, mode: ClassMode) -> JSONResponse | None:
    """Return the response to a request without a sign-in's signed cookie where one is required."""
    if not (mode.on and mode.sign_in):
        return None
    if _get_signed_cookie_with_chunks(request.cookies, USER_COOKIE_NAME):
        return None
    sentence = "You are not signed in, but this lab requires it. Sign in on the home page."
    return JSONResponse({"error": sentence}, status_code=401)
