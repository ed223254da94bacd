"""The feature maps of a network on one picture, column by column, as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np
import torch
from cachetools import LRUCache, cached
from torch.nn.functional import conv2d

from cnnlib.design.columns import Column, columns
from cnnlib.design.layers import Conv2d, Linear
from cnnlib.design.plan import Plan
from cnnlib.errors import ProbeError
from cnnlib.probe.forward import activations
from cnnlib.probe.graph import step_named
from cnnlib.probe.ink import describe_ink, ink_differences, ink_statistics_of
from cnnlib.probe.viewer.sources import (
    StepNetwork,
    Validation,
    network_of,
    strip_pictures,
    validation_of,
)
from cnnlib.records.maps import MapsRequest, NetworkSource, SplitSource
from cnnlib.records.probe import encode_uint8

Outputs = dict[str, np.ndarray]  # name of a layer -> its output for one picture, N = 1
MOST_OPEN = 512  # maps of an opened column
OUTPUT_BYTES = 200_000_000  # of the outputs that are kept


def maps(request: MapsRequest) -> dict[str, Any]:
    """Compute what the Lab page shows of a network.

    Returns:
        ``step`` of the weights, ``trained``, ``picture`` (index, label, pixels, and a
        ``note`` on how a drawing differs from the training pictures), ``columns`` (one
        for each of `cnnlib.design.columns.columns`), ``probabilities`` of the classes, ``links``
        into the chosen map, ``strip``. Pictures and maps are uint8 in base64; those of a column
        have one scale, 0 to 255 for ``low`` to ``high``.

    Raises:
        CnnlibError: The weights, the dataset or the picture cannot be read.
    """
    found, validation = network_of(request.network), validation_of(request.split)
    pixels, label = picture_of(request, validation)
    outputs = outputs_of(request.network, request.split, pixels.tobytes())
    plan = found.net.plan
    all_columns = columns(plan)
    shown = {
        place: _shown_maps(request, place, _output(plan, outputs, column))
        for place, column in enumerate(all_columns)
        if column.kind == "maps"
    }
    logits = _output(plan, outputs, all_columns[-1])
    return {
        "step": found.step,
        "trained": request.network.weights is not None,
        "picture": {
            "index": None if request.pixels is not None else request.picture,
            "label": label,
            "pixels": encode_uint8(pixels),
            "note": "" if request.pixels is None else _describe_drawing(pixels, validation),
        },
        "columns": [
            _column(column, _output(plan, outputs, column), shown.get(place))
            for place, column in enumerate(all_columns)
        ],
        "probabilities": _rounded(torch.from_numpy(logits).double().softmax(0).numpy()),
        "links": _links(request, found, outputs, all_columns, shown),
        "strip": _strip(request.network, request.split) if request.strip else None,
    }


def picture_of(request: MapsRequest, validation: Validation) -> tuple[np.ndarray, int | None]:
    """Return the pixels (C x H x W, uint8) and the label; None for a drawing."""
    if request.pixels is None:
        return validation.picture(request.picture)
    shape = validation.prepared.info.in_size
    return np.frombuffer(request.pixels, np.uint8).reshape(shape), None


def _describe_drawing(pixels: np.ndarray, validation: Validation) -> str:
    """Say how a drawing differs from the training pictures."""
    offer = "Under More tools to draw it is scaled and centred." if len(pixels) == 1 else ""
    known = ink_statistics_of(validation.prepared)
    return describe_ink(ink_differences(known, pixels), offer)


def _bytes_of(outputs: Outputs) -> int:
    return sum(each.nbytes for each in outputs.values())


@cached(LRUCache(OUTPUT_BYTES, getsizeof=_bytes_of), lock=Lock())
def outputs_of(network: NetworkSource, split: SplitSource, pixels: bytes) -> Outputs:
    """Return the output of every layer for a picture."""
    validation, found = validation_of(split), network_of(network)
    if tuple(validation.prepared.info.in_size) != tuple(network.spec.in_size):
        raise ProbeError(
            f"The design is for pictures of {network.spec.in_size}, but those of {split.dataset} "
            f"are {validation.prepared.info.in_size}. Adapt the design to the dataset."
        )
    picture = np.frombuffer(pixels, np.uint8).reshape(1, *validation.prepared.info.in_size)
    return activations(found.net, validation.normalise(picture).numpy())


def _output(plan: Plan, outputs: Outputs, column: Column) -> np.ndarray:
    """Return what a column shows: C x H x W, or a vector."""
    if column.kind == "input":
        return outputs["input"][0]
    values = outputs[step_named(plan, column.layer).name][0]
    return values if column.kind == "maps" else values.reshape(-1)


def _shown_maps(request: MapsRequest, place: int, values: np.ndarray) -> list[int]:
    """Choose the maps of a column: those that are held, else the strongest."""
    count = len(values)
    if place in request.held:
        return [each for each in request.held[place] if 0 <= each < count][:MOST_OPEN]
    if place in request.open:
        return list(range(min(count, MOST_OPEN)))
    order = np.argsort(-_strength(values), kind="stable")
    return [int(each) for each in order[: request.tiles]]


def _strength(values: np.ndarray) -> np.ndarray:
    """Return the mean absolute activation of each map."""
    return np.abs(values).reshape(len(values), -1).mean(axis=1)


def _column(column: Column, values: np.ndarray, shown: list[int] | None) -> dict[str, Any]:
    if column.kind == "input":
        return {"kind": "input"}
    if shown is None:
        return {"kind": column.kind, "values": _rounded(values)}
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = 255 / (high - low) if high > low else 0.0
    pixels = np.clip(np.rint((values[shown] - low) * scale), 0, 255).astype(np.uint8)
    return {
        "kind": "maps",
        "size": list(values.shape[1:]),
        "maps": shown,
        "strength": _rounded(_strength(values)[shown]),
        "pixels": encode_uint8(pixels),
        "low": _rounded([low])[0],
        "high": _rounded([high])[0],
    }


def _links(
    request: MapsRequest,
    found: StepNetwork,
    outputs: Outputs,
    all_columns: tuple[Column, ...],
    shown: Mapping[int, list[int]],
) -> dict[str, Any] | None:
    """Return what feeds the chosen map or unit; None where it is no convolution or linear layer.

    A contribution is the mean of the absolute values that an input map adds to the chosen one,
    with the sign of their sum; for a unit it is the product of weight and input.
    """
    if request.chosen is None:
        return None
    place, unit = request.chosen
    if not 0 < place < len(all_columns) or not 0 <= unit < all_columns[place].shape[0]:
        return None
    column, before = all_columns[place], all_columns[place - 1]
    plan, net = found.net.plan, found.net
    layer = next(
        (each for each in plan.layers if each.name in column.layers and _is_weighted(each)), None
    )
    if layer is None:
        return None
    inputs = outputs[step_named(plan, layer.name).inputs[0]][0]
    weight = net.get_submodule(layer.name).weight[unit].detach()  # type: ignore[index]
    sources = list(range(before.shape[0])) if before.kind != "maps" else shown[place - 1]
    if isinstance(layer, Conv2d):
        added = _added_maps(layer, torch.from_numpy(inputs), weight).numpy()
        amounts = np.abs(added).mean(axis=(1, 2)) * np.sign(added.sum(axis=(1, 2)))
        kernels = weight.numpy()
    else:
        products = (weight.numpy() * inputs.reshape(-1)).reshape(before.shape[0], -1)
        amounts, kernels = products.sum(axis=1), None
    return {
        "column": place,
        "map": unit,
        "from": [
            {
                "map": each,
                "contribution": _rounded([amounts[each]])[0],
                "kernel": None if kernels is None else [_rounded(row) for row in kernels[each]],
            }
            for each in sources
        ],
    }


def _is_weighted(layer: object) -> bool:
    return isinstance(layer, Conv2d | Linear)


def _added_maps(layer: Conv2d, inputs: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return what each input map adds to one output map: C x H x W."""
    with torch.inference_mode():
        return conv2d(
            inputs[None],
            weight[:, None],
            stride=layer.stride,
            padding=layer.torch_padding,
            dilation=layer.dilation,
            groups=len(inputs),
        )[0]


@lru_cache(maxsize=12)
def _strip(network: NetworkSource, split: SplitSource) -> dict[str, Any]:
    """Return some pictures of the validation split with their labels and predicted classes."""
    validation, net = validation_of(split), network_of(network).net
    if not validation.strip:
        return {"pictures": [], "labels": [], "predicted": [], "size": [0, 0], "pixels": ""}
    pictures = strip_pictures(validation, validation.strip)
    with torch.inference_mode():
        predicted = net(validation.normalise(pictures)).argmax(dim=1).tolist()
    return {
        "pictures": list(validation.strip),
        "labels": [validation.picture(position)[1] for position in validation.strip],
        "predicted": predicted,
        "size": list(pictures.shape[2:]),
        "pixels": encode_uint8(pictures),
    }


def _rounded(values: Any) -> list[float | None]:
    """Numbers with five significant digits; None where not finite, as JSON has no such number."""
    return [float(f"{value:.5g}") if np.isfinite(value) else None for value in np.ravel(values)]
