"""Channels from three sliders, and lists of numbers as people write them. No streamlit.

A design's channels are a list. Where the list follows the rule of `grown`, sliders for count, width
and growth rewrite it; where it does not, they change as little of it as they can.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cnnlib.design.spec import MAX_CONVOLUTIONS, PER_CONVOLUTION, CNNSpec
from cnnlib.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

GROWTHS = (1.0, 1.5, 2.0)
WIDEST_GROWN = 512
_FIRST_WIDTH = 16
_SHORTEST_RUN = 3  # equal entries that are written as one: 16×3


def grown(spec: CNNSpec, count: int, width: int, growth: float) -> tuple[int, ...]:
    """Channels that start at `width` and are multiplied by `growth` in each further group.

    Growth stops at `WIDEST_GROWN`. The inner convolutions of a bottleneck have a quarter.

    Args:
        spec: Says how many convolutions are in a group and in a block.
    """
    group = spec.pool_every or max(count, 1)
    channels: list[int] = []
    for number in range(0, count, group):
        width_here = min(round(width * growth ** (number // group)), max(width, WIDEST_GROWN))
        channels += _group(spec, min(group, count - number), width_here)
    return tuple(channels)


def _group(spec: CNNSpec, size: int, width: int) -> Generator[int]:
    """Channels of one group."""
    step = spec.block_convs or size
    for start in range(0, size, step):
        block = min(step, size - start)
        is_narrow = spec.block == "bottleneck" and block > 2
        for place in range(block):
            is_inner = 0 < place < block - 1
            yield max(1, width // 4) if is_narrow and is_inner else width


def growth_of(spec: CNNSpec) -> float | None:
    """The growth that a spec's channels follow; None for a list of one's own."""
    if not spec.channels:
        return GROWTHS[-1]
    for growth in GROWTHS:
        if grown(spec, len(spec.channels), spec.channels[0], growth) == spec.channels:
            return growth
    return None


def has_growth(spec: CNNSpec) -> bool:
    """Whether there is more than one group, so that growth makes a difference."""
    return bool(spec.pool_every) and len(spec.channels) > spec.pool_every


def with_count(spec: CNNSpec, count: int) -> CNNSpec:
    """As many convolutions; a list of one's own is cut, or goes on with its last entry."""
    growth = growth_of(spec)
    if growth is not None:
        return with_channels(spec, grown(spec, count, first_width(spec), growth))
    return with_channels(spec, _of_length(spec.channels, count))


def with_width(spec: CNNSpec, width: int) -> CNNSpec:
    """That width at the start; a list of one's own keeps its proportions."""
    if not spec.channels:
        return spec
    growth = growth_of(spec)
    if growth is not None:
        return with_channels(spec, grown(spec, len(spec.channels), width, growth))
    scale = width / spec.channels[0]
    return with_channels(spec, tuple(max(1, round(c * scale)) for c in spec.channels))


def with_growth(spec: CNNSpec, growth: float | None) -> CNNSpec:
    """Channels that follow the rule with this growth; None changes nothing."""
    if growth is None:
        return spec
    return with_channels(spec, grown(spec, len(spec.channels), first_width(spec), growth))


def regrown(spec: CNNSpec, **changes: Any) -> CNNSpec:
    """A spec with other groups or blocks, whose channels follow the rule again if they did."""
    growth = growth_of(spec)
    changed = replace(spec, **changes)
    return changed if growth is None else with_growth(changed, growth)


def first_width(spec: CNNSpec) -> int:
    """Channels of the first convolution, or what it would have."""
    return spec.channels[0] if spec.channels else _FIRST_WIDTH


def with_channels(spec: CNNSpec, channels: tuple[int, ...]) -> CNNSpec:
    """A spec with these channels; lists of other fields become as long.

    Raises:
        SpecError: More convolutions or channels than the lab takes.
    """
    lists = {
        name: _of_length(getattr(spec, name), len(channels))
        for name in PER_CONVOLUTION
        if isinstance(getattr(spec, name), tuple)
    }
    changes: dict[str, Any] = {"channels": channels, **lists}
    return replace(spec, **changes)


def _of_length(entries: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """A list that is cut, or goes on with its last entry."""
    return entries[:count] + entries[-1:] * (count - len(entries))


def list_text(entries: Any) -> str:
    """A list as a person writes it: ``16, 32, 64×20``; one value for all as itself."""
    if not isinstance(entries, tuple):
        return str(entries)
    runs = [(value, len(list(run))) for value, run in groupby(entries)]
    words = (
        [f"{value}×{length}"] if length >= _SHORTEST_RUN else [str(value)] * length
        for value, length in runs
    )
    return ", ".join(word for run in words for word in run)


def list_from_text(what: str, text: str, entry: Callable[[str], Any] = int) -> tuple[Any, ...]:
    """A list from what a person wrote: commas or blanks between entries, ``64×20`` repeats.

    Args:
        what: The list's name, for the error.
        entry: Reads one entry; raises ValueError where it cannot.

    Raises:
        SpecError: An entry that cannot be read, or too many of them.
    """
    entries: list[Any] = []
    for word in re.sub(r"\s*([×x*])\s*", r"\1", text.strip().lower()).replace(",", " ").split():
        value, _, times = re.sub("[x*]", "×", word).partition("×")
        try:
            entries += [entry(value)] * min(int(times or 1), MAX_CONVOLUTIONS + 1)
        except ValueError:
            raise SpecError(
                f"{what} has the entry {word[:20]!r}, but it takes whole numbers. "
                f"Write them like 16, 32, 64, or 32×5 for five times 32."
            ) from None
    return tuple(entries)
