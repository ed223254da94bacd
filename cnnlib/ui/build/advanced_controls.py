"""The controls of the tab "More" on the Build page: the image, windows, the stem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cnnlib.design.spec import (
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
    Range,
    field_access,
    has_convolutions,
    has_pools,
    has_skips,
)
from cnnlib.vocabulary.layers import ACTIVATIONS, NORMS, POOLINGS, Parameter


def _with_activation_param(spec: CNNSpec, name: str, value: Any) -> CNNSpec:
    changes: dict[str, Any] = {"activation_params": {name: value}}
    return replace(spec, **changes)


def _stem_access(name: str) -> dict[str, Any]:
    """Access to one field of the stem, with the condition that shows its control."""

    def write(spec: CNNSpec, value: Any) -> CNNSpec:
        assert spec.stem is not None  # its controls are shown only then
        changes: dict[str, Any] = {name: value}
        return replace(spec, stem=replace(spec.stem, **changes))

    return {"read": lambda spec: getattr(spec.stem, name), "write": write, "shown": _has_stem}


def _list_access(
    name: str, label: str, entry: Callable[[str], Any] = int, rule: str = "a whole number"
) -> dict[str, Any]:
    """Access, as text, to a field with one value or one per convolution.

    Args:
        label: Label of the control, for error messages.
        entry: Parses one entry.
        rule: What an entry must be, for error messages.
    """

    def write(spec: CNNSpec, text: str) -> CNNSpec:
        entries = widths.parse_list(label, text, entry, rule)
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
        range=Range(low, high),
    )


def _activation_control(activation: str, parameter: Parameter) -> Control:
    """Build the control of one parameter of an activation: a slider, or a choice."""
    name, default = parameter.name, parameter.default

    def is_shown(spec: CNNSpec) -> bool:
        return spec.activation == activation

    if parameter.choices:
        return Control(
            name,
            parameter.label,
            "choice",
            parameter.help,
            read=lambda spec: dict(spec.activation_params).get(name, default),
            write=lambda spec, value: (
                spec if value is None else _with_activation_param(spec, name, value)
            ),
            options=dict(parameter.choices),
            shown=is_shown,
        )
    return Control(
        name,
        parameter.label,
        "slider",
        parameter.help,
        read=lambda spec: float(dict(spec.activation_params).get(name, default)),
        write=lambda spec, value: _with_activation_param(spec, name, value),
        range=Range(0.0, 2.0, parameter.below, 0.01),
        shown=is_shown,
    )


def _parse_padding(text: str) -> int | str:
    return "same" if text == "same" else int(text)


MORE = (
    _image_size(0, 1, MAX_CHANNELS, "in_channels", "Image channels", "1 for grey, 3 for colour."),
    _image_size(1, 1, MAX_IMAGE_SIDE, "in_height", "Image height", "Rows of pixels in an image."),
    _image_size(2, 1, MAX_IMAGE_SIDE, "in_width", "Image width", "Columns of pixels in an image."),
    Control(
        "out_classes",
        "Classes",
        "number",
        "Number of classes. The network has one output for each class.",
        **field_access("out_classes"),
        range=Range(1, MAX_CLASSES),
    ),
    Control(
        "kernel_sizes",
        "Kernel sizes",
        "text",
        "One size for all convolutions, or one for each, like 5, 3, 3.",
        **_list_access("kernel_size", "Kernel sizes"),
        shown=has_convolutions,
    ),
    Control(
        "stride",
        "Stride",
        "text",
        "Step of the window of a convolution, in pixels: one number for all, or one for each.",
        **_list_access("stride", "Stride"),
        shown=has_convolutions,
    ),
    Control(
        "padding",
        "Padding",
        "text",
        'Zeros added on each side of the input, in pixels. "same" keeps the size at stride 1.',
        **_list_access("padding", "Padding", _parse_padding, 'a whole number or "same"'),
        shown=has_convolutions,
    ),
    Control(
        "dilation",
        "Dilation",
        "text",
        "Distance between the pixels of a window. 1: the pixels are next to each other.",
        **_list_access("dilation", "Dilation"),
        shown=has_convolutions,
    ),
    Control(
        "bias",
        "Bias in convolutions",
        "choice",
        "Whether each channel adds a learned constant. It has no effect if a batch norm follows.",
        read=lambda spec: None if isinstance(spec.bias, tuple) else spec.bias,
        write=field_access("bias")["write"],
        options={True: "Yes", False: "No"},
        shown=has_convolutions,
    ),
    Control(
        "pool_kernel_size",
        "Pooling window",
        "number",
        "Side of the square window of a pooling, in pixels. Each window becomes one value.",
        **field_access("pool_kernel_size"),
        range=Range(1, MAX_KERNEL_SIZE),
        shown=has_pools,
    ),
    Control(
        "pool_stride",
        "Pooling stride",
        "number",
        "Step of the pooling window, in pixels. Set it to the window size for windows that do not "
        "overlap.",
        read=lambda spec: spec.pool_step,
        write=lambda spec, step: replace(spec, pool_stride=step),
        range=Range(1, MAX_KERNEL_SIZE),
        shown=has_pools,
    ),
    Control(
        "pool_padding",
        "Pooling padding",
        "number",
        "Pixels added on each side of the feature map before pooling.",
        **field_access("pool_padding"),
        range=Range(0, MAX_KERNEL_SIZE),
        shown=has_pools,
    ),
    Control(
        "pool_dilation",
        "Pooling dilation",
        "number",
        "Distance between the pixels of a max pooling window. 1: they are next to each other.",
        **field_access("pool_dilation"),
        range=Range(1, MAX_KERNEL_SIZE),
        shown=lambda spec: has_pools(spec) and POOLINGS[spec.pooling].has_dilation,
    ),
    Control(
        "norm_groups",
        "Groups of the group norm",
        "number",
        "Number of groups into which the channels of a layer are divided. Each group is normalised "
        "on its own.",
        **field_access("norm_groups"),
        range=Range(1, MAX_CHANNELS),
        shown=lambda spec: NORMS[spec.norm].groups == "design",
    ),
    *(
        _activation_control(activation.name, parameter)
        for activation in ACTIVATIONS.values()
        for parameter in activation.params
    ),
    Control(
        "block_stride",
        "Stride of blocks",
        "number",
        "Step of the first convolution of each block, in pixels. Above 1, every block shrinks the "
        "feature maps.",
        **field_access("block_stride"),
        range=Range(1, MAX_KERNEL_SIZE),
        shown=has_skips,
    ),
    Control(
        "stem",
        "Stem",
        "toggle",
        "An extra convolution before the first group. No skip connection passes over it.",
        read=_has_stem,
        write=_with_stem,
    ),
    Control(
        "stem_channels",
        "Stem channels",
        "number",
        "Output channels of the stem.",
        **_stem_access("channels"),
        range=Range(1, MAX_CHANNELS),
    ),
    Control(
        "stem_kernel_size",
        "Stem kernel size",
        "number",
        "Side of the square window of the stem, in pixels.",
        **_stem_access("kernel_size"),
        range=Range(1, MAX_KERNEL_SIZE),
    ),
    Control(
        "stem_stride",
        "Stem stride",
        "number",
        "Step of the window of the stem, in pixels.",
        **_stem_access("stride"),
        range=Range(1, MAX_KERNEL_SIZE),
    ),
    Control(
        "stem_padding",
        "Stem padding",
        "text",
        'Zeros added on each side of the image, in pixels. "same" keeps the size at stride 1.',
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
        "Adds a pooling directly after the stem.",
        **_stem_access("pool"),
    ),
)
