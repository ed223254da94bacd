"""The controls of the Build page, as data, grouped by tab."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cnnlib.design.spec import ACTIVATIONS, MAX_CHANNELS, MAX_CONVOLUTIONS, CNNSpec
from cnnlib.figures.labels import activation_label
from cnnlib.ui.build import channels as widths
from cnnlib.ui.build.advanced_controls import MORE
from cnnlib.ui.build.control import (
    Control,
    field_access,
    has_convolutions,
    has_norm,
    has_pools,
    has_skips,
)


def _with_block(spec: CNNSpec, block: str | None) -> CNNSpec:
    """Set the kind of block; in a long group a skip spans two or three convolutions."""
    if block is None or block == spec.block:
        return spec
    convs = {"plain": 0, "residual": 2, "bottleneck": 3}[block]
    group = spec.pool_every or len(spec.channels)
    return widths.regrow_channels(spec, block=block, block_convs=convs if group > convs else 0)


def _with_channels(spec: CNNSpec, text: str) -> CNNSpec:
    return widths.with_channels(spec, widths.parse_list("The list of channels", text))


def _with_hidden(spec: CNNSpec, text: str) -> CNNSpec:
    return replace(spec, hidden_dims=widths.parse_list("The list of hidden layers", text))


def _kernel_size(spec: CNNSpec) -> int | None:
    """The kernel size of all convolutions if it is one of the options, else None."""
    size = spec.kernel_size
    return size if isinstance(size, int) and size in (1, 3, 5, 7) else None


def _downsampling(spec: CNNSpec) -> str:
    return "stride" if spec.downsample == "stride" else spec.pooling


def _with_downsampling(spec: CNNSpec, method: str | None) -> CNNSpec:
    if method in (None, _downsampling(spec)):
        return spec
    if method == "stride":
        return replace(spec, downsample="stride")
    changes: dict[str, Any] = {"downsample": "pool", "pooling": method}
    return replace(spec, **changes)


def _norm_in_blocks(spec: CNNSpec) -> bool:
    return spec.last_norm and spec.shortcut_norm


def _with_norm_in_blocks(spec: CNNSpec, everywhere: bool) -> CNNSpec:
    if everywhere == _norm_in_blocks(spec):
        return spec
    return replace(spec, last_norm=everywhere, shortcut_norm=everywhere)


def _with_activation(spec: CNNSpec, name: str) -> CNNSpec:
    """Set the activation, and drop the parameters of the one before."""
    return spec if name == spec.activation else replace(spec, activation=name, activation_params=())


_CONVOLUTIONS = (
    Control(
        "block",
        "Blocks",
        "choice",
        "Plain stacks convolutions; a residual block adds its input to its output, which lets deep "
        "networks learn; a bottleneck does so with fewer channels inside.",
        read=lambda spec: spec.block,
        write=_with_block,
        options={"plain": "Plain", "residual": "Residual", "bottleneck": "Bottleneck"},
    ),
    Control(
        "convolutions",
        "Convolutions",
        "slider",
        "How many convolutions the network has: each looks for patterns in what the one before "
        "it found.",
        read=lambda spec: len(spec.channels),
        write=widths.with_count,
        high=64,
        highest=MAX_CONVOLUTIONS,
    ),
    Control(
        "pool_every",
        "Pool every",
        "slider",
        "After each group of this many convolutions the image shrinks; 0 never shrinks it.",
        read=lambda spec: spec.pool_every,
        write=lambda spec, every: widths.regrow_channels(spec, pool_every=every),
        high=20,
        highest=MAX_CONVOLUTIONS,
        shown=has_convolutions,
    ),
    Control(
        "width",
        "Width",
        "slider",
        "Channels of the first convolution: how many different patterns it looks for.",
        read=widths.first_width,
        write=widths.with_width,
        low=1,
        high=256,
        highest=MAX_CHANNELS,
        shown=has_convolutions,
    ),
    Control(
        "growth",
        "Growth",
        "choice",
        "By how much channels grow each time the image shrinks; none is marked where you wrote a "
        "list of your own.",
        read=lambda spec: widths.find_growth(spec) if widths.has_growth(spec) else None,
        write=widths.with_growth,
        options={1.0: "× 1", 1.5: "× 1.5", 2.0: "× 2"},
        shown=has_convolutions,
        enabled=widths.has_growth,
    ),
    Control(
        "channels",
        "Channels, one by one",
        "text",
        "Output channels of every convolution; write 32×5 for five convolutions of 32.",
        read=lambda spec: widths.format_list(spec.channels),
        write=_with_channels,
    ),
    Control(
        "block_convs",
        "Convolutions under one skip",
        "slider",
        "How many convolutions a skip leads past; 0 takes the whole group.",
        read=lambda spec: spec.block_convs,
        write=lambda spec, convs: widths.regrow_channels(spec, block_convs=convs),
        high=6,
        highest=MAX_CONVOLUTIONS,
        shown=has_skips,
    ),
)

_LAYERS = (
    Control(
        "kernel_size",
        "Kernel size",
        "choice",
        "How many pixels wide the window is that a convolution looks through; none is marked where "
        "convolutions differ.",
        read=_kernel_size,
        write=field_access("kernel_size")["write"],
        options={1: "1", 3: "3", 5: "5", 7: "7"},
        shown=has_convolutions,
    ),
    Control(
        "downsample",
        "Shrink by",
        "choice",
        "How the image shrinks after a group: keep the largest value of each window, keep the "
        "mean, or let the next convolution skip pixels.",
        read=_downsampling,
        write=_with_downsampling,
        options={"max": "Max pool", "avg": "Average pool", "stride": "Stride"},
        shown=has_pools,
    ),
    Control(
        "activation",
        "Activation",
        "menu",
        "The function after each layer that makes the network more than one linear map.",
        read=lambda spec: spec.activation,
        write=_with_activation,
        options={name: activation_label(name) for name in ACTIVATIONS},
    ),
    Control(
        "norm",
        "Normalisation",
        "menu",
        "Brings the values of each layer to mean 0 and variance 1, which makes deep networks "
        "easier to train.",
        **field_access("norm"),
        options={
            "none": "None",
            "batch": "Batch norm",
            "layer": "Layer norm",
            "group": "Group norm",
            "instance": "Instance norm",
        },
        shown=has_convolutions,
    ),
    Control(
        "norm_place",
        "Place of the norm",
        "choice",
        "Whether the norm comes before the activation, as is usual, or after it.",
        **field_access("norm_place"),
        options={"conv-norm-act": "Before activation", "conv-act-norm": "After"},
        shown=has_norm,
    ),
    Control(
        "norm_in_blocks",
        "Norm at the end of blocks too",
        "toggle",
        "Puts a norm after the last convolution of each block and on its skip as well, as He et "
        "al. (2016) do; otherwise only between convolutions.",
        read=_norm_in_blocks,
        write=_with_norm_in_blocks,
        shown=lambda spec: has_norm(spec) and has_skips(spec),
    ),
    Control(
        "dropout",
        "Dropout of channels",
        "slider",
        "The chance that a channel is set to zero while training, so that none is relied on alone.",
        **field_access("dropout"),
        low=0.0,
        high=0.9,
        step=0.05,
        highest=0.999,
        shown=has_convolutions,
    ),
)

_HEAD = (
    Control(
        "head",
        "From maps to features",
        "choice",
        "Flatten hands every value to the linear layers; global average hands over one mean per "
        "channel, which takes far fewer parameters.",
        **field_access("head"),
        options={"flatten": "Flatten", "gap": "Global average"},
    ),
    Control(
        "hidden_dims",
        "Hidden layers",
        "text",
        "Widths of the linear layers before the output, like 120, 84; empty for none.",
        read=lambda spec: widths.format_list(spec.hidden_dims),
        write=_with_hidden,
    ),
    Control(
        "hidden_dropout",
        "Dropout of hidden values",
        "slider",
        "The chance that a value of a hidden layer is set to zero while training.",
        **field_access("hidden_dropout"),
        low=0.0,
        high=0.9,
        step=0.05,
        highest=0.999,
        shown=lambda spec: bool(spec.hidden_dims),
    ),
    Control(
        "init",
        "First weights",
        "menu",
        "The rule that random weights are drawn by before training starts.",
        **field_access("init"),
        options={
            "default": "PyTorch's default",
            "he": "He",
            "xavier": "Xavier",
            "lecun": "LeCun",
            "orthogonal": "Orthogonal",
        },
    ),
)

# The tabs of the form, in order.
GROUPS: dict[str, tuple[Control, ...]] = {
    "Convolutions": _CONVOLUTIONS,
    "Layers": _LAYERS,
    "Head": _HEAD,
    "More": MORE,
}

CONTROLS: dict[str, Control] = {
    control.name: control for group in GROUPS.values() for control in group
}
