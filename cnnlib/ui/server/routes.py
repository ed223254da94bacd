"""What the server answers beside pages: the rows of a run, and the files of the live chart.

Both only read. The rows follow the rule of the pages: everybody may look at everybody's runs, and
where people sign in, nobody looks who has not. The files are the program's own, the same for all.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME
from streamlit.web.server.starlette.starlette_websocket import _get_signed_cookie_with_chunks

from cnnlib.diagnosis.report import run_report
from cnnlib.errors import StoreError
from cnnlib.runs.polling import metrics_since
from cnnlib.ui.common.shared import shared_store
from cnnlib.ui.common.urls import (
    ASSETS_ADDRESS,
    ROOMS_WITH_ASSETS,
    RUNS_ADDRESS,
    at_root,
    static_folder,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import Scope

    from cnnlib.records.settings import ClassMode
    from cnnlib.runs.store import RunStore

_CURSOR = re.compile(r"[0-9]{1,15}")  # a browser keeps numbers of that size exactly


async def metrics(request: Request) -> JSONResponse:
    """The state of a run and its rows after the ones that the browser has:
    ``?after=<step>&after_epoch=<epoch>``.
    """
    try:
        after, after_epoch = (_cursor(request, name) for name in ("after", "after_epoch"))
    except ValueError as error:
        return JSONResponse({"error": str(error)}, status_code=400)
    look = partial(metrics_since, after=after, after_epoch=after_epoch)
    return await run_in_threadpool(_look, request, look)


async def words(request: Request) -> JSONResponse:
    """What is wrong with a run and what was chosen for it, in words."""
    return await run_in_threadpool(_look, request, run_report)


def _look(request: Request, look: Callable[[RunStore, str], dict[str, Any]]) -> JSONResponse:
    """What there is to see of the run in the address. It reads the database, so it runs on a thread
    of its own.
    """
    store = shared_store()
    if not _may_look(request, store.settings.class_mode):
        return JSONResponse({"error": "Sign in first: open the lab's home page."}, status_code=401)
    try:
        answer = look(store, request.path_params["run_id"])
    except StoreError as error:
        return JSONResponse({"error": str(error)}, status_code=404)
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


def _may_look(request: Request, mode: ClassMode) -> bool:
    """Nobody has to sign in here, or the browser shows that it has: a cookie that we signed."""
    if not (mode.on and mode.sign_in):
        return True
    return bool(_get_signed_cookie_with_chunks(request.cookies, USER_COOKIE_NAME))


def _cursor(request: Request, name: str) -> int:
    """A whole number from 0 in the address; 0 where it is not given.

    Raises:
        ValueError: It is something else; the text is a sentence.
    """
    text = request.query_params.get(name, "0")
    if not _CURSOR.fullmatch(text):
        raise ValueError(
            f"{name}={text[:40]!r} is not a whole number from 0 with at most 15 digits. Write one."
        )
    return int(text)


class _Revalidated(StaticFiles):
    """Files that a browser keeps, but asks about each time: after an update nobody runs an old
    script.
    """

    def file_response(
        self, full_path: Any, stat_result: Any, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response


def routes() -> list[BaseRoute]:
    """The routes, where the server lives now."""
    return [
        Route(at_root(f"{RUNS_ADDRESS}/{{run_id}}/metrics"), metrics),
        Route(at_root(f"{RUNS_ADDRESS}/{{run_id}}/words"), words),
        *(
            Mount(
                at_root(f"{ASSETS_ADDRESS}/{room}"), app=_Revalidated(directory=static_folder(room))
            )
            for room in ROOMS_WITH_ASSETS
        ),
    ]
