"""The route that computes the feature maps of a network for one picture, by the viewer."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from cnnlib.data.prepared import current_record, load_prepared
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import (
    CnnlibError,
    FaultError,
    FileMissing,
    FilesUnreachable,
    ProbeError,
    RecipeError,
    SpecError,
    StoreError,
    ViewerError,
)
from cnnlib.records.folders import run_key
from cnnlib.records.maps import MapsRequest, NetworkSource, SplitSource
from cnnlib.records.record import checks
from cnnlib.records.run import Run, check_dataset_name
from cnnlib.ui.common.saved_steps import newest_weights
from cnnlib.ui.common.shared import folders, place, shared_store
from cnnlib.ui.server.json_requests import error_response, respond_to_json, respond_to_query

if TYPE_CHECKING:
    from starlette.requests import Request

    from cnnlib.records.dataset import DatasetInfo

MAX_BYTES = 2_000_000  # a drawing of 512 x 512 in colour as base64, and a design
MOST_TILES, MOST_LISTED = 64, 4096
_WEIGHTS = re.compile(
    r"((?:latest|(?:snapshot|checkpoint)-[0-9]{8,15})(?:\.a[0-9]{1,9})?\.safetensors)@([0-9]{1,20})"
)


async def network_maps(request: Request) -> Response:
    """The maps of a network for a picture of the validation split, or for a drawing, as JSON.

    The body has ``spec``, ``seed`` and ``dataset``; ``run`` for its newest weights, or null for a
    network that was never trained; ``picture`` (an index) or ``pixels`` (base64 of C x H x W
    uint8); and, if needed, ``tiles``, ``open``, ``maps``, ``chosen``, ``strip`` as `tiles`, `open`,
    `held`, `chosen` and `strip` of `cnnlib.records.maps.MapsRequest`. ``version`` of the answer can
    be sent as ``after`` with the same request: the status is 204 while nothing is newer. It is 202
    while the viewer starts, and 422 for a request that cannot be served, with the sentence in
    ``error``; a design or a view without maps is answered by ``error`` alone. ``weights`` of the
    answer names the weights it was computed with (null for untrained ones): the lens asks with it
    for numbers of the same step.
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
    return await respond_to_query(request, lambda: _of_run(run_id, query_values(request)))


def query_values(request: Request, more: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the values of a GET request, as they stand in the JSON of a POST.

    Args:
        more: Names of other numbers in the query.
    """
    query = request.query_params
    texts = ("after", "weights")
    values: dict[str, Any] = {name: query[name] for name in texts if name in query}
    values["strip"] = query.get("strip") == "1"
    for name in ("picture", "tiles", *more):
        if name in query:
            values[name] = _integer(query[name])
    for name in ("open", "chosen"):
        if name in query:
            values[name] = [_integer(each) for each in query[name].split(",")]
    return values


def _integer(text: str) -> int | str:
    """Return the number, or the text where it is none, which is refused later."""
    return int(text) if text.isdecimal() and len(text) < 10 else text


def of_run(run_id: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a request with what a run says of its network.

    Raises:
        StoreError: There is no such run.
    """
    request = shared_store().run(run_id).request
    network = {"spec": request.spec.to_dict(), "seed": request.seed, "dataset": request.dataset}
    return network | values | {"run": run_id}


def viewer_response(compute: Callable[[], dict[str, Any] | None]) -> Response:
    """Respond with what `compute` returns; its errors become sentences, and None a 204."""
    try:
        answer = compute()
    except ViewerError as error:
        return error_response(str(error), 202)
    except FilesUnreachable as error:
        return error_response(str(error), 503)
    except (
        SpecError,
        ProbeError,
        FileMissing,
    ) as error:  # such a design or view has no maps: an answer
        answer = {"error": str(error)}
    except StoreError as error:
        return error_response(str(error), 404)
    except FaultError as error:
        return error_response(str(error), 500)
    except CnnlibError as error:
        return error_response(str(error), 422)
    if answer is None:
        return Response(status_code=204)
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


def _of_run(run_id: str, values: dict[str, Any]) -> Response:
    return viewer_response(lambda: _answer(of_run(run_id, values)))


def _respond(values: dict[str, Any]) -> Response:
    return viewer_response(lambda: _answer(values))


def _answer(values: dict[str, Any]) -> dict[str, Any] | None:
    """Return the maps with their version; None where the page has them already."""
    wanted = maps_request(values)
    source = wanted.network
    version = f"{source.written}-{hash(repr(wanted)) & 0xFFFFFFFF:x}"
    if values.get("after") == version:
        return None
    weights = None if source.weights is None else f"{source.weights.name}@{source.written}"
    answer = place().viewer_answer("maps", wanted)
    return answer | {"version": version, "weights": weights}


def maps_request(values: Mapping[str, Any]) -> MapsRequest:
    """Check the values of a request, and find the weights.

    Raises:
        CnnlibError: One of them is invalid; the sentence names it.
    """
    run = _run(values.get("run"))
    source = _network(values, run)
    info = _dataset(values.get("dataset", ""))
    split: dict[str, Any] = {}
    if run is not None:
        split = {"validation": run.request.validation, "split_seed": run.request.split_seed}
    picture, tiles = values.get("picture", 0), values.get("tiles", 8)
    checks.integer(0, 10**9)("picture", picture)
    checks.integer(1, MOST_TILES)("tiles", tiles)
    held = values.get("maps") or {}
    if not isinstance(held, Mapping):
        raise RecipeError("maps is not an object of column: [maps]. Send one, or leave it out.")
    chosen = values.get("chosen")
    return MapsRequest(
        network=source,
        split=SplitSource(info.name, info.fingerprint, **split),
        picture=picture,
        pixels=_pixels(values.get("pixels"), info),
        tiles=tiles,
        open=frozenset(_listed("open", values.get("open") or [])),
        held={int(key): _listed("maps", each) for key, each in held.items() if key.isdecimal()},
        chosen=None if chosen is None else _pair(chosen),
        strip=values.get("strip") is True,
    )


def _run(run_id: Any) -> Run | None:
    """Read the run that is named; None for a network that was never trained."""
    if run_id is None:
        return None
    if not isinstance(run_id, str):
        raise RecipeError(f"run={run_id!r} is not the id of a run. Send a text, or null.")
    return shared_store().run(run_id)


def _network(values: Mapping[str, Any], run: Run | None) -> NetworkSource:
    """Return where the weights come from: the run's newest, or those that are named."""
    spec = CNNSpec.from_dict(values.get("spec", {}))
    seed = values.get("seed", 0)
    checks.integer(0, 2**31 - 1)("seed", seed)
    if run is None:
        return NetworkSource(spec, seed)
    named = values.get("weights")
    if named is not None:
        return NetworkSource(spec, seed, *_named(run, named))
    saved = newest_weights(shared_store(), run, is_touched=values.get("pixels") is not None)
    return NetworkSource(spec, seed, *(saved or ()))


def _named(run: Run, named: Any) -> tuple[Path, int]:
    """Parse ``weights`` of an answer: the name of a file in the run's folder, and its time."""
    match = _WEIGHTS.fullmatch(named) if isinstance(named, str) else None
    if match is None:
        raise RecipeError(
            f"weights={str(named)[:60]!r} names no weights of a run. Send what an answer with maps "
            "has in weights, or leave it out."
        )
    return shared_store().files.fetch(run_key(run.id, match[1])), int(match[2])


def _dataset(name: Any) -> DatasetInfo:
    """Return the dataset's facts; its pictures are read by the viewer."""
    check_dataset_name(name)
    record = current_record(name, folders())
    return record.info if record is not None else load_prepared(name, folders()).info  # says why


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


_listed = checks.sequence(checks.integer(0, 10**6), MOST_LISTED)


def _pair(values: Any) -> tuple[int, int]:
    numbers = _listed("chosen", values)
    if len(numbers) != 2:
        raise RecipeError("chosen is not a column and a map. Send two numbers, or null.")
    return numbers[0], numbers[1]
