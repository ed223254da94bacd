"""The controls of the tab "More" on the Build page: the image, windows, the stem."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cnnlib.design.spec import (
    ACTIVATION_PARAMS,
    MAX_CHANNELS,
    MAX_CLASSES,
    MAX_IMAGE_SIDE,
    MAX_KERNEL_SIZE,
    CNNSpec,
    Stem,
)
from cnnlib.ui.build import channels as widths
from cnnlib.ui.build.control import (
    Control,
    FieldAccess,
    field_access,
    has_convolutions,
    has_pools,
    has_skips,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def _with_activation_param(spec: CNNSpec, name: str, value: Any) -> CNNSpec:
    changes: dict[str, Any] = {"activation_params": {name: value}}
    return replace(spec, **changes)


class _StemAccess(FieldAccess):
    """Access to a field of the stem, with the condition that shows its control."""

    shown: Callable[[CNNSpec], bool]


def _stem_access(name: str) -> _StemAccess:
    """Access to one field of the stem."""

    def write(spec: CNNSpec, value: Any) -> CNNSpec:
        assert spec.stem is not None  # its controls are shown only then
        changes: dict[str, Any] = {name: value}
        return replace(spec, stem=replace(spec.stem, **changes))

    return {"read": lambda spec: getattr(spec.stem, name), "write": write, "shown": _has_stem}


def _list_access(name: str, what: str, entry: Callable[[str], Any] = int) -> FieldAccess:
    """Access, as text, to a field with one value or one per convolution.

    Args:
        what: Name of the list, for error messages.
        entry: Parses one entry.
    """

    def write(spec: CNNSpec, text: str) -> CNNSpec:
        entries = widths.parse_list(what, text, entry)
        changes: dict[str, Any] = {name: entries[0] if len(entries) == 1 else entries}
        return replace(spec, **changes)

    return {"read": lambda spec: widths.format_list(getattr(spec, name)), "write": write}


def _has_stem(spec: CNNSpec) -> bool:
    return spec.stem is not None


def _with_stem(spec: CNNSpec, enabled: bool) -> CNNSpec:
    if enabled == _has_stem(spec):
        return spec
    return replace(spec, stem=Stem(widths.first_width(spec)) if enabled else None)


def _with_stem_padding(spec: CNNSpec, text: str) -> CNNSpec:
    padding = text.strip().lower()
    is_number = padding.isascii() and padding.isdigit() and len(padding) < 10
    changes: dict[str, Any] = {"padding": int(padding) if is_number else padding}
    assert spec.stem is not None  # its controls are shown only then
    return replace(spec, stem=replace(spec.stem, **changes))


def _image_size(axis: int, low: int, high: int, name: str, label: str, text: str) -> Control:
    """Build the control of one entry of `in_size`: channels, height or width."""

    def write(spec: CNNSpec, value: int) -> CNNSpec:
        sizes = list(spec.in_size)
        sizes[axis] = value
        changes: dict[str, Any] = {"in_size": tuple(sizes)}
        return replace(spec, **changes)

    return Control(
        name,
        label,
        "number",
        text,
        read=lambda spec: spec.in_size[axis],
        write=write,
        low=low,
        high=high,
    )


def _activation_slider(name: str, activation: str, label: str, text: str) -> Control:
    """Build the slider of the one parameter of an activation."""
    default = ACTIVATION_PARAMS[activation][name]
    return Control(
        name,
        label,
        "slider",
        text,
        read=lambda spec: float(dict(spec.activation_params).get(name, default)),
        write=lambda spec, value: _with_activation_param(spec, name, value),
        low=0.0,
        high=2.0,
        step=0.01,
        highest=10.0,
        shown=lambda spec: spec.activation == activation,
    )


def _parse_padding(text: str) -> int | str:
    return "same" if text == "same" else int(text)


MORE = (
    _image_size(0, 1, MAX_CHANNELS, "in_channels", "Image channels", "1 for grey, 3 for colour."),
    _image_size(1, 1, MAX_IMAGE_SIDE, "in_height", "Image height", "Rows of pixels of an image."),
    _image_size(2, 1, MAX_IMAGE_SIDE, "in_width", "Image width", "Columns of pixels of an image."),
    Control(
        "out_classes",
        "Classes",
        "number",
        "How many kinds of images the network tells apart: one output for each.",
        **field_access("out_classes"),
        low=1,
        high=MAX_CLASSES,
    ),
    Control(
        "kernel_sizes",
        "Kernel sizes",
        "text",
        "One size for all convolutions, or one for each, like 5, 3, 3.",
        **_list_access("kernel_size", "The list of kernel sizes"),
        shown=has_convolutions,
    ),
    Control(
        "stride",
        "Stride",
        "text",
        "By how many pixels a convolution moves its window: one for all, or one for each.",
        **_list_access("stride", "The list of strides"),
        shown=has_convolutions,
    ),
    Control(
        "padding",
        "Padding",
        "text",
        'Zeros around the image on each side; "same" keeps its size.',
        **_list_access("padding", "The list of paddings", _parse_padding),
        shown=has_convolutions,
    ),
    Control(
        "dilation",
        "Dilation",
        "text",
        "Distance between the pixels that a window looks at: 1 is next to each other.",
        **_list_access("dilation", "The list of dilations"),
        shown=has_convolutions,
    ),
    Control(
        "bias",
        "Bias in convolutions",
        "choice",
        "Whether each channel adds a learned constant; a norm right after it makes it useless.",
        read=lambda spec: None if isinstance(spec.bias, tuple) else spec.bias,
        write=field_access("bias")["write"],
        options={True: "Yes", False: "No"},
        shown=has_convolutions,
    ),
    Control(
        "pool_kernel_size",
        "Pooling window",
        "number",
        "How many pixels wide the window is that a pooling makes one value of.",
        **field_access("pool_kernel_size"),
        low=1,
        high=MAX_KERNEL_SIZE,
        shown=has_pools,
    ),
    Control(
        "pool_stride",
        "Pooling stride",
        "number",
        "By how many pixels the pooling moves its window; the window's width lets none overlap.",
        read=lambda spec: spec.pool_step,
        write=lambda spec, step: replace(spec, pool_stride=step),
        low=1,
        high=MAX_KERNEL_SIZE,
        shown=has_pools,
    ),
    Control(
        "pool_padding",
        "Pooling padding",
        "number",
        "Pixels added around the image before pooling, on each side.",
        **field_access("pool_padding"),
        low=0,
        high=MAX_KERNEL_SIZE,
        shown=has_pools,
    ),
    Control(
        "pool_dilation",
        "Pooling dilation",
        "number",
        "Distance between the pixels that a max pooling looks at.",
        **field_access("pool_dilation"),
        low=1,
        high=MAX_KERNEL_SIZE,
        shown=lambda spec: has_pools(spec) and spec.pooling == "max",
    ),
    Control(
        "norm_groups",
        "Groups of the norm",
        "number",
        "Into how many groups of channels a group norm divides a layer.",
        **field_access("norm_groups"),
        low=1,
        high=MAX_CHANNELS,
        shown=lambda spec: spec.norm == "group",
    ),
    _activation_slider(
        "negative_slope", "lrelu", "Slope below zero", "What a leaky ReLU keeps of negatives."
    ),
    _activation_slider("alpha", "elu", "Alpha", "The value that an ELU approaches far below zero."),
    Control(
        "approximate",
        "GELU formula",
        "choice",
        "The exact function, or its approximation by tanh.",
        read=lambda spec: str(dict(spec.activation_params).get("approximate", "none")),
        write=lambda spec, formula: (
            spec if formula is None else _with_activation_param(spec, "approximate", formula)
        ),
        options={"none": "Exact", "tanh": "By tanh"},
        shown=lambda spec: spec.activation == "gelu",
    ),
    Control(
        "block_stride",
        "Stride of blocks",
        "number",
        "By how much each block shrinks the image itself, beside what groups do.",
        **field_access("block_stride"),
        low=1,
        high=MAX_KERNEL_SIZE,
        shown=has_skips,
    ),
    Control(
        "stem",
        "Stem",
        "toggle",
        "A convolution of its own before the first group, outside every skip.",
        read=_has_stem,
        write=_with_stem,
    ),
    Control(
        "stem_channels",
        "Stem channels",
        "number",
        "How many channels the stem gives.",
        **_stem_access("channels"),
        low=1,
        high=MAX_CHANNELS,
    ),
    Control(
        "stem_kernel_size",
        "Stem kernel size",
        "number",
        "How many pixels wide the stem's window is.",
        **_stem_access("kernel_size"),
        low=1,
        high=MAX_KERNEL_SIZE,
    ),
    Control(
        "stem_stride",
        "Stem stride",
        "number",
        "By how many pixels the stem moves its window.",
        **_stem_access("stride"),
        low=1,
        high=MAX_KERNEL_SIZE,
    ),
    Control(
        "stem_padding",
        "Stem padding",
        "text",
        'Zeros around the image before the stem, on each side; "same" keeps its size.',
        read=lambda spec: str(spec.stem and spec.stem.padding),
        write=_with_stem_padding,
        shown=_has_stem,
    ),
    Control(
        "stem_bias",
        "Bias in the stem",
        "toggle",
        "Whether each channel of the stem adds a learned constant.",
        **_stem_access("bias"),
    ),
    Control(
        "stem_pool",
        "Pooling after the stem",
        "toggle",
        "Whether the image shrinks once right after the stem.",
        **_stem_access("pool"),
    ),
)
