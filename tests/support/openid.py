"""A minimal OpenID provider for tests of sign-in; it accepts every name without a password."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from serving import free_port
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Generator

    from starlette.requests import Request

CLIENT_ID, CLIENT_SECRET = "cnnlab", "a secret between the two"
PEOPLE = ("Ada", "Bob")
START_SECONDS = 30.0


@contextmanager
def provider() -> Generator[str]:
    """Serve the provider on a free port until the end of the block; yield its address.

    Its sign-in page has a link for each of `PEOPLE`, and no password.
    """
    port = free_port()
    config = uvicorn.Config(_application(f"http://localhost:{port}"), port=port, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="openid", daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        assert time.monotonic() < deadline, "the provider did not start"
        time.sleep(0.02)
    yield f"http://localhost:{port}"
    server.should_exit = True
    thread.join()


def secrets(provider_url: str, app_url: str) -> str:
    """The content of ``secrets.toml``, as described in docs/class.md."""
    return f"""[auth]
redirect_uri = "{app_url}/oauth2callback"
cookie_secret = "a long random text of the operator's own"
client_id = "{CLIENT_ID}"
client_secret = "{CLIENT_SECRET}"
server_metadata_url = "{provider_url}/.well-known/openid-configuration"
"""


def _application(url: str) -> Starlette:
    key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})
    codes: dict[str, tuple[str, str]] = {}  # code -> person, nonce of the request

    def configuration(_: Request) -> Response:
        return JSONResponse(
            {
                "issuer": url,
                "authorization_endpoint": f"{url}/authorize",
                "token_endpoint": f"{url}/token",
                "jwks_uri": f"{url}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    def authorize(request: Request) -> Response:
        query = request.query_params
        links = ""
        for name in PEOPLE:
            code = f"{name}-{len(codes)}"
            codes[code] = (name, query.get("nonce", ""))
            back = urlencode({"code": code, "state": query["state"]})
            links += f'<p><a href="{escape(query["redirect_uri"])}?{escape(back)}">{name}</a></p>'
        return HTMLResponse(f"<title>Who are you?</title>{links}")

    async def token(request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        name, nonce = codes.pop(form["code"][0])
        now = int(time.time())
        claims = {"iss": url, "aud": CLIENT_ID, "sub": name.lower(), "name": name}
        claims |= {"nonce": nonce, "iat": now, "exp": now + 600}
        signed = jwt.encode({"alg": "RS256", "kid": "1"}, claims, key)
        return JSONResponse(
            {"access_token": name, "token_type": "Bearer", "expires_in": 600, "id_token": signed}
        )

    def keys(_: Request) -> Response:
        return JSONResponse({"keys": [key.as_dict(private=False)]})

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", configuration),
            Route("/authorize", authorize),
            Route("/token", token, methods=["POST"]),
            Route("/keys", keys),
        ]
    )
