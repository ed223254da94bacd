"""The controls of the tab "More" on the Build page: the picture, windows, the stem."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cnnlib.design.field_labels import FIELD_LABELS
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
    Kind,
    Range,
    field_control,
    has_convolutions,
    has_pools,
    has_skips,
)
from cnnlib.vocabulary.layers import ACTIVATIONS, NORMS, POOLINGS, Parameter


def _stem_control(name: str, label: str, kind: Kind, help: str, **changed: Any) -> Control:
    """Build the control of one field of the stem, shown where there is a stem."""

    def write(spec: CNNSpec, value: Any) -> CNNSpec:
        assert spec.stem is not None  # its controls are shown only then
        changes: dict[str, Any] = {name: value}
        return replace(spec, stem=replace(spec.stem, **changes))

    access = {"read": lambda spec: getattr(spec.stem, name), "write": write}
    return Control(f"stem_{name}", label, kind, help, shown=_has_stem, **{**access, **changed})


def _list_control(
    name: str,
    label: str,
    help: str,
    *rules: Any,
    field: str = "",
    **more_rules: Any,
) -> Control:
    """Build the control, as text, of a field with one value or one per convolution.

    Args:
        rules, more_rules: Further arguments of `parse_list`.
        field: Name of the field where it is not that of the control.
    """

    def write(spec: CNNSpec, text: str) -> CNNSpec:
        entries = widths.parse_list(label, text, *rules, **more_rules)
        changes: dict[str, Any] = {field: entries[0] if len(entries) == 1 else entries}
        return replace(spec, **changes)

    def read(spec: CNNSpec) -> str:
        entries = getattr(spec, field)
        is_one = isinstance(entries, tuple) and len(set(entries)) == 1
        return widths.format_list(entries[:1] if is_one else entries)

    field = field or name
    return Control(name, label, "text", help, read, write, shown=has_convolutions)


def _has_stem(spec: CNNSpec) -> bool:
    return spec.stem is not None


def _with_stem(spec: CNNSpec, enabled: bool) -> CNNSpec:
    if enabled == _has_stem(spec):
        return spec
    return replace(spec, stem=Stem(widths.first_width(spec)) if enabled else None)


def _with_stem_padding(spec: CNNSpec, text: str) -> CNNSpec:
    padding = text.strip()
    is_number = padding.isascii() and padding.isdigit() and len(padding) < 10
    is_same = padding.lower() == "same"
    changes: dict[str, Any] = {
        "padding": int(padding) if is_number else "same" if is_same else padding
    }
    assert spec.stem is not None  # its controls are shown only then
    return replace(spec, stem=replace(spec.stem, **changes))


def _image_size(axis: int, low: int, high: int, name: str, label: str, text: str) -> Control:
    """Build the control of one entry of `in_size`: channels, height or width."""

    def write(spec: CNNSpec, value: int) -> CNNSpec:
        sizes = list(spec.in_size)
        sizes[axis] = value
        changes: dict[str, Any] = {"in_size": tuple(sizes)}
        return replace(spec, **changes)

    range = Range(low, high)
    return Control(name, label, "number", text, lambda spec: spec.in_size[axis], write, range=range)


def _activation_control(activation: str, parameter: Parameter) -> Control:
    """Build the control of one parameter of an activation: a slider, or a choice."""
    name, choices = parameter.name, parameter.choices

    def write(spec: CNNSpec, value: Any) -> CNNSpec:
        changes: dict[str, Any] = {"activation_params": {name: value}}
        return spec if value is None else replace(spec, **changes)

    return Control(
        *(name, parameter.label, "choice" if choices else "slider", parameter.help),
        read=lambda spec: dict(spec.activation_params).get(name, parameter.default),
        write=write,
        options=dict(choices),
        range=Range(0.0, 2.0, parameter.below, 0.01),
        shown=lambda spec: spec.activation == activation,
    )


def _with_groups(spec: CNNSpec, text: str) -> CNNSpec:
    examples = "numbers like 2, 2, 3, or 3*5 for five groups of 3"
    groups = widths.parse_list("Convolutions of each group", text, examples=examples)
    return widths.with_groups(spec, groups) if groups else spec


def _parse_window(text: str) -> int | str:
    """Parse the side of a square window; the spec reads any other text, such as 3x5."""
    return widths.parse_whole(text) if text.isdigit() else text


def _parse_padding(text: str) -> int | str:
    return "same" if text.lower() == "same" else widths.parse_whole(text)


_STEPS = "numbers like 1, 2, 1, or 2*5 for five times 2"
MORE = (
    _image_size(0, 1, MAX_CHANNELS, "in_channels", "Picture channels", "1 for grey, 3 for colour."),
    _image_size(1, 1, MAX_IMAGE_SIDE, "in_height", "Picture height", "In pixels."),
    _image_size(2, 1, MAX_IMAGE_SIDE, "in_width", "Picture width", "In pixels."),
    field_control(
        "out_classes",
        "number",
        "Number of classes. The network has one output for each class.",
        range=Range(1, MAX_CLASSES),
    ),
    Control(
        "groups",
        "Convolutions of each group",
        "text",
        "Numbers of convolutions before each shrinking, like 2, 2, 3, 3, 3. One number is for all "
        "groups. The channels stay; groups with another sum change the number of convolutions.",
        read=lambda spec: widths.format_list(spec.pool_every),
        write=_with_groups,
        shown=has_convolutions,
    ),
    _list_control(
        "kernel_sizes",
        "Kernel sizes",
        "One size for all convolutions, or one for each, like 5, 3, 3. A window that is not square "
        r"has height x width: 3x5 has 3 rows and 5 columns. 3\*4 is four times 3.",
        _parse_window,
        "a size like 3 or 3x5",
        examples="sizes like 5, 3, or 3x5 for 3 rows and 5 columns, or 3*4 for four times 3",
        field="kernel_size",
    ),
    _list_control(
        "stride",
        FIELD_LABELS["stride"],
        "Step of the window of a convolution, in pixels: one number for all, or one for each.",
        examples=_STEPS,
    ),
    _list_control(
        "padding",
        FIELD_LABELS["padding"],
        'Zeros added on each side of the input, in pixels. "same" keeps the size at stride 1.',
        _parse_padding,
        'a whole number or "same"',
        examples='numbers like 0, 1, or "same", or 1*5 for five times 1',
    ),
    _list_control(
        "dilation",
        FIELD_LABELS["dilation"],
        "Distance between the pixels of a window. 1: the pixels are next to each other.",
        examples=_STEPS,
    ),
    field_control(
        "bias",
        "choice",
        "Whether each channel adds a learned constant. It has no effect if a batch norm follows.",
        read=lambda spec: None if isinstance(spec.bias, tuple) else spec.bias,
        options={True: "Yes", False: "No"},
        shown=has_convolutions,
    ),
    field_control(
        "pool_kernel_size",
        "number",
        "Side of the square window of a pooling, in pixels. Each window becomes one value.",
        range=Range(1, MAX_KERNEL_SIZE),
        shown=has_pools,
    ),
    field_control(
        "pool_stride",
        "number",
        "Step of the pooling window, in pixels. Set it to the window size for windows that do not "
        "overlap.",
        read=lambda spec: spec.pool_step,
        range=Range(1, MAX_KERNEL_SIZE),
        shown=has_pools,
    ),
    field_control(
        "pool_padding",
        "number",
        "Pixels added on each side of the feature map before pooling.",
        range=Range(0, MAX_KERNEL_SIZE),
        shown=has_pools,
    ),
    field_control(
        "pool_dilation",
        "number",
        "Distance between the pixels of a max pooling window. 1: they are next to each other.",
        range=Range(1, MAX_KERNEL_SIZE),
        shown=lambda spec: has_pools(spec) and POOLINGS[spec.pooling].has_dilation,
    ),
    field_control(
        "norm_groups",
        "number",
        "Number of groups into which the channels of a layer are divided. Each group is normalised "
        "on its own.",
        range=Range(1, MAX_CHANNELS),
        shown=lambda spec: NORMS[spec.norm].groups == "design",
    ),
    *(
        _activation_control(activation.name, parameter)
        for activation in ACTIVATIONS.values()
        for parameter in activation.params
    ),
    field_control(
        "block_stride",
        "number",
        "Step of the first convolution of each block, in pixels. Above 1, every block shrinks the "
        "feature maps.",
        range=Range(1, MAX_KERNEL_SIZE),
        shown=has_skips,
    ),
    Control(
        "stem",
        FIELD_LABELS["stem"],
        "toggle",
        "An extra convolution before the first group. No skip connection passes over it.",
        read=_has_stem,
        write=_with_stem,
    ),
    _stem_control(
        "channels",
        "Stem channels",
        "number",
        "Output channels of the stem.",
        range=Range(1, MAX_CHANNELS),
    ),
    _stem_control(
        "kernel_size",
        "Stem kernel size",
        "number",
        "Side of the square window of the stem, in pixels.",
        range=Range(1, MAX_KERNEL_SIZE),
    ),
    _stem_control(
        "stride",
        "Stem stride",
        "number",
        "Step of the window of the stem, in pixels.",
        range=Range(1, MAX_KERNEL_SIZE),
    ),
    _stem_control(
        "padding",
        "Stem padding",
        "text",
        'Zeros added on each side of the picture, in pixels. "same" keeps the size at stride 1.',
        read=lambda spec: str(spec.stem and spec.stem.padding),
        write=_with_stem_padding,
    ),
    _stem_control(
        "bias",
        "Bias in the stem",
        "toggle",
        "Whether each channel of the stem adds a learned constant.",
    ),
    _stem_control(
        "pool",
        "Pooling after the stem",
        "toggle",
        "Adds a pooling directly after the stem.",
    ),
)
