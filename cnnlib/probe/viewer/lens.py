"""The arithmetic of one map or unit, with all numbers that a browser needs to follow any place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cnnlib.design.columns import Column, columns, layer_word
from cnnlib.design.layers import Conv2d, Linear, Pool
from cnnlib.errors import ProbeError
from cnnlib.probe.arithmetic import arithmetic
from cnnlib.probe.graph import SUM, Step, step_named, steps
from cnnlib.probe.viewer.maps import outputs_of, picture_of
from cnnlib.probe.viewer.sources import network_of, validation_of
from cnnlib.records.probe import Arithmetic, encode_float32
from cnnlib.vocabulary.layers import POOLINGS

if TYPE_CHECKING:
    import numpy as np

    from cnnlib.design.plan import Plan
    from cnnlib.nets.model import Network
    from cnnlib.records.maps import MapsRequest

MOST_BYTES = 2_000_000  # of float32 values in one answer


def lens(request: MapsRequest) -> dict[str, Any]:
    """Collect the numbers behind the chosen map or unit, for the picture of the request.

    Returns:
        ``step`` of the weights, ``column`` and ``map``, and the values of `lens_values`.

    Raises:
        CnnlibError: The weights, the dataset or the picture cannot be read; nothing is chosen, or
            it has no arithmetic to show, or more of it than `MOST_BYTES`.
    """
    if request.chosen is None:
        raise ProbeError("No map is chosen. Name a column and a map.")
    found, validation = network_of(request.network), validation_of(request.split)
    pixels, _ = picture_of(request, validation)
    outputs = outputs_of(request.network, request.split, pixels.tobytes())
    place, unit = request.chosen
    values = lens_values(found.net, outputs, place, unit)
    return {"step": found.step, "column": place, "map": unit, **values}


def lens_values(
    net: Network, outputs: Mapping[str, np.ndarray], place: int, unit: int
) -> dict[str, Any]:
    """Collect the numbers behind one map or unit of a column.

    Args:
        outputs: Result of `cnnlib.probe.forward.activations` for one picture.

    Returns:
        ``kind`` is "window" (a convolution, the mean of a map, the sum of a skip) or "unit" (of a
        linear layer). ``inputs``, ``kernel``, ``bias``, ``output`` and the values of ``after`` are
        float32 in base64: of the steps from the sum to the output of the column.

    Raises:
        ProbeError: See `lens`.
    """
    all_columns = columns(net.plan)
    if not 0 < place < len(all_columns) or not 0 <= unit < all_columns[place].shape[0]:
        raise ProbeError(
            f"The network has no map {unit} in column {place}. Its columns are 1 to "
            f"{len(all_columns) - 1}; choose a map of one of them."
        )
    column, before = all_columns[place], all_columns[place - 1]
    first = _summing_step(net.plan, column)
    weights, is_unit = _weights(net, first), isinstance(first.leaf, Linear)
    shown = (
        _unit(weights, outputs, first, unit)
        if is_unit
        else arithmetic(net.plan, weights, outputs, first.name, unit)
    )
    values = {"kind": "unit" if is_unit else "window", "bias": encode_float32(shown.bias)}
    values |= shown.packed()
    sizes = {"sources": list(before.shape), "is_picture": before.kind == "input"}
    later = _later_steps(net.plan, first, column)
    after = [_after(step, outputs[step.name][0, unit]) for step in later]
    _check_size(values, first.name)
    return {"layer": first.name, "operation": first.kind, **sizes, **values, "after": after}


def _summing_step(plan: Plan, column: Column) -> Step:
    """Return the step of a column that sums products: of a block, the sum with its skip."""
    if column.is_block:
        return step_named(plan, f"{column.layers[0]}.{SUM}")
    found = [step_named(plan, name) for name in column.layers]
    return next(
        step
        for step in found
        if isinstance(step.leaf, Conv2d | Linear) or step.kind == "global_avg_pool"
    )


def _later_steps(plan: Plan, first: Step, column: Column) -> list[Step]:
    """Return the steps after the sum, to the output of the column; dropout passes its input on."""
    found = steps(plan)
    names = [step.name for step in found]
    last = names.index(step_named(plan, column.layer).name)
    later = found[names.index(first.name) + 1 : last + 1]
    return [step for step in later if step.kind in ("norm", "activation", "pool")]


def _weights(net: Network, step: Step) -> dict[str, np.ndarray]:
    """Return the weights of one step; none for a sum or a mean."""
    if not isinstance(step.leaf, Conv2d | Linear):
        return {}
    layer = net.get_submodule(step.name)
    return {f"{step.name}.{name}": each.detach().numpy() for name, each in layer.named_parameters()}


def _unit(
    weights: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray], step: Step, unit: int
) -> Arithmetic:
    """Return inputs, weights and output of a unit, as a window of the whole input.

    It is a convolution of one place whose kernel covers everything: sums.js computes both.
    """
    bias = weights.get(f"{step.name}.bias")
    return Arithmetic(
        layer=step.name,
        channel=unit,
        inputs=outputs[step.inputs[0]].reshape(-1, 1, 1),
        input_names=(),
        kernel=weights[f"{step.name}.weight"][unit].reshape(-1, 1, 1),
        bias=0.0 if bias is None else float(bias[unit]),
        stride=1,
        padding=0,
        dilation=1,
        reduce="sum",
        output=outputs[step.name][0, unit].reshape(1, 1),
    )


def _after(step: Step, values: np.ndarray) -> dict[str, Any]:
    """Return a later step with its output, a map or one number."""
    assert step.leaf is not None  # only the sum of a skip has none
    found: dict[str, Any] = {
        "kind": step.kind,
        "word": layer_word(step.leaf),
        "values": encode_float32(values),
    }
    if isinstance(step.leaf, Pool):
        leaf = step.leaf
        found |= {
            "reduce": POOLINGS[leaf.pooling].reduce,
            "rows": values.shape[0],
            "columns": values.shape[1],
            "kernel_size": leaf.kernel_size,
            "stride": leaf.stride,
            "padding": leaf.padding,
            "dilation": leaf.dilation,
        }
    return found


def _check_size(values: Mapping[str, Any], layer: str) -> None:
    """Refuse more numbers than a browser should get several times a second."""
    size = sum(len(values[name]) for name in ("inputs", "kernel", "output")) * 3 // 4
    if size > MOST_BYTES:
        raise ProbeError(
            f"{layer} works on {size / 1e6:.1f} MB of numbers, and the lens shows at most "
            f"{MOST_BYTES / 1e6:.0f} MB. Choose a map of a later column, or use smaller pictures."
        )
