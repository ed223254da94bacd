"""The pattern of a network: from a spec to its layers, in forward order."""

from __future__ import annotations

from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Any

from cnnlib.design.layer_builder import Convolution, LayerBuilder, LayerFitError, same_padding
from cnnlib.design.layer_words import layer_in_words, start_with
from cnnlib.design.layers import Activation, AnyLayer, Leaf, Residual, Shape
from cnnlib.design.spec import STRIDE_PLACES
from cnnlib.units import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cnnlib.design.spec import CNNSpec, Stem

MAX_PARAMS = 500_000_000  # 2 GB of float32
MAX_OUTPUT_VALUES = 2**28  # all layers together, for one image: 1 GB of float32

Group = tuple[Convolution, ...]


def lay_out(spec: CNNSpec) -> tuple[AnyLayer, ...]:
    """Return the layers of a spec in forward order; a residual block counts as one layer.

    Raises:
        LayerFitError: A layer does not fit, or the network exceeds `MAX_PARAMS` or
            `MAX_OUTPUT_VALUES`.
    """
    features = _build_features(spec)
    classifier = _build_classifier(spec, features.shape)
    layers = (*features.layers, *classifier.layers)
    _check_size(layers)
    return layers


def _build_features(spec: CNNSpec) -> LayerBuilder:
    """Build the convolutional part."""
    builder = LayerBuilder(spec, "features", spec.in_size)
    if spec.stem:
        _add_stem(builder, spec.stem)
    add_group = _add_convolutions if spec.block == "plain" else _add_blocks
    done = 0  # convolutions or blocks so far
    for number, group in enumerate(_split_convolutions(spec), start=1):
        is_strided = spec.downsample == "stride" and number > 1
        done = add_group(builder, group, done, stride=spec.pool_step if is_strided else None)
        is_whole = isinstance(spec.pool_every, tuple) or len(group) == spec.pool_every
        if spec.downsample == "pool" and is_whole:
            builder.pool(f"pool{number}")
    if _is_preactivated(spec):
        _add_norm_and_activation(builder, "{}")
    return builder


def _build_classifier(spec: CNNSpec, shape: Shape) -> LayerBuilder:
    """Build the linear part."""
    builder = LayerBuilder(spec, "classifier", shape)
    if spec.head == "gap_only":
        _check_scores(spec, shape)
    if spec.head != "flatten":
        builder.global_avg_pool("gap")
    builder.flatten("flatten")
    if spec.head == "gap_only":
        return builder
    for number, width in enumerate(spec.hidden_dims, start=1):
        builder.linear(f"fc{number}", width)
        builder.activation(f"act{number}")
        builder.dropout(f"drop{number}", spec.hidden_dropout)
    builder.linear(f"fc{len(spec.hidden_dims) + 1}", spec.out_classes)
    return builder


def _check_scores(spec: CNNSpec, shape: Shape) -> None:
    """Check that the last convolution can give the scores, and that nothing comes after it."""
    if spec.hidden_dims:
        raise LayerFitError(
            f"The network has {plural(len(spec.hidden_dims), 'hidden layer')}, but its output is "
            f"the average of the last feature maps, without linear layers. Remove the hidden "
            f"layers, or use the global average with linear layers.",
            layer="classifier.gap",
            repair_fields=("hidden_dims", "head"),
        )
    if not spec.channels or shape[0] != spec.out_classes:
        raise LayerFitError(
            f"The last feature maps have {plural(shape[0], 'channel')}, but their averages are the "
            f"scores of {plural(spec.out_classes, 'class')}. Give the last convolution "
            f"{plural(spec.out_classes, 'channel')}, or use the global average with linear layers.",
            layer="classifier.gap",
            repair_fields=("channels", "head"),
        )


def _is_preactivated(spec: CNNSpec) -> bool:
    """Return whether norms and activations come before the convolutions."""
    return spec.preactivation and spec.block != "plain" and bool(spec.channels)


def _split_convolutions(spec: CNNSpec) -> Iterator[Group]:
    """Split the convolutions at each downsampling; the last group may be shorter."""
    values = [spec.each(name) for name in ("kernel_size", "stride", "padding", "dilation", "bias")]
    convolutions = tuple(map(Convolution, spec.channels, *values))
    if isinstance(spec.pool_every, tuple):
        remaining = iter(convolutions)
        return (tuple(islice(remaining, length)) for length in spec.pool_every)
    return _split_group(convolutions, spec.pool_every)


def _split_group(group: Group, size: int) -> Iterator[Group]:
    """Split a group into chunks of `size`, the last perhaps shorter; 0 gives one chunk."""
    size = size or len(group) or 1
    return (group[i : i + size] for i in range(0, len(group), size))


def _add_stem(builder: LayerBuilder, stem: Stem) -> None:
    """Add the convolution before the first group."""
    size = (stem.kernel_size, stem.stride, stem.padding)
    builder.conv("stem_conv", Convolution(stem.channels, *size, bias=stem.bias))
    if not _is_preactivated(builder.spec):
        _add_norm_and_activation(builder, "stem_{}")
    if stem.pool:
        builder.pool("stem_pool")


def _add_convolutions(builder: LayerBuilder, group: Group, done: int, stride: int | None) -> int:
    """Add a plain group: conv -> dropout -> norm -> activation for each convolution.

    Args:
        done: Convolutions added before this group.
        stride: Stride of the group's first convolution; None: that of the spec.

    Returns:
        Convolutions added so far, this group included.
    """
    for number, conv in enumerate(group, start=done + 1):
        if stride and number == done + 1:
            conv = conv._replace(stride=stride)
        builder.conv(f"conv{number}", conv)
        builder.dropout(f"drop{number}", builder.spec.dropout)
        _add_norm_and_activation(builder, f"{{}}{number}")
    return done + len(group)


def _add_norm_and_activation(builder: LayerBuilder, name: str) -> None:
    """Add both, in the order of `norm_place`; ``{}`` in `name` becomes ``norm`` or ``act``."""
    steps = ((builder.norm, "norm"), (builder.activation, "act"))
    for add, kind in steps if builder.spec.norm_place == "conv-norm-act" else reversed(steps):
        add(name.format(kind))


def _add_blocks(builder: LayerBuilder, group: Group, done: int, stride: int | None) -> int:
    """Add a residual group: blocks, the first with the group's stride (None: `block_stride`).

    Returns:
        Blocks added so far, `done` before this group included.
    """
    chunks = tuple(_split_group(group, builder.spec.block_convs))
    for number, chunk in enumerate(chunks, start=done + 1):
        is_strided = stride and number == done + 1
        block_stride = stride if stride and is_strided else builder.spec.block_stride
        builder.add(_build_block(builder, f"{builder.name}.block{number}", chunk, block_stride))
    return done + len(chunks)


def _build_block(builder: LayerBuilder, name: str, group: Group, stride: int) -> Residual:
    """Build a block with a skip: the main path, the shortcut, the ReLU of their sum."""
    spec, in_shape, out_channels = builder.spec, builder.shape, group[-1].channels
    is_bottleneck = spec.block == "bottleneck" and len(group) > 2 and in_shape[0] == out_channels
    if is_bottleneck:
        group = _to_bottleneck(group)
    before = LayerBuilder(spec, f"{name}.before", in_shape)
    if spec.preactivation:
        _add_norm_and_activation(before, "{}")
    main = _add_main_path(LayerBuilder(spec, f"{name}.main", in_shape), group, stride)
    shortcut = _add_shortcut(LayerBuilder(spec, f"{name}.shortcut", in_shape), out_channels, stride)
    relu = Activation(f"{name}.act", main.shape, main.shape, "relu", inplace=True)
    return Residual(
        name,
        in_shape,
        main.shape,
        _leaves(before),
        _leaves(main),
        _leaves(shortcut),
        () if spec.preactivation else (relu,),
        "bottleneck" if is_bottleneck else "residual",
    )


def _leaves(builder: LayerBuilder) -> tuple[Leaf, ...]:
    """Return the layers of one path of a block; blocks do not nest."""
    return tuple(layer for layer in builder.layers if not isinstance(layer, Residual))


def _to_bottleneck(group: Group) -> Group:
    """Return the group with 1x1 convolutions at both ends.

    The first one gives as many channels as the second convolution.
    """
    first, *inner, last = group
    ends: dict[str, Any] = {"kernel_size": 1, "padding": 0, "dilation": 1}
    return (
        first._replace(channels=inner[0].channels, **ends),
        *inner,
        last._replace(**ends),
    )


def _add_main_path(builder: LayerBuilder, group: Group, stride: int) -> LayerBuilder:
    """Add the convolutions of a block's main path, and the layers between them.

    Each keeps the size of the map, except that one of them has the block's stride.
    """
    strided = min(len(group), 1 + STRIDE_PLACES.index(builder.spec.stride_at))
    for number, conv in enumerate(group, start=1):
        _check_keeps_size(f"{builder.name}.conv{number}", conv)
        builder.conv(f"conv{number}", conv._replace(stride=stride if number == strided else 1))
        if number < len(group):
            builder.dropout(f"drop{number}", builder.spec.dropout)
            _add_norm_and_activation(builder, f"{{}}{number}")
        elif builder.spec.last_norm:
            builder.norm(f"norm{number}")
    return builder


def _add_shortcut(builder: LayerBuilder, channels: int, stride: int) -> LayerBuilder:
    """Add a 1x1 convolution (and its norm), or zeros, where the shapes differ, else nothing."""
    if channels == builder.shape[0] and stride == 1:
        return builder
    if builder.spec.shortcut == "pad":
        builder.pad_channels("pad", channels, stride)
    else:
        builder.conv("conv", Convolution(channels, kernel_size=1, stride=stride, bias=False))
        if builder.spec.shortcut_norm:
            builder.norm("norm")
    return builder


def _check_keeps_size(name: str, conv: Convolution) -> None:
    """Check that a convolution in a block has stride 1 and the padding that keeps the size."""
    if conv.stride != 1:
        raise LayerFitError(
            f"{start_with(name)} has stride {conv.stride}, but the two ends of a skip connection "
            f"must have the same size, so the convolutions of a block must have stride 1. Set the "
            f"stride to 1; to shrink the feature maps, use the stride of blocks, or shrink by "
            f"stride.",
            layer=name,
            repair_fields=("stride",),
        )
    padding, more = same_padding(name, conv)
    if conv.padding != "same" and (padding != (conv.padding,) * 2 or any(more)):
        around = " x ".join(map(str, dict.fromkeys(padding)))
        raise LayerFitError(
            f"{start_with(name)} has padding {conv.padding}, but the two ends of a skip connection "
            f"must have the same size. Kernel size {conv.size_text} with dilation {conv.dilation} "
            f'keeps the size only with padding {around}. Use padding "same".',
            layer=name,
            repair_fields=("padding",),
        )


def _check_size(layers: tuple[AnyLayer, ...]) -> None:
    """Check the number of parameters and of output values, before a network is built."""
    leaves = [leaf for layer in layers for leaf in layer.leaves()]
    params = sum(leaf.params for leaf in leaves)
    if params > MAX_PARAMS:
        largest = max(leaves, key=lambda leaf: leaf.params)
        raise LayerFitError(
            f"The network has {params:,} parameters, most of them in "
            f"{layer_in_words(largest.name)}, but at most {MAX_PARAMS:,} are allowed. Use fewer "
            f"channels, or pool more before the first linear layer.",
            layer=largest.name,
            repair_fields=("head", "hidden_dims", "channels"),
        )
    values = sum(prod(leaf.out_shape) for leaf in leaves)
    if values > MAX_OUTPUT_VALUES:
        largest = max(leaves, key=lambda leaf: prod(leaf.out_shape))
        raise LayerFitError(
            f"The layers output {values:,} values for one picture, most of them from "
            f"{layer_in_words(largest.name)}, but at most {MAX_OUTPUT_VALUES:,} are allowed. Use "
            f"fewer channels, or pool more.",
            layer=largest.name,
            repair_fields=("channels",),
        )
