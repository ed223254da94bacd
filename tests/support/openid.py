"""An OpenID provider of the tests' own, as small as sign-in needs: it believes what it is told."""

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
    """Answers on a free port until the block is left; gives its address.

    Its sign-in page asks which of `PEOPLE` it is, and does not ask for a password.
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
    """What the operator writes into ``secrets.toml``, as docs/class.md has it."""
    return f"""[auth]
redirect_uri = "{app_url}/oauth2callback"
cookie_secret = "a long random text of the operator's own"
client_id = "{CLIENT_ID}"
client_secret = "{CLIENT_SECRET}"
server_metadata_url = "{provider_url}/.well-known/openid-configuration"
"""


def _application(url: str) -> Starlette:
    key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})
    codes: dict[str, tuple[str, str]] = {}  # code -> who it is, the nonce of the question

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
        asked = request.query_params
        links = ""
        for name in PEOPLE:
            code = f"{name}-{len(codes)}"
            codes[code] = (name, asked.get("nonce", ""))
            back = urlencode({"code": code, "state": asked["state"]})
            links += f'<p><a href="{escape(asked["redirect_uri"])}?{escape(back)}">{name}</a></p>'
        return HTMLResponse(f"<title>Who are you?</title>{links}")

    async def token(request: Request) -> Response:
        told = parse_qs((await request.body()).decode())
        name, nonce = codes.pop(told["code"][0])
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
