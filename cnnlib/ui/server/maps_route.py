"""The route that computes the feature maps of a network for one picture, by the viewer."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from cnnlib.data.prepared import load_prepared
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import CnnlibError, RecipeError, StoreError, ViewerError
from cnnlib.records.checks import check_integer
from cnnlib.records.maps import MapsRequest, NetworkSource, SplitSource
from cnnlib.records.run import check_dataset_name
from cnnlib.ui.common.shared import folders, shared_store, worker_pool
from cnnlib.ui.common.weights_in_use import newest_weights
from cnnlib.ui.server.json_requests import error_response, respond_to_json
from cnnlib.ui.server.sign_in import refusal

if TYPE_CHECKING:
    from starlette.requests import Request

    from cnnlib.records.dataset import DatasetInfo

MAX_BYTES = 2_000_000  # a drawing of 512 x 512 in colour as base64, and a design
MOST_TILES, MOST_LISTED = 64, 4096


async def network_maps(request: Request) -> Response:
    """The maps of a network for a picture of the validation split, or for a drawing, as JSON.

    The body has ``spec``, ``seed`` and ``dataset``; ``run`` for its newest weights, or null for a
    network that was never trained; ``picture`` (an index) or ``pixels`` (base64 of C x H x W
    uint8); and, if needed, ``tiles``, ``open``, ``maps``, ``chosen``, ``strip`` as `tiles`, `open`,
    `held`, `chosen` and `strip` of `cnnlib.records.maps.MapsRequest`. ``version`` of the answer can
    be sent as ``after`` with the same request: the status is 204 while nothing is newer. It is 202
    while the viewer starts, and 422 for a request that cannot be served, with the sentence in
    ``error``.
    """
    return await respond_to_json(request, MAX_BYTES, _respond)


async def run_maps(request: Request) -> Response:
    """The maps of a run's newest weights: `network_maps` with what the run says of its network.

    GET takes ``picture``, ``tiles``, ``open`` (``1,2``), ``chosen`` (``column,map``), ``strip``
    (``1``) and ``after`` in the query; POST takes them, and ``pixels``, as JSON.
    """
    run_id = request.path_params["run_id"]
    if request.method == "POST":
        return await respond_to_json(request, MAX_BYTES, lambda values: _of_run(run_id, values))
    return await run_in_threadpool(_respond_to_query, request, run_id)


def _respond_to_query(request: Request, run_id: str) -> Response:
    if (refused := refusal(request, shared_store().settings.class_mode)) is not None:
        return refused
    query = request.query_params
    values: dict[str, Any] = {name: query[name] for name in ("after",) if name in query}
    values["strip"] = query.get("strip") == "1"
    for name in ("picture", "tiles"):
        if name in query:
            values[name] = _integer(query[name])
    for name in ("open", "chosen"):
        if name in query:
            values[name] = [_integer(each) for each in query[name].split(",")]
    return _of_run(run_id, values)


def _integer(text: str) -> int | str:
    """Return the number, or the text where it is none, which is refused later."""
    return int(text) if text.isdecimal() and len(text) < 10 else text


def _of_run(run_id: str, values: dict[str, Any]) -> Response:
    try:
        request = shared_store().run(run_id).request
    except StoreError as error:
        return error_response(str(error), 404)
    network = {"spec": request.spec.to_dict(), "seed": request.seed, "dataset": request.dataset}
    return _respond(network | values | {"run": run_id})


def _respond(values: dict[str, Any]) -> Response:
    try:
        wanted = _maps_request(values, _network(values))
        version = f"{wanted.network.written}-{hash(repr(wanted)) & 0xFFFFFFFF:x}"
        if values.get("after") == version:
            return Response(status_code=204)
        answer = worker_pool().viewer_answer("maps", wanted)
    except ViewerError as error:
        return error_response(str(error), 202)
    except StoreError as error:
        return error_response(str(error), 404)
    except CnnlibError as error:
        return error_response(str(error), 422)
    return JSONResponse(answer | {"version": version}, headers={"Cache-Control": "no-store"})


def _network(values: Mapping[str, Any]) -> NetworkSource:
    """Return where the weights come from."""
    spec = CNNSpec.from_dict(values.get("spec", {}))
    seed = values.get("seed", 0)
    check_integer("seed", seed, 0, 2**31 - 1)
    run_id = values.get("run")
    if run_id is None:
        return NetworkSource(spec, seed)
    if not isinstance(run_id, str):
        raise RecipeError(f"run={run_id!r} is not the id of a run. Send a text, or null.")
    saved = newest_weights(shared_store(), run_id)
    return NetworkSource(spec, seed, *(saved or ()))


def _maps_request(values: Mapping[str, Any], source: NetworkSource) -> MapsRequest:
    """Check the other values of a request.

    Raises:
        CnnlibError: One of them is invalid; the sentence names it.
    """
    name = values.get("dataset", "")
    check_dataset_name(name)
    split: dict[str, Any] = {}
    if isinstance(values.get("run"), str):
        request = shared_store().run(values["run"]).request
        split = {"validation": request.validation, "split_seed": request.split_seed}
    info = load_prepared(name, folders()).info
    picture, tiles = values.get("picture", 0), values.get("tiles", 8)
    check_integer("picture", picture, 0, 10**9)
    check_integer("tiles", tiles, 1, MOST_TILES)
    held = values.get("maps") or {}
    if not isinstance(held, Mapping):
        raise RecipeError("maps is not an object of column: [maps]. Send one, or leave it out.")
    chosen = values.get("chosen")
    return MapsRequest(
        network=source,
        split=SplitSource(name, info.fingerprint, **split),
        picture=picture,
        pixels=_pixels(values.get("pixels"), info),
        tiles=tiles,
        open=frozenset(_integers("open", values.get("open") or [])),
        held={int(key): _integers("maps", each) for key, each in held.items() if key.isdecimal()},
        chosen=None if chosen is None else _pair(chosen),
        strip=values.get("strip") is True,
    )


def _pixels(text: Any, info: DatasetInfo) -> bytes | None:
    """Decode a drawing.

    Raises:
        RecipeError: It is not base64, or has another number of pixels than the dataset's pictures.
    """
    if text is None:
        return None
    channels, height, width = info.in_size
    expected = channels * height * width
    try:
        pixels = b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise RecipeError("pixels is not base64 text. Send the picture's bytes so.") from None
    if len(pixels) != expected:
        raise RecipeError(
            f"pixels has {len(pixels):,} bytes, but the pictures of {info.name} have {expected:,} "
            f"({channels} x {height} x {width}). Scale the picture first."
        )
    return pixels


def _integers(name: str, values: Any) -> tuple[int, ...]:
    """Return a list of small integers from 0 as a tuple."""
    if not isinstance(values, list) or len(values) > MOST_LISTED:
        raise RecipeError(f"{name} is not a list of at most {MOST_LISTED:,} numbers. Send one.")
    for value in values:
        check_integer(name, value, 0, 10**6)
    return tuple(values)


def _pair(values: Any) -> tuple[int, int]:
    numbers = _integers("chosen", values)
    if len(numbers) != 2:
        raise RecipeError("chosen is not a column and a map. Send two numbers, or null.")
    return numbers[0], numbers[1]
