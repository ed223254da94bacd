"""The place that the environment names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from cnnlib.errors import StoreError
from cnnlib.runs.places.local_place import LocalPlace

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnnlib.records.folders import Folders
    from cnnlib.runs.places.place import Place
    from cnnlib.runs.workers.viewer import Viewer

_VARIABLE = "CNNLAB_PLACE"


def place_kind() -> Literal["local", "ray"]:
    """Return the kind of place that CNNLAB_PLACE names.

    Raises:
        StoreError: There is no such kind.
    """
    match os.environ.get(_VARIABLE, "") or "local":
        case "local":
            return "local"
        case "ray":
            return "ray"
        case other:
            raise StoreError(
                f"{_VARIABLE}={other!r} is no place where runs execute. Set it to local (workers "
                "of this machine) or ray (workers of a Ray cluster), or unset it."
            )


def open_place(
    folders: Folders,
    count: int | None = None,
    viewer: Viewer | None = None,
    is_page_open: Callable[[], bool] = lambda: False,
) -> Place:
    """Open the place that CNNLAB_PLACE names; see `LocalPlace` for the arguments.

    Raises:
        StoreError: A variable of the environment is wrong, or the store cannot be opened.
    """
    if place_kind() == "local":
        return LocalPlace(folders, count, viewer=viewer, is_page_open=is_page_open)
    from cnnlib.runs.places.ray_place import RayPlace

    return RayPlace(folders, viewer=viewer, is_page_open=is_page_open)
