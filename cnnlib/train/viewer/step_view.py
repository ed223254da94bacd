"""What one batch changed: its pictures and loss, and kernels of one filter before and after."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from torch.nn.functional import pad, unfold

from cnnlib.design.columns import Column, columns
from cnnlib.design.layers import Conv2d, Linear, Residual
from cnnlib.design.plan import Plan, plan
from cnnlib.errors import ProbeError
from cnnlib.probe.graph import step_named
from cnnlib.records.probe import encode_float32, encode_uint8
from cnnlib.train.viewer.batch_replay import Replay, replay
from cnnlib.vocabulary.training import OPTIMIZERS

if TYPE_CHECKING:
    from torch import Tensor

    from cnnlib.records.maps import StepRequest

MOST_PICTURES = 16
MOST_WEIGHTS = 100_000  # of one filter or unit


def step_view(request: StepRequest) -> dict[str, Any]:
    """Show one update of a run.

    Returns:
        ``step`` after the update; ``count`` of the batch's pictures, and the first of them in
        ``pictures`` with their labels and losses; ``loss`` of the batch before and after; ``lr``,
        ``optimizer``, ``optimizer_label``, ``clipping`` (factor of the gradient) and
        ``weight_decay``: an update of plain SGD is
        ``-lr * (clipping * gradient + weight_decay * weight)``. ``filter`` has the
        weights before and after and the gradient, as float32 in base64, and the summands of the
        gradient of one kernel by position; it is None where the chosen column has no weights, and
        ``note`` says so.

    Raises:
        CnnlibError: The update cannot be computed again (see `replay`).
    """
    found = replay(request.before, request.after, request.run)
    shown, note = _filter(request, found)
    return {
        "step": request.step,
        "count": len(found.batch.labels),
        "lr": found.lr,
        "optimizer": found.recipe.optimizer,
        "optimizer_label": OPTIMIZERS[found.recipe.optimizer].label,
        "clipping": found.clipping if isfinite(found.clipping) else None,
        "weight_decay": found.weight_decay,
        "loss": [_number(found.losses_before.mean()), _number(found.losses_after.mean())],
        "pictures": _pictures(found),
        "filter": shown,
        "note": note or found.note,
    }


def _pictures(found: Replay) -> dict[str, Any]:
    pixels = found.batch.pixels(MOST_PICTURES)
    pairs = zip(found.losses_before, found.losses_after, strict=True)
    return {
        "size": list(pixels.shape[1:]),
        "pixels": encode_uint8(pixels.numpy()),
        "labels": found.batch.labels[:MOST_PICTURES].tolist(),
        "losses": [[_number(each) for each in pair] for pair in pairs][:MOST_PICTURES],
    }


def _filter(request: StepRequest, found: Replay) -> tuple[dict[str, Any] | None, str]:
    """Return the weights of the chosen map or unit; or None and a sentence."""
    if request.chosen is None:
        return None, "Choose a map to see its kernel before and after."
    planned = plan(request.run.spec)
    place, unit = request.chosen
    shown = columns(planned)
    if not 0 < place < len(shown) or not 0 <= unit < shown[place].shape[0]:
        raise ProbeError(f"The network has no map {unit} in column {place}. Choose another one.")
    layer = _weighted_layer(planned, shown[place])
    if layer is None:
        return None, "This column has no weights, so a batch changes nothing in it."
    name = f"{layer.name}.weight"
    before, after = found.before[name][unit], found.after[name][unit]
    if before.numel() > MOST_WEIGHTS:
        return None, f"{layer.name} has too many weights to show: {before.numel():,} of one map."
    values = {
        "layer": layer.name,
        "column": place,
        "map": unit,
        "shape": [*before.shape, 1, 1][:3],
        "before": encode_float32(before.detach().numpy()),
        "gradient": encode_float32(found.gradients[name][unit].detach().numpy()),
        "after": encode_float32(after.detach().numpy()),
        "positions": None,
    }
    if isinstance(layer, Conv2d):
        values |= _positions(planned, found, layer, unit, request.source)
    return values, ""


def _weighted_layer(planned: Plan, column: Column) -> Conv2d | Linear | None:
    """Return the layer with the weights of a column: of a block, its last convolution."""
    layers = [layer for layer in planned.layers if layer.name in column.layers]
    leaves = [
        leaf
        for layer in layers
        for leaf in (reversed(layer.main) if isinstance(layer, Residual) else [layer])
    ]
    return next((leaf for leaf in leaves if isinstance(leaf, Conv2d | Linear)), None)


def _positions(
    planned: Plan, found: Replay, layer: Conv2d, unit: int, source: int
) -> dict[str, Any]:
    """Return the summands of the gradient of one kernel: for each weight a map of positions.

    The gradient of a weight is the sum, over pictures and positions, of the gradient of the loss
    by the output times the input under the weight. The maps are summed over the pictures.
    """
    inputs = found.outputs[step_named(planned, layer.name).inputs[0]].detach()
    if not 0 <= source < inputs.shape[1]:
        raise ProbeError(f"{layer.name} has no input map {source}. Choose another one.")
    delta = found.outputs[layer.name].grad
    assert delta is not None  # retained
    height, width = delta.shape[2:]
    below, right = layer.more_padding
    windows = unfold(  # N x (kh * kw) x (H' * W')
        pad(inputs[:, source : source + 1], (0, right, 0, below)),
        layer.kernel_size,
        dilation=layer.dilation,
        padding=layer.padding,
        stride=layer.stride,
    )
    summands = (windows * delta[:, unit].reshape(len(delta), 1, -1)).sum(dim=0)
    return {
        "source": source,
        "positions": encode_float32(summands.detach().numpy()),
        "size": [height, width],
    }


def _number(value: Tensor) -> float | None:
    """A number for JSON; None where it is not finite."""
    return float(value) if isfinite(float(value)) else None
