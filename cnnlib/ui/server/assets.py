"""The routes of scripts and styles. They import little: a browser asks for them with the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from cnnlib.ui.common.urls import ASSETS_ADDRESS, FOLDERS_WITH_ASSETS, at_root, static_folder
from cnnlib.ui.server.bundle import bundled_script

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Scope


def asset_routes() -> list[BaseRoute]:
    """Build the routes, below the current base path of the server."""
    files = [
        Mount(
            at_root(f"{ASSETS_ADDRESS}/{folder}"),
            app=_RevalidatedFiles(directory=static_folder(folder)),
        )
        for folder in FOLDERS_WITH_ASSETS
    ]
    bundle = Route(at_root(f"{ASSETS_ADDRESS}/{{script:path}}.bundle.js"), bundled_script)
    return [bundle, *files]


class _RevalidatedFiles(StaticFiles):
    """Static files that a browser caches but revalidates at each use, so updates apply at once."""

    def file_response(
        self, full_path: Any, stat_result: Any, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response
