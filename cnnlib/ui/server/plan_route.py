"""The route that plans a design: spec in; layers, cost and columns out, without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from cnnlib.design.columns import planned_design
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import SpecError
from cnnlib.ui.server.json_requests import respond_to_json

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

MAX_BYTES = 100_000  # of a request; a spec of 200 layers with values of their own takes less


async def plan_design(request: Request) -> Response:
    """Plan the design ``{"spec": {...}, "batch_size": 128, "optimizer": "adamw"}`` of a POST.

    A design that does not fit is repaired where a repair was found; ``repair`` describes it. The
    answer for a design that cannot be planned is the reason, as a sentence in ``error``.
    """
    return await respond_to_json(request, MAX_BYTES, _respond)


def _respond(values: dict[str, Any]) -> Response:
    try:
        content = planned_design(
            CNNSpec.from_dict(values.get("spec", {})),
            batch_size=values.get("batch_size", 128),
            optimizer=values.get("optimizer", "adamw"),
        )
    except SpecError as error:
        content = {"error": str(error)}  # while a control is dragged this is no failure
    return JSONResponse(content, headers={"Cache-Control": "no-store"})
