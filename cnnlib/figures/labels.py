"""Texts for layers and designs, in tables, tooltips and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.vocabulary.layers import ACTIVATIONS, BLOCKS, NONE, NORMS, POOLINGS

if TYPE_CHECKING:
    from cnnlib.design.layers import AnyLayer, Conv2d, Pool, Shape
    from cnnlib.design.spec import CNNSpec

EQUAL_RANGE = "counts as equal"  # differences within the equivalence margin of a duel
_KINDS = {
    "conv2d": "Convolution",
    "linear": "Linear layer",
    "global_avg_pool": "Global average pooling",
    "flatten": "Flatten",
    "dropout": "Dropout",
    "pad_channels": "Channels of zeros",
}


def kind_label(layer: AnyLayer) -> str:
    """Return the kind of a layer: ``Convolution 3 × 3``, ``Batch norm``, ``ReLU``."""
    match layer.kind:
        case "conv2d":
            return f"Convolution {layer.kernel_size[0]} × {layer.kernel_size[1]}"
        case "pool":
            return f"{POOLINGS[layer.pooling].label} {layer.kernel_size} × {layer.kernel_size}"
        case "norm":
            return NORMS[layer.norm].label
        case "activation":
            return ACTIVATIONS[layer.activation].label
        case "residual":
            return BLOCKS[layer.block].layer_label
    return _KINDS[layer.kind]


def settings_label(layer: AnyLayer) -> str:
    """Return settings not in `kind_label`: ``stride 2, padding 1, no bias``; "" for none."""
    parts: list[str] = []
    if layer.kind in ("conv2d", "pool"):
        parts.append(f"stride {layer.stride}")
        parts += _describe_padding(layer)
        parts += [f"dilation {layer.dilation}"] if layer.dilation > 1 else []
    if layer.kind == "conv2d" and not layer.bias:
        parts.append("no bias")
    if layer.kind == "norm" and NORMS[layer.norm].groups == "design":
        parts.append(f"{layer.groups} groups")
    if layer.kind == "dropout":
        parts.append(f"p = {layer.p:g}")
    if layer.kind == "activation":
        parts += [f"{name} = {value}" for name, value in layer.options]
    return ", ".join(parts)


def _describe_padding(layer: Conv2d | Pool) -> list[str]:
    """Describe the padding of a window, if it has one: ``padding 1``, ``padding 1 × 0``."""
    if layer.kind == "pool":
        return [f"padding {layer.padding}"] if layer.padding else []
    if any(layer.more_padding):
        return ["padding same"]
    sizes = dict.fromkeys(layer.padding)
    return [f"padding {' × '.join(map(str, sizes))}"] if any(sizes) else []


def shape_text(shape: Shape) -> str:
    """Format a shape: ``16 × 14 × 14`` (channels, height, width) or ``120``."""
    return " × ".join(str(size) for size in shape)


def shape_label(shape: Shape) -> str:
    """Format a shape as a label under a picture: ``16@14×14`` or ``120``."""
    if len(shape) == 1:
        return str(shape[0])
    channels, height, width = shape
    return f"{channels}@{height}×{width}"


def describe_design(spec: CNNSpec) -> str:
    """Describe a design in one line, without the usual settings (ReLU, flatten, no norm).

    ``Residual, 60 convolutions of 16 to 64 channels, batch norm, global average, 1 × 28 × 28``
    """
    parts = [*_describe_convolutions(spec), *_describe_settings(spec)]
    parts.append(" × ".join(str(size) for size in spec.in_size))
    text = ", ".join(parts)
    return text[0].upper() + text[1:]


def _describe_convolutions(spec: CNNSpec) -> list[str]:
    """Describe the convolutional part."""
    count = len(spec.channels)
    if not count:
        return ["no convolutions"]
    low, high = min(spec.channels), max(spec.channels)
    widths = f"{low} to {high} channels" if low < high else f"{low} channels"
    number = f"{count} convolutions of" if count > 1 else "one convolution of"
    return [*([spec.block] if spec.block != "plain" else []), f"{number} {widths}"]


def _describe_settings(spec: CNNSpec) -> list[str]:
    """Describe the unusual settings and the hidden layers."""
    parts = [NORMS[spec.norm].word] if spec.norm != NONE and spec.channels else []
    parts += [ACTIVATIONS[spec.activation].label] if spec.activation != "relu" else []
    parts += ["pre-activation"] if spec.preactivation and spec.block != "plain" else []
    parts += ["global average"] if spec.head != "flatten" else []
    if spec.hidden_dims:
        parts.append("hidden " + ", ".join(str(width) for width in spec.hidden_dims))
    return parts
