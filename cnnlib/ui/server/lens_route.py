"""The routes of the lens: the numbers behind one map of a network, computed by the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnlib.errors import RecipeError
from cnnlib.records.checks import checks
from cnnlib.records.maps import StepRequest
from cnnlib.ui.common.shared import shared_store, worker_pool
from cnnlib.ui.server.json_requests import respond_to_json, respond_to_query
from cnnlib.ui.server.maps_route import (
    MAX_BYTES,
    maps_request,
    of_run,
    query_values,
    viewer_response,
)

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def network_lens(request: Request) -> Response:
    """The numbers behind the chosen map, as JSON: inputs, kernel, bias and later steps.

    The body is that of the maps; ``chosen`` is required. ``weights`` of an answer with maps asks
    for the same weights; ``step`` of the answer tells which ones it has. Numbers are float32 in
    base64. The status is 202 and 422 as for the maps.
    """
    return await respond_to_json(
        request, MAX_BYTES, lambda values: viewer_response(lambda: _answer(values))
    )


async def run_map(request: Request) -> Response:
    """The same for a run: the query has ``column``, ``map``, ``picture`` and ``weights``."""
    return await respond_to_query(request, lambda: _of_run(request))


def _of_run(request: Request) -> Response:
    run_id = request.path_params["run_id"]
    values = query_values(request, ("column", "map"))
    values["chosen"] = [values.pop(name, "") for name in ("column", "map")]
    return viewer_response(lambda: _answer(of_run(run_id, values)))


async def run_step(request: Request) -> Response:
    """What one batch of a run changed: pictures, losses, a filter's weights and its gradient.

    The query has ``step`` (after the batch), ``column`` and ``map`` of the filter, or neither, and
    ``source``, the input map whose gradient is shown by position. The weights of the steps before
    and after must be saved, as they are when a paused run trains one batch.
    """
    return await respond_to_query(request, lambda: _step_of_run(request))


def _step_of_run(request: Request) -> Response:
    values = query_values(request, ("step", "column", "map", "source"))
    return viewer_response(lambda: _step(request.path_params["run_id"], values))


def _step(run_id: str, values: dict[str, Any]) -> dict[str, Any]:
    store = shared_store()
    run = store.run(run_id).request
    numbers = {"step": 0, "source": 0} | values
    for name in ("step", "source", "column", "map"):
        if name in numbers:
            checks.integer(0, 10**9)(name, numbers[name])
    chosen = (numbers["column"], numbers["map"]) if {"column", "map"} <= numbers.keys() else None
    wanted = StepRequest(store.folders.run(run_id), run, numbers["step"], chosen, numbers["source"])
    answer: dict[str, Any] = worker_pool().viewer_answer("step_view", wanted)
    return answer


def _answer(values: dict[str, Any]) -> dict[str, Any]:
    wanted = maps_request(values)
    if wanted.chosen is None:
        raise RecipeError("No map is chosen. Name a column and a map.")
    answer: dict[str, Any] = worker_pool().viewer_answer("lens", wanted)
    return answer
