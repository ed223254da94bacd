"""The routes beside the pages: plan, maps and lens of a design, metrics of a run, files.

All of them only read. Runs follow the rule of the pages: everybody may read all runs; where signing
in is required, only after signing in. The static files are part of the program, open to all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from cnnlib.design.columns import planned_design
from cnnlib.design.spec import CNNSpec
from cnnlib.diagnosis.report import run_report
from cnnlib.errors import ProbeError, RecipeError, SpecError, StoreError
from cnnlib.records.maps import StepRequest
from cnnlib.records.record import checks
from cnnlib.runs.polling import metrics_since
from cnnlib.ui.common.field_labels import LAB_LABELS, with_label
from cnnlib.ui.common.shared import place, shared_store
from cnnlib.ui.common.urls import (
    LENS_ADDRESS,
    MAPS_ADDRESS,
    PLAN_ADDRESS,
    PREVIEW_ADDRESS,
    RUNS_ADDRESS,
    at_root,
)
from cnnlib.ui.server.assets import asset_routes
from cnnlib.ui.server.json_requests import refusal, respond_to_json, respond_to_query
from cnnlib.ui.server.maps_route import (
    MAX_BYTES,
    maps_request,
    network_maps,
    of_run,
    query_values,
    run_maps,
    viewer_response,
)

if TYPE_CHECKING:
    from starlette.requests import Request

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


def routes() -> list[BaseRoute]:
    """Build the routes, below the current base path of the server."""
    return [
        Route(at_root(PLAN_ADDRESS), plan_design, methods=["POST"]),
        Route(at_root(PREVIEW_ADDRESS), preview_design, methods=["POST"]),
        Route(at_root(MAPS_ADDRESS), network_maps, methods=["POST"]),
        Route(at_root(LENS_ADDRESS), network_lens, methods=["POST"]),
        Route(at_root(f"{RUNS_ADDRESS}/{{run_id}}/map"), run_map),
        Route(at_root(f"{RUNS_ADDRESS}/{{run_id}}/step"), run_step),
        Route(at_root(f"{RUNS_ADDRESS}/{{run_id}}/maps"), run_maps, methods=["GET", "POST"]),
        Route(at_root(f"{RUNS_ADDRESS}/{{run_id}}/metrics"), metrics),
        Route(at_root(f"{RUNS_ADDRESS}/{{run_id}}/words"), report),
        *asset_routes(),
    ]


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
    step, source = numbers["step"], numbers["source"]
    before, after = (_checkpoint_file(store, run_id, each) for each in (step - 1, step))
    wanted = StepRequest(before, after, run, step, chosen, source)
    answer: dict[str, Any] = place().viewer_answer("step_view", wanted)
    return answer


def _checkpoint_file(store: RunStore, run_id: str, step: int) -> Path:
    """Return the file of a run's checkpoint of a step.

    Raises:
        ProbeError: It is not saved.
    """
    found = [each for each in store.saved_weights(run_id) if each.what == "checkpoint"]
    saved = next((each for each in found if each.step == step), None)
    if saved is None:
        raise ProbeError(
            f"The weights of step {step:,} are not saved, so this batch cannot be shown. Pause, "
            "and train one batch."
        )
    return store.weights_file(run_id, saved)


def _answer(values: dict[str, Any]) -> dict[str, Any]:
    wanted = maps_request(values)
    if wanted.chosen is None:
        raise RecipeError("No map is chosen. Name a column and a map.")
    answer: dict[str, Any] = place().viewer_answer("lens", wanted)
    return answer


MOST_PLAN_BYTES = 100_000  # of a request; a spec of 200 layers with values of their own takes less


async def plan_design(request: Request) -> Response:
    """Plan the design ``{"spec": {...}, "batch_size": 128, "optimizer": "adamw"}`` of a POST.

    A design that does not fit is repaired where a repair was found; ``repair`` describes it. The
    answer for a design that cannot be planned is the reason, as a sentence in ``error``.
    """
    return await respond_to_json(request, MOST_PLAN_BYTES, _respond_with_plan)


def _respond_with_plan(values: dict[str, Any]) -> Response:
    try:
        content = planned_design(
            CNNSpec.from_dict(values.get("spec", {})),
            batch_size=values.get("batch_size", 128),
            optimizer=values.get("optimizer", "adamw"),
        )
    except SpecError as error:  # while a control is dragged this is no failure
        content = {"error": with_label(str(error), LAB_LABELS)}
    return JSONResponse(content, headers={"Cache-Control": "no-store"})


async def preview_design(request: Request) -> Response:
    """Picture and numbers of Build for a design with one slider moved (see `preview`).

    The answer for a design that does not fit is the reason, as a sentence in ``error``.
    """
    return await respond_to_json(request, MOST_PLAN_BYTES, _respond_with_preview)


def _respond_with_preview(values: dict[str, Any]) -> Response:
    from cnnlib.ui.build.preview import preview  # not of the first page

    try:
        content = preview(values)
    except SpecError as error:  # while a slider is dragged this is no failure
        content = {"error": str(error)}
    return JSONResponse(content, headers={"Cache-Control": "no-store"})
