"""The identity of a page's visitor in class mode: a browser, or a person who signed in.

A browser is identified by a cookie with a random number, set with the first page. A signed-in
person is identified by the issuer and subject of the identity provider. Neither is stored: the
owner in the run store is a hash of it, which cannot be reversed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from streamlit.errors import StreamlitAuthError

from cnnlib.ui.common.format import escape_markdown

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from cnnlib.records.settings import Settings

COOKIE = "cnnlab_browser"
_NUMBER = re.compile(r"[0-9a-f]{32}")
_YEAR_SECONDS = 365 * 86_400
_WITHOUT_COOKIE = "visitor_number"  # session-state key for browsers without cookies


def owner(settings: Settings) -> str | None:
    """Return the owner of the runs and jobs of this session; None outside class mode."""
    if not settings.class_mode.on:
        return None
    if settings.class_mode.sign_in:
        return _owner("person", f"{st.user.get('iss', '')}\0{st.user.get('sub', '')}")
    return _owner("browser", _browser_number())


def browser_key(settings: Settings) -> str:
    """Return a key of this browser, which is not reversible; of this session without cookies.

    Where people sign in, each of them has another key in one browser.
    """
    person = owner(settings) if settings.class_mode.sign_in else ""
    return _owner("lab", f"{_browser_number()}\0{person}")


def _browser_number() -> str:
    """Return the number in this browser's cookie; that of the session without cookies."""
    number = str(st.context.cookies.get(COOKIE, ""))
    if _NUMBER.fullmatch(number):
        return number
    return st.session_state.setdefault(_WITHOUT_COOKIE, secrets.token_hex(16))


def _owner(kind: str, secret: str) -> str:
    """Return the owner as kind and hash of a secret identifier."""
    return f"{kind}-{hashlib.sha256(secret.encode()).hexdigest()[:24]}"


def require_sign_in(settings: Settings) -> None:
    """If sign-in is on, show a sign-in page to visitors without a session, else a sign-out bar."""
    if not (settings.class_mode.on and settings.class_mode.sign_in):
        return
    if st.user.get("is_logged_in", False):
        _sign_out_bar()
        return
    st.title("CNN Lab")
    st.write(
        "This is the lab of a class. Sign in to train networks. Only you can change your runs."
    )
    st.button("Sign in", type="primary", icon=":material/login:", key="sign_in", on_click=_sign_in)
    st.stop()


def _sign_in() -> None:
    """Redirect the browser to the identity provider."""
    try:
        st.login()
    except StreamlitAuthError as error:
        st.toast(
            escape_markdown(
                f"Sign-in is not set up on this server: {' '.join(str(error).split())} Ask the "
                "operator of the server to set it up as described in docs/class.md."
            ),
            icon=":material/error:",
            duration="infinite",
        )


def _sign_out_bar() -> None:
    """Show the signed-in person's name and a button to sign out."""
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


class HeaderMiddleware:
    """ASGI middleware that adds headers to responses; a subclass says which."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.add_headers(MutableHeaders(scope=message), HTTPConnection(scope))
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def add_headers(self, headers: MutableHeaders, connection: HTTPConnection) -> None:
        """Add to the headers of the response to a request."""
        raise NotImplementedError


class BrowserCookie(HeaderMiddleware):
    """Sets a cookie with a random number in browsers without one.

    The cookie is HttpOnly (not readable by scripts), SameSite=Lax (not sent with cross-site
    subrequests), and Secure if the page was requested over HTTPS.
    """

    def add_headers(self, headers: MutableHeaders, connection: HTTPConnection) -> None:
        if _needs_cookie(connection):
            headers.append("Set-Cookie", _new_cookie(is_secure=_is_https(connection)))


def _needs_cookie(connection: HTTPConnection) -> bool:
    """Return whether the request is for an HTML page and has no valid cookie."""
    wants_page = "text/html" in connection.headers.get("accept", "")
    return wants_page and not _NUMBER.fullmatch(connection.cookies.get(COOKIE, ""))


def _is_https(connection: HTTPConnection) -> bool:
    """Return whether the browser's connection is encrypted, directly or according to a proxy."""
    forwarded = connection.headers.get("x-forwarded-proto", "").split(",")[0].strip()
    return (forwarded or connection.url.scheme) == "https"


def _new_cookie(*, is_secure: bool) -> str:
    cookie: SimpleCookie = SimpleCookie()
    cookie[COOKIE] = secrets.token_hex(16)
    attributes: dict[str, Any] = {"path": "/", "max-age": _YEAR_SECONDS, "httponly": True}
    attributes |= {"samesite": "Lax", "secure": is_secure}
    cookie[COOKIE].update(attributes)
    return cookie.output(header="").strip()
