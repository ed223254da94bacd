"""The route that plans a design: spec in; layers, cost and columns out, without torch."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from cnnlib.design.cost import cost
from cnnlib.design.link import encode
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import SpecError
from cnnlib.figures.columns import columns, folds
from cnnlib.ui.server.json_requests import error_response, respond_to_json

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

MAX_BYTES = 100_000  # of a request; a spec of 200 layers with values of their own takes less


async def plan_design(request: Request) -> Response:
    """Plan the design ``{"spec": {...}, "batch_size": 128, "optimizer": "adamw"}`` of a POST.

    A design that does not fit is repaired where a repair was found; ``repair`` describes it. The
    status is 422 for a design that cannot be planned, with the sentence in ``error``.
    """
    return await respond_to_json(request, MAX_BYTES, _respond)


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


def _respond(values: dict[str, Any]) -> Response:
    try:
        content = planned_design(
            CNNSpec.from_dict(values.get("spec", {})),
            batch_size=values.get("batch_size", 128),
            optimizer=values.get("optimizer", "adamw"),
        )
    except SpecError as error:
        return error_response(str(error), 422)
    return JSONResponse(content, headers={"Cache-Control": "no-store"})
