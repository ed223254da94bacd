"""Layers in words: what a table, a tooltip or a label says about one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnlib.design.layers import AnyLayer, Shape
    from cnnlib.design.spec import CNNSpec

_KINDS = {
    "conv2d": "Convolution",
    "linear": "Linear layer",
    "global_avg_pool": "Global average pooling",
    "flatten": "Flatten",
    "dropout": "Dropout",
}
_POOLINGS = {"max": "Max pooling", "avg": "Average pooling"}
_NORMS = {
    "batch": "Batch norm",
    "layer": "Layer norm",
    "group": "Group norm",
    "instance": "Instance norm",
}
_ACTIVATIONS = {
    "relu": "ReLU",
    "lrelu": "Leaky ReLU",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "none": "None",
}
_BLOCKS = {"residual": "Residual block", "bottleneck": "Bottleneck block"}


def activation_label(name: str) -> str:
    """An activation as people write it."""
    return _ACTIVATIONS[name]


def kind_label(layer: AnyLayer) -> str:
    """What a layer is: ``Convolution 3 × 3``, ``Batch norm``, ``ReLU``."""
    match layer.kind:
        case "conv2d":
            return f"Convolution {layer.kernel_size} × {layer.kernel_size}"
        case "pool":
            return f"{_POOLINGS[layer.pooling]} {layer.kernel_size} × {layer.kernel_size}"
        case "norm":
            return _NORMS[layer.norm]
        case "activation":
            return _ACTIVATIONS[layer.activation]
        case "residual":
            return _BLOCKS[layer.block]
    return _KINDS[layer.kind]


def settings_label(layer: AnyLayer) -> str:
    """Settings that the kind does not tell: ``stride 2, padding 1, no bias``; "" where none."""
    words: list[str] = []
    if layer.kind in ("conv2d", "pool"):
        words.append(f"stride {layer.stride}")
        words += [f"padding {layer.padding}"] if layer.padding else []
        words += [f"dilation {layer.dilation}"] if layer.dilation > 1 else []
    if layer.kind == "conv2d" and not layer.bias:
        words.append("no bias")
    if layer.kind == "norm" and layer.norm == "group":
        words.append(f"{layer.groups} groups")
    if layer.kind == "dropout":
        words.append(f"p = {layer.p:g}")
    if layer.kind == "activation":
        words += [f"{name} = {value}" for name, value in layer.options]
    return ", ".join(words)


def shape_text(shape: Shape) -> str:
    """``16 × 14 × 14`` (channels, height, width) or ``120``."""
    return " × ".join(str(size) for size in shape)


def shape_label(shape: Shape) -> str:
    """A shape as a label under a picture: ``16@14×14`` or ``120``."""
    if len(shape) == 1:
        return str(shape[0])
    channels, height, width = shape
    return f"{channels}@{height}×{width}"


def describe_design(spec: CNNSpec) -> str:
    """``Residual, 60 convolutions of 16 to 64 channels, batch norm, global average, 1 × 28 × 28``.

    What is as in most networks (ReLU, flatten, no norm) is left out.
    """
    words = [*_convolutions(spec), *_settings(spec)]
    words.append(" × ".join(str(size) for size in spec.in_size))
    text = ", ".join(words)
    return text[0].upper() + text[1:]


def _convolutions(spec: CNNSpec) -> list[str]:
    """What the convolutional part is."""
    count = len(spec.channels)
    if not count:
        return ["no convolutions"]
    low, high = min(spec.channels), max(spec.channels)
    widths = f"{low} to {high} channels" if low < high else f"{low} channels"
    number = f"{count} convolutions of" if count > 1 else "one convolution of"
    return [*([spec.block] if spec.block != "plain" else []), f"{number} {widths}"]


def _settings(spec: CNNSpec) -> list[str]:
    """What differs from most networks, and the hidden layers."""
    words = [f"{spec.norm} norm"] if spec.norm != "none" and spec.channels else []
    words += [activation_label(spec.activation)] if spec.activation != "relu" else []
    words += ["global average"] if spec.head == "gap" else []
    if spec.hidden_dims:
        words.append("hidden " + ", ".join(str(width) for width in spec.hidden_dims))
    return words
