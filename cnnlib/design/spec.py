"""`CNNSpec`: the settings of a network, as a frozen record.

The constructor checks each field alone. `plan` checks whether the layers fit together: its error
names the layer that does not fit and suggests a repair. So a page can hold an invalid spec.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from cnnlib.design.checks import Check, Checks, check_fields, count_entries, shown
from cnnlib.errors import SpecError
from cnnlib.units import plural
from cnnlib.vocabulary.layers import (
    ACTIVATIONS,
    BLOCKS,
    INITIALISATIONS,
    NORMS,
    POOLINGS,
    Parameter,
)

MAX_IMAGE_SIDE = 1024
MAX_CHANNELS = 4096
MAX_CONVOLUTIONS = 200
MAX_KERNEL_SIZE = 64
MAX_HIDDEN_LAYERS = 32
MAX_HIDDEN_WIDTH = 16_384
MAX_CLASSES = 10_000

DOWNSAMPLINGS = ("pool", "stride")
NORM_PLACES = ("conv-norm-act", "conv-act-norm")
SHORTCUTS = ("conv", "pad")
STRIDE_PLACES = ("first", "second")
HEADS = ("flatten", "gap", "gap_only")

checks = Checks(SpecError)

# Fields that take one value for all convolutions, or one per convolution.
PER_CONVOLUTION = ("kernel_size", "stride", "padding", "dilation", "bias")


@dataclass(frozen=True, slots=True)
class Stem:
    """A convolution before the first group: conv -> norm -> activation (-> pool), without a skip.

    Its norm, activation and pool are those of the spec.

    Args:
        padding: Pixels added on each side, or ``"same"`` (see `CNNSpec`).
        pool: Whether the spec's pooling follows.
    """

    channels: int
    kernel_size: int = 3
    stride: int = 1
    padding: int | Literal["same"] = "same"
    bias: bool = True
    pool: bool = False

    def __post_init__(self) -> None:
        check_fields(self, _STEM_CHECKS, prefix="stem.")

    def to_dict(self) -> dict[str, Any]:
        """Return the stem as plain JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Stem:
        """Build a stem from the values of `to_dict`; missing fields take their default.

        Raises:
            SpecError: An unknown field, no channels, or a value that a field does not take.
        """
        checks.keys("The stem", given, tuple(field.name for field in fields(cls)))
        if "channels" not in given:
            raise SpecError(
                "The stem has no channels, but a convolution needs at least one. Add stem.channels."
            )
        return cls(**given)


@dataclass(frozen=True, slots=True)
class CNNSpec:
    """The settings of a convolutional network.

    With N convolutions, P = `pool_every` and M hidden layers:

    ::

        [(CONV -> NORM -> ACT) * P -> POOL] * (N/P) -> (FC -> ACT) * M -> FC    plain
        [-> (CONV -> ...) * P -> POOL] * (N/P) -> (FC -> ACT) * M -> FC         residual
         \\------- SKIP ------/

    The remaining N mod P convolutions come last, with no pool after them. The five
    convolution fields take one value, or a tuple with one entry per convolution; a tuple of equal
    entries is kept as one value, and parameters equal to torch's defaults are dropped, so that
    equal networks compare equal. The names of blocks, activations, poolings, norms and
    initialisations are those of `cnnlib.vocabulary.layers`.

    Args:
        in_size: Channels, height and width of an image.
        channels: Output channels of each convolution; ``()`` is a plain multilayer perceptron.
        pool_every: Convolutions per group; 0 makes one group of all, and never downsamples. A
            tuple: the convolutions of each group, each followed by a pooling.
        kernel_size: Side of a square window, or height and width as text, ``"3x5"``; in a tuple
            with one entry per convolution also pairs of height and width. One pair in a tuple is
            for all convolutions.
        hidden_dims: Widths of the hidden linear layers.
        padding: Pixels added on each side; ``"same"`` is ``dilation * (kernel_size - 1)`` on both
            sides together, which keeps the size at stride 1 and divides it by the stride, rounded
            up, elsewhere. An odd number has one more below and on the right, as in torch, and needs
            stride 1.
        stem: A convolution before the first group.
        block: ``"plain"``; ``"residual"``: skips over the convolutions; ``"bottleneck"``: likewise,
            and a block of at least three convolutions with as many channels out as in gets 1x1
            convolutions at both ends, the first of them to the channels of the second.
        block_convs: Convolutions under one skip; 0 is the whole group.
        block_stride: Stride of each block's first convolution and of its shortcut.
        last_norm: Whether a norm follows a block's last convolution too (He et al. 2016), not only
            those before it.
        shortcut_norm: Whether a norm follows a block's 1x1 shortcut.
        shortcut: Where a block changes the shape: ``"conv"``: a 1x1 convolution; ``"pad"``: every
            stride-th pixel, and zeros as the new channels (option A of He et al. 2016).
        stride_at: The convolution of a block that has its stride: the first, or the second (the
            3x3 of a bottleneck, "v1.5").
        preactivation: Norm and activation before each convolution of a block, none after the sum;
            both once more after the last block, and neither in the stem (He et al. 2016, "Identity
            mappings").
        downsample: ``"pool"``: a pooling after each group. ``"stride"``: no pooling; the first
            convolution of each group but the first takes the pooling's stride in place of its own.
        activation: After each convolution and hidden layer; a skip's sum always takes a ReLU.
        activation_params: Pairs of name and value, or a mapping.
        pool_stride: ``None``: the pooling's kernel size.
        norm: ``"layer"`` is ``GroupNorm(1, C)``, ``"group"`` is ``GroupNorm(norm_groups, C)``,
            ``"instance"`` has a scale and a shift per channel, as the others have.
        norm_place: Before or after the activation.
        dropout: Probability that a channel of a convolution's output is zeroed, before norm and
            activation (``Dropout2d``); never after a block's last convolution.
        hidden_dropout: Probability that a value of a hidden layer is zeroed, after its activation.
        head: Input of the linear layers: the flattened features, or their average over height and
            width (``"gap"``). ``"gap_only"``: that average is the output, without linear layers,
            and the last convolution has `out_classes` channels.
        init: Weight initialisation.

    Raises:
        SpecError: A value of the wrong type or out of range, or a list whose length is not the
            number of convolutions.
    """

    in_size: tuple[int, int, int] = (1, 28, 28)
    out_classes: int = 10
    channels: tuple[int, ...] = ()
    pool_every: int | tuple[int, ...] = 1
    hidden_dims: tuple[int, ...] = ()
    kernel_size: int | tuple[int | tuple[int, int], ...] = 3
    stride: int | tuple[int, ...] = 1
    padding: int | Literal["same"] | tuple[int | Literal["same"], ...] = "same"
    dilation: int | tuple[int, ...] = 1
    bias: bool | tuple[bool, ...] = True
    stem: Stem | None = None
    block: str = "plain"
    block_convs: int = 0
    block_stride: int = 1
    last_norm: bool = False
    shortcut_norm: bool = False
    shortcut: Literal["conv", "pad"] = "conv"
    stride_at: Literal["first", "second"] = "first"
    preactivation: bool = False
    downsample: Literal["pool", "stride"] = "pool"
    activation: str = "relu"
    activation_params: tuple[tuple[str, float | str], ...] = ()
    pooling: str = "max"
    pool_kernel_size: int = 2
    pool_stride: int | None = None
    pool_padding: int = 0
    pool_dilation: int = 1
    norm: str = "none"
    norm_groups: int = 4
    norm_place: Literal["conv-norm-act", "conv-act-norm"] = "conv-norm-act"
    dropout: float = 0.0
    hidden_dropout: float = 0.0
    head: Literal["flatten", "gap", "gap_only"] = "flatten"
    init: str = "default"

    def __post_init__(self) -> None:
        check_fields(self, _CHECKS)
        for name in PER_CONVOLUTION:
            object.__setattr__(self, name, self._one_or_each(name))
        object.__setattr__(self, "pool_every", self._one_or_each_group())
        object.__setattr__(self, "activation_params", self._normalise_activation_params())
        if self.pool_stride == self.pool_kernel_size:
            object.__setattr__(self, "pool_stride", None)

    def each(self, name: str) -> tuple[Any, ...]:
        """Return the values of a per-convolution field, one for each entry of `channels`."""
        value = getattr(self, name)
        return value if isinstance(value, tuple) else (value,) * len(self.channels)

    @property
    def pool_step(self) -> int:
        """The stride of the pooling, in pixels of its input."""
        return self.pool_stride or self.pool_kernel_size

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as plain JSON values, every field included."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {name: list(v) if isinstance(v, tuple) else v for name, v in plain.items()}
        plain["stem"] = self.stem.to_dict() if self.stem else None
        plain["activation_params"] = dict(self.activation_params)
        return plain

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> CNNSpec:
        """Build a spec from the values of `to_dict`; missing fields take their default.

        Raises:
            SpecError: An unknown field, or a value that a field does not take.
        """
        return cls(**checks.keys("The design", given, tuple(f.name for f in fields(cls))))

    def _one_or_each(self, name: str) -> Any:
        """Return one value where all convolutions share it, else the tuple, its length checked."""
        value = getattr(self, name)
        if not isinstance(value, tuple):
            return value
        if len(value) == 1 and isinstance(value[0], tuple):
            value = value * len(self.channels)
        if len(value) != len(self.channels):
            raise SpecError(
                f"{name} has {count_entries(len(value))}, but the network has "
                f"{plural(len(self.channels), 'convolution')}. Give one value for all "
                f"convolutions, or one for each."
            )
        if not value:
            return type(self).__dataclass_fields__[name].default
        is_one = len(set(value)) == 1 and not isinstance(value[0], tuple)
        return value[0] if is_one else value

    def _one_or_each_group(self) -> int | tuple[int, ...]:
        """Return one number where all groups are as long, else their lengths, the sum checked."""
        lengths = self.pool_every
        if not isinstance(lengths, tuple):
            return lengths
        if sum(lengths) != len(self.channels):
            raise SpecError(
                f"pool_every has groups of {plural(sum(lengths), 'convolution')} in all, but the "
                f"network has {plural(len(self.channels), 'convolution')}. Give one number, or "
                f"groups that add up to the number of convolutions."
            )
        if not lengths:
            return 1
        return lengths[0] if len(set(lengths)) == 1 else lengths

    def _normalise_activation_params(self) -> tuple[tuple[str, float | str], ...]:
        """Return the parameters that differ from torch's defaults, checked and sorted by name."""
        known = {each.name: each for each in ACTIVATIONS[self.activation].params}
        name = f"activation_params of {self.activation}"
        given = checks.keys(name, _as_mapping(self.activation_params), tuple(known))
        checked = {key: _check_parameter(known[key], value) for key, value in given.items()}
        return tuple((k, v) for k, v in sorted(checked.items()) if v != known[k].default)


def _check_parameter(parameter: Parameter, value: Any) -> float | str:
    """Check the value of a parameter of an activation."""
    if parameter.choices:
        return str(checks.choice(parameter.choices)(parameter.name, value))
    return float(checks.number(0, parameter.below, high_open=True)(parameter.name, value))


def _as_mapping(params: Any) -> Any:
    """Convert pairs to a mapping; return any other value unchanged."""
    pairs = isinstance(params, list | tuple)
    if pairs and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in params):
        return {str(key): value for key, value in params}
    return params


def _image_size(name: str, value: Any) -> tuple[int, int, int]:
    """Check channels, height and width."""
    size = checks.sequence(lambda _, entry: entry, at_most=3)(name, value)
    if len(size) != 3:
        raise SpecError(
            f"{name} is {shown(value)}, but the size of a picture is three numbers: "
            f"channels, height and width. Write all three, like [1, 28, 28]."
        )
    side = checks.integer(1, MAX_IMAGE_SIDE)
    channels = checks.integer(1, MAX_CHANNELS)(f"{name}[0] (channels)", size[0])
    return (channels, side(f"{name}[1] (height)", size[1]), side(f"{name}[2] (width)", size[2]))


def _stem(name: str, value: Any) -> Stem | None:
    """Check for a `Stem` or None; build a stem from a mapping."""
    return value if value is None or isinstance(value, Stem) else Stem.from_dict(value)


_HEIGHT_X_WIDTH = re.compile(r"\s*([0-9]{1,9})\s*[x×]\s*([0-9]{1,9})\s*", re.IGNORECASE)


def _window(name: str, value: Any) -> int | tuple[int, int]:
    """Check the side of a square window, or its height and width, also as text: ``"3x5"``."""
    if isinstance(value, str):
        found = _HEIGHT_X_WIDTH.fullmatch(value)
        if not found:
            raise SpecError(
                f"{name} is {shown(value)}, but the size of a window is one number, or its height "
                f"and width. Write 3, or 3x5 for 3 rows and 5 columns."
            )
        value = (int(found[1]), int(found[2]))
    if not isinstance(value, list | tuple):
        return int(_kernel_size(name, value))
    if len(value) != 2:
        raise SpecError(
            f"{name} has {count_entries(len(value))}, but a window that is not square has two: "
            f"height and width. Write both, like [3, 1], or one number."
        )
    height = int(_kernel_size(f"{name} (height)", value[0]))
    width = int(_kernel_size(f"{name} (width)", value[1]))
    return height if height == width else (height, width)


def _windows(name: str, value: Any) -> Any:
    """Check the window of all convolutions, or that of each."""
    if isinstance(value, str):
        window = _window(name, value)
        return (window,) if isinstance(window, tuple) else window
    return checks.one_or_each(_window, MAX_CONVOLUTIONS)(name, value)


_channels = checks.integer(1, MAX_CHANNELS)
_kernel_size = checks.integer(1, MAX_KERNEL_SIZE)
_step = checks.integer(1, MAX_KERNEL_SIZE)  # a stride or a dilation
_pixels = checks.integer(0, MAX_KERNEL_SIZE)  # a padding
_padding = checks.either("same", _pixels)

_length = checks.integer(1, MAX_CONVOLUTIONS)
_lengths = checks.sequence(_length, MAX_CONVOLUTIONS)
_one_length = checks.integer(0, MAX_CONVOLUTIONS)


def _groups(name: str, value: Any) -> int | tuple[int, ...]:
    """Check the length of all groups, or that of each."""
    return (_lengths if isinstance(value, list | tuple) else _one_length)(name, value)


_STEM_CHECKS: dict[str, Check] = {
    "channels": _channels,
    "kernel_size": _kernel_size,
    "stride": _step,
    "padding": _padding,
    "bias": checks.flag,
    "pool": checks.flag,
}

_CHECKS: dict[str, Check] = {
    "in_size": _image_size,
    "out_classes": checks.integer(1, MAX_CLASSES),
    "channels": checks.sequence(_channels, MAX_CONVOLUTIONS),
    "pool_every": _groups,
    "hidden_dims": checks.sequence(checks.integer(1, MAX_HIDDEN_WIDTH), MAX_HIDDEN_LAYERS),
    "kernel_size": _windows,
    "stride": checks.one_or_each(_step, MAX_CONVOLUTIONS),
    "padding": checks.one_or_each(_padding, MAX_CONVOLUTIONS),
    "dilation": checks.one_or_each(_step, MAX_CONVOLUTIONS),
    "bias": checks.one_or_each(checks.flag, MAX_CONVOLUTIONS),
    "stem": _stem,
    "block": checks.choice(BLOCKS),
    "block_convs": checks.integer(0, MAX_CONVOLUTIONS),
    "block_stride": _step,
    "last_norm": checks.flag,
    "shortcut_norm": checks.flag,
    "shortcut": checks.choice(SHORTCUTS),
    "stride_at": checks.choice(STRIDE_PLACES),
    "preactivation": checks.flag,
    "downsample": checks.choice(DOWNSAMPLINGS),
    "activation": checks.choice(ACTIVATIONS),
    "pooling": checks.choice(POOLINGS),
    "pool_kernel_size": _kernel_size,
    "pool_stride": checks.optional(_step),
    "pool_padding": _pixels,
    "pool_dilation": _step,
    "norm": checks.choice(NORMS),
    "norm_groups": checks.integer(1, MAX_CHANNELS),
    "norm_place": checks.choice(NORM_PLACES),
    "dropout": checks.number(0, 1, high_open=True),
    "hidden_dropout": checks.number(0, 1, high_open=True),
    "head": checks.choice(HEADS),
    "init": checks.choice(INITIALISATIONS),
}
