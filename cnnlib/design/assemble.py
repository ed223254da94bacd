"""Lays out the layers that a spec asks for: the one place that knows the pattern of a network."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from cnnlib.design.layer_builder import Convolution, LayerBuilder, Misfit, same_padding
from cnnlib.design.layers import Activation, AnyLayer, Leaf, Residual, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cnnlib.design.spec import CNNSpec, Stem

MAX_PARAMS = 500_000_000  # 2 GB of float32
MAX_OUTPUT_VALUES = 2**28  # all layers together, for one image: 1 GB of float32

Group = tuple[Convolution, ...]


def lay_out(spec: CNNSpec) -> tuple[AnyLayer, ...]:
    """The layers of a spec in forward order, blocks unopened.

    Raises:
        Misfit: A layer does not fit, or the network is larger than the lab takes.
    """
    features = _features(spec)
    classifier = _classifier(spec, features.shape)
    layers = (*features.layers, *classifier.layers)
    _check_size(layers)
    return layers


def _features(spec: CNNSpec) -> LayerBuilder:
    """The convolutional part."""
    path = LayerBuilder(spec, "features", spec.in_size)
    if spec.stem:
        _add_stem(path, spec.stem)
    add_group = _add_convolutions if spec.block == "plain" else _add_blocks
    done = 0  # convolutions or blocks so far
    for number, group in enumerate(_groups(spec), start=1):
        is_strided = spec.downsample == "stride" and number > 1
        done = add_group(path, group, done, stride=spec.pool_step if is_strided else None)
        if spec.downsample == "pool" and len(group) == spec.pool_every:
            path.pool(f"pool{number}")
    return path


def _classifier(spec: CNNSpec, shape: Shape) -> LayerBuilder:
    """The linear part."""
    path = LayerBuilder(spec, "classifier", shape)
    if spec.head == "gap":
        path.global_avg_pool("gap")
    path.flatten("flatten")
    for number, width in enumerate(spec.hidden_dims, start=1):
        path.linear(f"fc{number}", width)
        path.activation(f"act{number}")
        path.dropout(f"drop{number}", spec.hidden_dropout)
    path.linear(f"fc{len(spec.hidden_dims) + 1}", spec.out_classes)
    return path


def _groups(spec: CNNSpec) -> Iterator[Group]:
    """The convolutions between one downsampling and the next; the last group may be short."""
    values = [spec.each(name) for name in ("kernel_size", "stride", "padding", "dilation", "bias")]
    convolutions = tuple(map(Convolution, spec.channels, *values))
    return _pieces(convolutions, spec.pool_every)


def _pieces(group: Group, size: int) -> Iterator[Group]:
    """A group in pieces of `size`, the last perhaps shorter; 0 leaves it whole."""
    size = size or len(group) or 1
    return (group[i : i + size] for i in range(0, len(group), size))


def _add_stem(path: LayerBuilder, stem: Stem) -> None:
    """The convolution before the first group."""
    size = (stem.kernel_size, stem.stride, stem.padding)
    path.conv("stem_conv", Convolution(stem.channels, *size, bias=stem.bias))
    _add_norm_and_activation(path, "stem_{}")
    if stem.pool:
        path.pool("stem_pool")


def _add_convolutions(path: LayerBuilder, group: Group, done: int, stride: int | None) -> int:
    """A plain group: conv -> dropout -> norm -> activation, again and again."""
    for number, asked in enumerate(group, start=done + 1):
        if stride and number == done + 1:
            asked = asked._replace(stride=stride)
        path.conv(f"conv{number}", asked)
        path.dropout(f"drop{number}", path.spec.dropout)
        _add_norm_and_activation(path, f"{{}}{number}")
    return done + len(group)


def _add_norm_and_activation(path: LayerBuilder, name: str) -> None:
    """Both, in the order that the spec asks for; `name` has a place for which of the two."""
    steps = ((path.norm, "norm"), (path.activation, "act"))
    for add, kind in steps if path.spec.norm_place == "conv-norm-act" else reversed(steps):
        add(name.format(kind))


def _add_blocks(path: LayerBuilder, group: Group, done: int, stride: int | None) -> int:
    """A residual group: one block or several, the first of them with the group's stride."""
    pieces = tuple(_pieces(group, path.spec.block_convs))
    for number, piece in enumerate(pieces, start=done + 1):
        is_strided = stride and number == done + 1
        block_stride = stride if stride and is_strided else path.spec.block_stride
        path.add(_block(path, f"{path.name}.block{number}", piece, block_stride))
    return done + len(pieces)


def _block(path: LayerBuilder, name: str, group: Group, stride: int) -> Residual:
    """A block with a skip: the main path, the shortcut, the ReLU of their sum."""
    spec, in_shape, out_channels = path.spec, path.shape, group[-1].channels
    is_bottleneck = spec.block == "bottleneck" and len(group) > 2 and in_shape[0] == out_channels
    if is_bottleneck:
        group = _bottleneck(group)
    main = _main(LayerBuilder(spec, f"{name}.main", in_shape), group, stride)
    shortcut = _shortcut(LayerBuilder(spec, f"{name}.shortcut", in_shape), out_channels, stride)
    relu = Activation(f"{name}.act", main.shape, main.shape, "relu", inplace=True)
    return Residual(
        name,
        in_shape,
        main.shape,
        _leaves(main),
        _leaves(shortcut),
        relu,
        "bottleneck" if is_bottleneck else "residual",
    )


def _leaves(path: LayerBuilder) -> tuple[Leaf, ...]:
    """The layers of a path inside a block, where there are no further blocks."""
    return tuple(layer for layer in path.layers if not isinstance(layer, Residual))


def _bottleneck(group: Group) -> Group:
    """The group with 1x1 projections at both ends, the first to the channels of the second."""
    first, *inner, last = group
    ends: dict[str, Any] = {"kernel_size": 1, "padding": 0, "dilation": 1}
    return (
        first._replace(channels=inner[0].channels, **ends),
        *inner,
        last._replace(**ends),
    )


def _main(path: LayerBuilder, group: Group, stride: int) -> LayerBuilder:
    """Convolutions that keep the size (but for the block's stride), and what is between them."""
    for number, asked in enumerate(group, start=1):
        _check_keeps_size(f"{path.name}.conv{number}", asked)
        path.conv(f"conv{number}", asked._replace(stride=stride if number == 1 else 1))
        if number < len(group):
            path.dropout(f"drop{number}", path.spec.dropout)
            _add_norm_and_activation(path, f"{{}}{number}")
        elif path.spec.last_norm:
            path.norm(f"norm{number}")
    return path


def _shortcut(path: LayerBuilder, channels: int, stride: int) -> LayerBuilder:
    """Nothing where the shapes agree, else a 1x1 convolution."""
    if channels != path.shape[0] or stride > 1:
        path.conv("conv", Convolution(channels, kernel_size=1, stride=stride, bias=False))
        if path.spec.shortcut_norm:
            path.norm("norm")
    return path


def _check_keeps_size(name: str, asked: Convolution) -> None:
    """A convolution in a block has stride 1 and the padding that keeps the size."""
    padding = same_padding(name, asked.kernel_size, asked.dilation)
    if asked.stride != 1:
        raise Misfit(
            f"{name} has stride={asked.stride}, but the two ends of a skip must have one size, so "
            f"convolutions under a skip have stride 1. Use block_stride, or downsample by stride.",
            layer=name,
            mend=("stride",),
        )
    if asked.padding not in ("same", padding):
        raise Misfit(
            f"{name} has padding={asked.padding}, but the two ends of a skip must have one size, "
            f"and kernel_size={asked.kernel_size} (dilation={asked.dilation}) keeps it with "
            f'padding={padding} only. Use padding="same".',
            layer=name,
            mend=("padding",),
        )


def _check_size(layers: tuple[AnyLayer, ...]) -> None:
    """A bound against nonsense, before anybody builds it."""
    leaves = [leaf for layer in layers for leaf in layer.leaves()]
    params = sum(leaf.params for leaf in leaves)
    if params > MAX_PARAMS:
        largest = max(leaves, key=lambda leaf: leaf.params)
        raise Misfit(
            f"The network has {params:,} parameters, most of them in {largest.name}, but the lab "
            f"takes at most {MAX_PARAMS:,}. Use fewer channels, or pool more before the first "
            f"linear layer.",
            layer=largest.name,
            mend=("head", "hidden_dims", "channels"),
        )
    values = sum(prod(leaf.out_shape) for leaf in leaves)
    if values > MAX_OUTPUT_VALUES:
        largest = max(leaves, key=lambda leaf: prod(leaf.out_shape))
        raise Misfit(
            f"The layers give {values:,} values for one image, most of them {largest.name}, but "
            f"the lab takes at most {MAX_OUTPUT_VALUES:,}. Use fewer channels or pool more.",
            layer=largest.name,
            mend=("channels",),
        )
