"""The routes beside the pages: plan, maps and lens of a design, metrics of a run, files.

All of them only read. Runs follow the rule of the pages: everybody may read all runs; where signing
in is required, only after signing in. The static files are part of the program, open to all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from cnnlib.diagnosis.report import run_report
from cnnlib.errors import StoreError
from cnnlib.runs.polling import metrics_since
from cnnlib.ui.common.shared import shared_store
from cnnlib.ui.common.urls import (
    ASSETS_ADDRESS,
    FOLDERS_WITH_ASSETS,
    LENS_ADDRESS,
    MAPS_ADDRESS,
    PLAN_ADDRESS,
    RUNS_ADDRESS,
    at_root,
    static_folder,
)
from cnnlib.ui.server.bundle import bundled_script
from cnnlib.ui.server.json_requests import refusal
from cnnlib.ui.server.lens_route import network_lens, run_map, run_step
from cnnlib.ui.server.maps_route import network_maps, run_maps
from cnnlib.ui.server.plan_route import plan_design

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.types import Scope

    from cnnlib.runs.store import RunStore

_UNREAD_OF_EPOCH = (
    "kind",
    "eval_seconds",
    "test_loss",
    "dead_units",
    "dead_units_images",
    "memory_bytes",
)
_CURSORS = ("after", "after_epoch", "after_sample")
_CURSOR = re.compile(r"[0-9]{1,15}")  # JavaScript represents integers of 15 digits exactly


async def metrics(request: Request) -> JSONResponse:
    """The state of a run as JSON, and its rows after the cursors in the query.

    The cursors are ``after`` (a step), ``after_epoch`` and ``after_sample`` (the step of a score).
    """
    try:
        cursors = {name: _parse_cursor(request, name) for name in _CURSORS}
    except ValueError as error:
        return JSONResponse({"error": str(error)}, status_code=400)

    def read(store: RunStore, run_id: str) -> dict[str, Any]:
        found = metrics_since(store, run_id, **cursors)
        return _without(found, "run_id") | {
            "steps": _without(found["steps"], "images_per_second"),
            "epochs": [_without(epoch, *_UNREAD_OF_EPOCH) for epoch in found["epochs"]],
        }

    return await run_in_threadpool(_respond, request, read)


def _without(content: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return the content without some fields that no page reads."""
    return {name: value for name, value in content.items() if name not in names}


async def report(request: Request) -> JSONResponse:
    """The report of a run as JSON: its problems and the choices made for it, in sentences."""
    return await run_in_threadpool(_respond, request, run_report)


def _respond(request: Request, read: Callable[[RunStore, str], dict[str, Any]]) -> JSONResponse:
    """Respond with the JSON that `read` returns for the run in the address.

    It blocks while it reads the database, so call it on a thread of the pool.
    """
    store = shared_store()
    if (refused := refusal(request, store.settings.class_mode)) is not None:
        return refused
    try:
        content = read(store, request.path_params["run_id"])
    except StoreError as error:
        return JSONResponse({"error": str(error)}, status_code=404)
    return JSONResponse(content, headers={"Cache-Control": "no-store"})


def _parse_cursor(request: Request, name: str) -> int:
    """Parse a whole number from 0 in the query; 0 where it is missing.

    Raises:
        ValueError: It is something else; the message is a sentence for the response.
    """
    text = request.query_params.get(name, "0")
    if not _CURSOR.fullmatch(text):
        raise ValueError(
            f"{name}={text[:40]!r} is not a whole number from 0 with at most 15 digits. Use such a "
            f"number."
        )
    return int(text)


class _RevalidatedFiles(StaticFiles):
    """Static files that a browser caches but revalidates at each use, so updates apply at once."""

    def file_response(
        self, full_path: Any, stat_result: Any, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response


def routes() -> list[BaseRoute]:
    """Build the routes, below the current base path of the server."""
    return [
        Route(at_root(PLAN_ADDRESS), plan_design, methods=["POST"]),
        Route(at_root(MAPS_ADDRESS), network_maps, methods=["POST"]),
        Route(at_root(LENS_ADDRESS), network_lens, methods=["POST"]),
        Route(at_root(f"{RUNS_ADDRESS}/{{run_id}}/map"), run_map),
        Route(at_root(f"{RUNS_ADDRESS}/{{run_id}}/step"), run_step),
        Route(at_root(f"{RUNS_ADDRESS}/{{run_id}}/maps"), run_maps, methods=["GET", "POST"]),
        Route(at_root(f"{RUNS_ADDRESS}/{{run_id}}/metrics"), metrics),
        Route(at_root(f"{RUNS_ADDRESS}/{{run_id}}/words"), report),
        Route(at_root(f"{ASSETS_ADDRESS}/{{script:path}}.bundle.js"), bundled_script),
        *(
            Mount(
                at_root(f"{ASSETS_ADDRESS}/{folder}"),
                app=_RevalidatedFiles(directory=static_folder(folder)),
            )
            for folder in FOLDERS_WITH_ASSETS
        ),
    ]
