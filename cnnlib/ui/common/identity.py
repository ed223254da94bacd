"""Who is at the other end of a page: in class mode, a browser or a person who signed in.

A browser is known by a cookie with a random number, which the server sets with the first page. A
person who signed in is known by what their identity provider calls them. Neither is stored: an
owner's name in the run store is a hash of it, from which nobody can get back to it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

import streamlit as st
from starlette.requests import HTTPConnection
from streamlit.errors import StreamlitAuthError

from cnnlib.ui.common.format import escape_markdown

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from cnnlib.records.settings import Settings

COOKIE = "cnnlab_browser"
_NUMBER = re.compile(r"[0-9a-f]{32}")
_YEAR_SECONDS = 365 * 86_400
_WITHOUT_COOKIE = "visitor_number"  # of a session whose browser takes no cookies


def owner(settings: Settings) -> str | None:
    """Whose the things are that this session starts; None outside class mode."""
    if not settings.class_mode.on:
        return None
    if settings.class_mode.sign_in:
        return _owner("person", f"{st.user.get('iss', '')}\0{st.user.get('sub', '')}")
    number = st.context.cookies.get(COOKIE, "")
    if not _NUMBER.fullmatch(number):
        number = st.session_state.setdefault(_WITHOUT_COOKIE, secrets.token_hex(16))
    return _owner("browser", number)


def _owner(kind: str, secret: str) -> str:
    return f"{kind}-{hashlib.sha256(secret.encode()).hexdigest()[:24]}"


def require_sign_in(settings: Settings) -> None:
    """Where people sign in: nobody passes who has not, and who has can leave again."""
    if not (settings.class_mode.on and settings.class_mode.sign_in):
        return
    if st.user.get("is_logged_in", False):
        _sign_out_bar()
        return
    st.title("CNN Lab")
    st.write("This is the lab of a class. Sign in, and what you train here is yours.")
    st.button("Sign in", type="primary", icon=":material/login:", key="sign_in", on_click=_sign_in)
    st.stop()


def _sign_in() -> None:
    """Lead the browser to the identity provider."""
    try:
        st.login()
    except StreamlitAuthError as error:
        st.toast(
            escape_markdown(
                f"Nobody can sign in here yet: {' '.join(str(error).split())} Tell who runs this "
                "server; docs/class.md says how it is set up."
            ),
            icon=":material/error:",
            duration="infinite",
        )


def _sign_out_bar() -> None:
    """Who has signed in, and a button that ends it."""
    with st.container(
        horizontal=True, horizontal_alignment="right", vertical_alignment="center", key="account"
    ):
        name = st.user.get("name") or st.user.get("email") or ""
        st.caption(
            escape_markdown(f"Signed in as {name}" if name else "Signed in"), width="content"
        )
        st.button(
            "Sign out",
            type="tertiary",
            icon=":material/logout:",
            key="sign_out",
            on_click=st.logout,
        )


class BrowserCookie:
    """Gives a browser that asks for a page a number of its own, unless it has one.

    The cookie is HttpOnly (no script reads it), SameSite=Lax (no other site sends it along with
    what it makes the browser do), and Secure where the page came over HTTPS.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _needs_number(HTTPConnection(scope)):
            await self._app(scope, receive, send)
            return
        cookie = _new_cookie(is_secure=_came_by_https(HTTPConnection(scope)))

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                add: MutableMapping[str, Any] = message
                add["headers"] = [*message.get("headers", ()), (b"set-cookie", cookie)]
            await send(message)

        await self._app(scope, receive, send_with_cookie)


def _needs_number(connection: HTTPConnection) -> bool:
    """It asks for a page, as a person does who opens an address, and has no number."""
    wants_page = "text/html" in connection.headers.get("accept", "")
    return wants_page and not _NUMBER.fullmatch(connection.cookies.get(COOKIE, ""))


def _came_by_https(connection: HTTPConnection) -> bool:
    """The browser's own connection is encrypted, seen from here or told by a proxy."""
    told = connection.headers.get("x-forwarded-proto", "").split(",")[0].strip()
    return (told or connection.url.scheme) == "https"


def _new_cookie(*, is_secure: bool) -> bytes:
    cookie: SimpleCookie = SimpleCookie()
    cookie[COOKIE] = secrets.token_hex(16)
    attributes: dict[str, Any] = {"path": "/", "max-age": _YEAR_SECONDS, "httponly": True}
    attributes |= {"samesite": "Lax", "secure": is_secure}
    cookie[COOKIE].update(attributes)
    return cookie.output(header="").strip().encode("latin-1")
