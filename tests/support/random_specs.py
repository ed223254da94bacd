"""Random valid specs drawn from a seed: all blocks, strides, paddings, norms and odd sizes."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from cnnlib.design.plan import plan
from cnnlib.design.spec import (
    DOWNSAMPLINGS,
    NORM_PLACES,
    SHORTCUTS,
    STRIDE_PLACES,
    CNNSpec,
    Stem,
)
from cnnlib.errors import SpecError
from cnnlib.vocabulary.layers import ACTIVATIONS, BLOCKS, INITIALISATIONS, NORMS, POOLINGS

if TYPE_CHECKING:
    from collections.abc import Generator


def random_specs(count: int, seed: int = 0) -> Generator[CNNSpec]:
    """Yield valid specs, small enough to run; the same ones for the same seed."""
    random = Random(seed)
    while count:
        spec = random_spec(random)
        try:
            plan(spec)
        except SpecError:
            continue
        count -= 1
        yield spec


def random_spec(random: Random) -> CNNSpec:
    """A random spec within small bounds; it may be invalid."""
    block = random.choice(tuple(BLOCKS))
    channels, out_classes = _channels(random, block), random.randint(1, 12)
    head = random.choice(("flatten", "gap", "gap_only"))
    hidden_dims = tuple(random.randint(1, 20) for _ in range(random.randint(0, 2)))
    if head == "gap_only":
        channels, hidden_dims = (*channels[:-1], out_classes), ()
    is_plain = block == "plain"
    activation = random.choice(tuple(ACTIVATIONS))
    return CNNSpec(
        in_size=(random.choice((1, 2, 3, 4)), random.randint(5, 24), random.randint(5, 24)),
        out_classes=out_classes,
        hidden_dims=hidden_dims,
        channels=channels,
        pool_every=_groups(random, len(channels)),
        **_convolutions(random, len(channels), is_plain),
        stem=_stem(random),
        block=block,
        block_convs=random.randint(0, 3),
        block_stride=random.choice((1, 1, 1, 2)),
        last_norm=random.random() < 0.5,
        shortcut_norm=random.random() < 0.5,
        shortcut=random.choice(SHORTCUTS),
        stride_at=random.choice(STRIDE_PLACES),
        preactivation=random.random() < 0.4,
        downsample=random.choice(DOWNSAMPLINGS),
        activation=activation,
        activation_params=_activation_params(random, activation),
        **_pooling(random),
        norm=random.choice(tuple(NORMS)),
        norm_groups=random.choice((1, 2, 4)),
        norm_place=random.choice(NORM_PLACES),
        dropout=random.choice((0.0, 0.0, 0.3)),
        hidden_dropout=random.choice((0.0, 0.0, 0.3)),
        head=head,
        init=random.choice(tuple(INITIALISATIONS)),
    )


def _channels(random: Random, block: str) -> tuple[int, ...]:
    """Few channels; for bottlenecks often sequences with equal input and output channels."""
    count = random.choice((0, 1, 2, 3, 4, 5, 6, 7))
    if block == "bottleneck" and random.random() < 0.7:
        wide, narrow = random.choice(((8, 4), (4, 4), (12, 8)))
        return tuple(narrow if i % 3 == 1 else wide for i in range(count))
    return tuple(random.choice((1, 3, 4, 8, 12)) for _ in range(count))


def _groups(random: Random, count: int) -> int | tuple[int, ...]:
    """One length for all groups, or for one spec of three that of each group."""
    if random.random() < 0.67 or not count:
        return random.randint(0, 4)
    lengths: list[int] = []
    while sum(lengths) < count:
        lengths.append(random.randint(1, min(3, count - sum(lengths))))
    return tuple(lengths)


def _convolutions(random: Random, count: int, is_plain: bool) -> dict:
    """The five fields, one value or one per convolution; in blocks with skips, size-preserving."""
    if is_plain:
        choices = {
            "kernel_size": (1, 2, 3, 3, 4, 5, (3, 1), (1, 5), (2, 3)),
            "stride": (1, 1, 1, 2, 3),
            "padding": ("same", 0, 1, 2),
            "dilation": (1, 1, 1, 2),
        }
    else:
        choices = {
            "kernel_size": (1, 2, 3, 3, 3, 5, (3, 1), (1, 4)),
            "stride": (1,),
            "padding": ("same",),
            "dilation": (1, 1, 2),
        }
    choices["bias"] = (True, False)
    return {name: _one_or_each(random, values, count) for name, values in choices.items()}


def _one_or_each(random: Random, values: tuple, count: int):
    """One of the values, or a tuple with one for each convolution."""
    if random.random() < 0.5:
        value = random.choice(values)
        return (value,) * count if isinstance(value, tuple) else value
    return tuple(random.choice(values) for _ in range(count))


def _stem(random: Random) -> Stem | None:
    """A stem for one spec of three, else None."""
    if random.random() < 0.67:
        return None
    return Stem(
        channels=random.choice((4, 8)),
        kernel_size=random.choice((3, 5, 7)),
        stride=random.choice((1, 2)),
        padding=random.choice(("same", 1, 3)),
        bias=random.random() < 0.5,
        pool=random.random() < 0.5,
    )


def _activation_params(random: Random, activation: str) -> dict[str, float | str]:
    """Parameters that differ from torch's defaults, for one spec of two."""
    others = {
        "lrelu": {"negative_slope": 0.2},
        "elu": {"alpha": 0.5},
        "gelu": {"approximate": "tanh"},
    }
    return others.get(activation, {}) if random.random() < 0.5 else {}


def _pooling(random: Random) -> dict:
    """A pooling, at times overlapping, padded or dilated."""
    pooling = random.choice(tuple(POOLINGS))
    kernel_size = random.choice((1, 2, 2, 3))
    return {
        "pooling": pooling,
        "pool_kernel_size": kernel_size,
        "pool_stride": random.choice((None, 1, 2, 2)),
        "pool_padding": random.randint(0, kernel_size // 2),
        "pool_dilation": random.choice((1, 1, 2)) if pooling == "max" else 1,
    }
