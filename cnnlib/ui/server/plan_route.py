"""The route that plans a design: spec in; layers, cost and columns out, without torch."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from cnnlib.design.cost import cost
from cnnlib.design.link import encode
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import SpecError
from cnnlib.figures.columns import columns, folds
from cnnlib.ui.common.shared import shared_store
from cnnlib.ui.server.sign_in import refusal

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BYTES = 100_000  # of a request; a spec of 200 layers with values of their own takes less


async def plan_design(request: Request) -> JSONResponse:
    """Plan the design ``{"spec": {...}, "batch_size": 128, "optimizer": "adamw"}`` of a POST.

    A design that does not fit is repaired where a repair was found; ``repair`` describes it. The
    status is 422 for a design that cannot be planned, with the sentence in ``error``.
    """
    refused = await run_in_threadpool(lambda: refusal(request, shared_store().settings.class_mode))
    if refused is not None:
        return refused
    if not _is_own_origin(request):
        return _error("Requests from other sites are refused.", 403)
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return _error("Send the design as JSON, with the content type application/json.", 415)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BYTES:
            return _error(f"The request has more than {MAX_BYTES:,} bytes. Send a design.", 413)
    return await run_in_threadpool(_respond, bytes(body))


def planned_design(
    spec: CNNSpec, *, batch_size: int = 128, optimizer: str = "adamw"
) -> dict[str, Any]:
    """Plan a design, repaired if needed, as plain JSON values.

    Returns:
        ``spec`` and ``link`` of the design that was planned, ``repair`` (a sentence, "" without
        one), ``params``, ``macs`` (for one picture), ``training_bytes`` (of a step),
        ``receptive_field``, ``columns`` and ``folds`` (see `cnnlib.figures.columns`).

    Raises:
        SpecError: It cannot be planned, and no repair was found.
    """
    repair = ""
    try:
        planned = plan(spec)
    except SpecError as error:
        if not error.repair:
            raise
        repair = error.repair_text or ""
        planned = plan(replace(spec, **error.repair))
    costs = cost(planned, batch_size=batch_size, optimizer=optimizer)
    found = columns(planned)
    return {
        "spec": planned.spec.to_dict(),
        "link": encode(planned.spec),
        "repair": repair,
        "params": costs.params,
        "macs": costs.macs,
        "training_bytes": costs.training_bytes,
        "receptive_field": costs.receptive_field,
        "columns": [asdict(column) for column in found],
        "folds": folds(found),
    }


def _respond(body: bytes) -> JSONResponse:
    try:
        values = json.loads(body)
        if not isinstance(values, dict):
            raise ValueError
    except (ValueError, RecursionError):
        return _error('The body is not a JSON object. Send {"spec": {...}}.', 400)
    try:
        content = planned_design(
            CNNSpec.from_dict(values.get("spec", {})),
            batch_size=values.get("batch_size", 128),
            optimizer=values.get("optimizer", "adamw"),
        )
    except SpecError as error:
        return _error(str(error), 422)
    return JSONResponse(content, headers={"Cache-Control": "no-store"})


def _is_own_origin(request: Request) -> bool:
    """Whether the request comes from a page of this server, or from a program without an origin."""
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _error(sentence: str, status: int) -> JSONResponse:
    return JSONResponse({"error": sentence}, status_code=status)
