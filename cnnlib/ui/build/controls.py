"""The controls of the Build page, as data, grouped by tab."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cnnlib.design.field_labels import FIELD_LABELS
from cnnlib.design.spec import MAX_CHANNELS, MAX_CONVOLUTIONS, CNNSpec
from cnnlib.ui.build import channels as widths
from cnnlib.ui.build.advanced_controls import MORE
from cnnlib.ui.build.control import (
    Control,
    Range,
    field_control,
    has_convolutions,
    has_norm,
    has_pools,
    has_skips,
)
from cnnlib.vocabulary.entry import labels
from cnnlib.vocabulary.layers import ACTIVATIONS, BLOCKS, INITIALISATIONS, NORMS, POOLINGS


def _with_block(spec: CNNSpec, block: str | None) -> CNNSpec:
    """Set the kind of block; in a long group a skip spans two or three convolutions."""
    if block is None or block == spec.block:
        return spec
    convs = BLOCKS[block].convs
    group = max(widths.group_sizes(spec, len(spec.channels)), default=0)
    return widths.regrow_channels(spec, block=block, block_convs=convs if group > convs else 0)


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


def _with_head(spec: CNNSpec, head: str | None) -> CNNSpec:
    """Set the head; without linear layers the last convolution gives the scores."""
    if head is None or head == spec.head:
        return spec
    changes: dict[str, Any] = {"head": head}
    if head == "gap_only" and spec.channels:
        changes |= {"channels": (*spec.channels[:-1], spec.out_classes), "hidden_dims": ()}
    return replace(spec, **changes)


def _with_activation(spec: CNNSpec, name: str) -> CNNSpec:
    """Set the activation, and drop the parameters of the one before."""
    return spec if name == spec.activation else replace(spec, activation=name, activation_params=())


def _has_norms_in_blocks(spec: CNNSpec) -> bool:
    return has_norm(spec) and has_skips(spec)


_CONVOLUTIONS = (
    field_control(
        "block",
        "choice",
        "Plain: convolutions one after another. Residual: each block adds its input to its output "
        "by a skip connection, so that deep networks learn better. Bottleneck: a residual block "
        "with fewer channels inside. Both have a switch for pre-activation below.",
        write=_with_block,
        options=labels(BLOCKS),
    ),
    field_control(
        "preactivation",
        "toggle",
        "Norm and activation come before each convolution of a block, and nothing comes after the "
        "sum: He et al. (2016), Identity mappings. Very deep networks learn better so.",
        shown=has_skips,
    ),
    Control(
        "convolutions",
        "Convolutions",
        "slider",
        "Number of convolutions. Each one looks for patterns in the feature maps of the one "
        "before. With 0, the network has only linear layers.",
        read=lambda spec: len(spec.channels),
        write=widths.with_count,
        range=Range(0, 64, MAX_CONVOLUTIONS),
    ),
    field_control(
        "pool_every",
        "slider",
        "The feature maps shrink after each group of this many convolutions. 0: they never shrink.",
        write=lambda spec, every: widths.regrow_channels(spec, pool_every=every),
        range=Range(0, 20, MAX_CONVOLUTIONS),
        shown=lambda spec: has_convolutions(spec) and not isinstance(spec.pool_every, tuple),
    ),
    Control(
        "width",
        "Width",
        "slider",
        "Channels of the first convolution: the number of different patterns that it can detect.",
        read=widths.first_width,
        write=widths.with_width,
        range=Range(1, 256, MAX_CHANNELS),
        shown=has_convolutions,
    ),
    Control(
        "growth",
        "Growth",
        "choice",
        "Factor by which the number of channels grows each time the feature maps shrink. Nothing "
        "is selected if the channels follow none of these factors.",
        read=lambda spec: widths.find_growth(spec) if widths.has_growth(spec) else None,
        write=widths.with_growth,
        options={1.0: "× 1", 1.5: "× 1.5", 2.0: "× 2"},
        shown=has_convolutions,
        enabled=widths.has_growth,
    ),
    Control(
        "channels",
        FIELD_LABELS["channels"],
        "text",
        r"Output channels of each convolution, like 6, 16. Write 32\*5 for five convolutions with "
        "32 channels each. A list of another length changes the number of convolutions.",
        read=lambda spec: widths.format_list(spec.channels),
        write=lambda spec, text: widths.with_channels(
            spec, widths.parse_list("Channels of each convolution", text)
        ),
    ),
    field_control(
        "block_convs",
        "slider",
        "Number of convolutions that one skip connection passes over. 0: all of the group.",
        write=lambda spec, convs: widths.regrow_channels(spec, block_convs=convs),
        range=Range(0, 6, MAX_CONVOLUTIONS),
        shown=has_skips,
    ),
)

_LAYERS = (
    field_control(
        "kernel_size",
        "choice",
        "Side of the square window of a convolution, in pixels. Nothing is selected if the "
        "convolutions differ: see Kernel sizes in the tab More.",
        read=_kernel_size,
        options={1: "1", 3: "3", 5: "5", 7: "7"},
        shown=has_convolutions,
    ),
    Control(
        "downsample",
        FIELD_LABELS["downsample"],
        "choice",
        "How the feature maps shrink after each group. Max pool keeps the largest value of each "
        "window, Average pool the mean. Stride: no pooling; the window of the next convolution "
        "moves in larger steps.",
        read=_downsampling,
        write=_with_downsampling,
        options={name: pooling.short for name, pooling in POOLINGS.items()} | {"stride": "Stride"},
        shown=has_pools,
    ),
    field_control(
        "activation",
        "menu",
        "Function that is applied after each layer. Without it, the whole network would be one "
        "linear function.",
        write=_with_activation,
        options=labels(ACTIVATIONS),
    ),
    field_control(
        "norm",
        "menu",
        "Scales the outputs of each convolution to mean 0 and variance 1. Deep networks are then "
        "easier to train.",
        options=labels(NORMS),
        shown=has_convolutions,
    ),
    field_control(
        "norm_place",
        "choice",
        "Whether the norm comes before the activation (the usual order) or after it.",
        options={"conv-norm-act": "Before activation", "conv-act-norm": "After activation"},
        shown=has_norm,
    ),
    field_control(
        "last_norm",
        "toggle",
        "Adds a norm after the last convolution of each block, as in He et al. (2016). Off: norms "
        "only between the convolutions of a block.",
        shown=_has_norms_in_blocks,
    ),
    field_control(
        "shortcut_norm",
        "toggle",
        "Adds a norm after the 1 × 1 convolution of a shortcut, as in He et al. (2016).",
        shown=lambda spec: _has_norms_in_blocks(spec) and spec.shortcut == "conv",
    ),
    field_control(
        "shortcut",
        "choice",
        "1 × 1 convolution, or no parameters: every second pixel, and zeros as the new channels.",
        options={"conv": "1 × 1 convolution", "pad": "Zeros"},
        shown=has_skips,
    ),
    field_control(
        "stride_at",
        "choice",
        "The convolution of a block that makes the feature maps smaller. In a bottleneck the "
        "second one keeps more of them.",
        options={"first": "First convolution", "second": "Second convolution"},
        shown=has_skips,
    ),
    field_control(
        "dropout",
        "slider",
        "Probability that a channel is set to zero in a training step. The network then learns not "
        "to depend on a single channel.",
        range=Range(0.0, 0.9, 0.999, 0.05),
        shown=has_convolutions,
    ),
)

_HEAD = (
    field_control(
        "head",
        "choice",
        "Flatten: the linear layers receive every value of the last feature maps. Global average: "
        "they receive one mean per channel, which needs far fewer parameters. Average only: the "
        "means are the output; the last convolution has one channel per class.",
        write=_with_head,
        options={"flatten": "Flatten", "gap": "Global average", "gap_only": "Average only"},
    ),
    Control(
        "hidden_dims",
        FIELD_LABELS["hidden_dims"],
        "text",
        "Units of each linear layer before the output, like 120, 84. Empty: no hidden layers.",
        read=lambda spec: widths.format_list(spec.hidden_dims),
        write=lambda spec, text: replace(
            spec, hidden_dims=widths.parse_list(FIELD_LABELS["hidden_dims"], text)
        ),
        shown=lambda spec: spec.head != "gap_only",
    ),
    field_control(
        "hidden_dropout",
        "slider",
        "Probability that a unit of a hidden layer is set to zero in a training step.",
        range=Range(0.0, 0.9, 0.999, 0.05),
        shown=lambda spec: bool(spec.hidden_dims),
    ),
    field_control(
        "init",
        "menu",
        "Rule for the random weights before training starts.",
        options=labels(INITIALISATIONS),
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
