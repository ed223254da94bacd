"""Channels from sliders for count, width and growth; lists of numbers as text. No streamlit.

The channels of a design are a list. A list that follows the rule of `grow_channels` is computed
anew when a slider changes; a custom list is shortened, extended or scaled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from dataclasses import replace
from itertools import accumulate, groupby
from typing import Any

from cnnlib.design.checks import shown
from cnnlib.design.spec import MAX_CONVOLUTIONS, PER_CONVOLUTION, CNNSpec
from cnnlib.errors import SpecError

GROWTHS = (1.0, 1.5, 2.0)
WIDEST_GROWN = 512
_FIRST_WIDTH = 16
_SHORTEST_RUN = 3  # so many equal entries and more are written as one: 16*3
_ONE_BY_ANOTHER = re.compile(r"([0-9]+)\s*[x×]\s*([1-9][0-9]*)", re.IGNORECASE)
_BETWEEN_ENTRIES = re.compile(r"\s*,\s*|(?<![\s*×xX])\s+(?![\s*×xX])")


def grow_channels(spec: CNNSpec, count: int, width: int, growth: float) -> tuple[int, ...]:
    """Compute channels: `width` in the first group, multiplied by `growth` in each further one.

    Growth stops at `WIDEST_GROWN`. The inner convolutions of a bottleneck have a quarter.

    Args:
        spec: Its groups and blocks are used; its channels are not.
    """
    channels: list[int] = []
    for number, size in enumerate(group_sizes(spec, count)):
        group_width = min(round(width * growth**number), max(width, WIDEST_GROWN))
        channels += _group_channels(spec, size, group_width)
    return tuple(channels)


def group_sizes(spec: CNNSpec, count: int) -> tuple[int, ...]:
    """Return the convolutions of each group, for `count` convolutions in all.

    Where groups differ, the last ones are cut, or the last one is extended.
    """
    if not isinstance(spec.pool_every, tuple):
        size = spec.pool_every or max(count, 1)
        return tuple(min(size, count - start) for start in range(0, count, size))
    ends = accumulate(spec.pool_every)
    starts = (end - size for end, size in zip(ends, spec.pool_every, strict=True))
    sizes = [min(size, count - s) for size, s in zip(spec.pool_every, starts, strict=True)]
    sizes = [size for size in sizes if size > 0]
    return (*sizes[:-1], sizes[-1] + count - sum(sizes)) if sizes else ()


def _group_channels(spec: CNNSpec, size: int, width: int) -> Generator[int]:
    """Yield the channels of one group."""
    step = spec.block_convs or size
    for start in range(0, size, step):
        block = min(step, size - start)
        is_narrow = spec.block == "bottleneck" and block > 2
        for index in range(block):
            is_inner = 0 < index < block - 1
            yield max(1, width // 4) if is_narrow and is_inner else width


def find_growth(spec: CNNSpec) -> float | None:
    """Find the growth that the channels of a spec follow; None for a custom list."""
    if not spec.channels:
        return GROWTHS[-1]
    for growth in GROWTHS:
        if grow_channels(spec, len(spec.channels), spec.channels[0], growth) == spec.channels:
            return growth
    return None


def has_growth(spec: CNNSpec) -> bool:
    """Whether there is more than one group, so that growth makes a difference."""
    return bool(spec.pool_every) and len(group_sizes(spec, len(spec.channels))) > 1


def with_count(spec: CNNSpec, count: int) -> CNNSpec:
    """Set the number of convolutions; a custom list is cut or extended with its last entry."""
    growth = find_growth(spec)
    if growth is not None:
        return with_channels(spec, grow_channels(spec, count, first_width(spec), growth))
    return with_channels(spec, fit_length(spec.channels, count))


def with_width(spec: CNNSpec, width: int) -> CNNSpec:
    """Set the channels of the first convolution; a custom list keeps its proportions."""
    if not spec.channels:
        return spec
    growth = find_growth(spec)
    if growth is not None:
        return with_channels(spec, grow_channels(spec, len(spec.channels), width, growth))
    scale = width / spec.channels[0]
    return with_channels(spec, tuple(max(1, round(c * scale)) for c in spec.channels))


def with_growth(spec: CNNSpec, growth: float | None) -> CNNSpec:
    """Set the channels that follow this growth; None changes nothing."""
    if growth is None:
        return spec
    return with_channels(spec, grow_channels(spec, len(spec.channels), first_width(spec), growth))


def with_groups(spec: CNNSpec, groups: tuple[int, ...]) -> CNNSpec:
    """Set the convolutions of each group; the channels are kept, and fitted to their sum.

    Raises:
        SpecError: A group without convolutions, or more convolutions than the lab allows.
    """
    if len(groups) == 1:
        return replace(spec, pool_every=groups[0])
    total = sum(groups)
    if total > MAX_CONVOLUTIONS:
        raise SpecError(
            f"pool_every has groups of {total:,} convolutions in all, but at most "
            f"{MAX_CONVOLUTIONS} are allowed. Write fewer groups, or smaller ones."
        )
    if min(groups) > 0:
        spec = with_channels(spec, fit_length(spec.channels, total))
    return replace(spec, pool_every=groups)


def regrow_channels(spec: CNNSpec, **changes: Any) -> CNNSpec:
    """Change groups or blocks; channels that followed `grow_channels` are computed anew."""
    growth = find_growth(spec)
    changed = replace(spec, **changes)
    return changed if growth is None else with_growth(changed, growth)


def first_width(spec: CNNSpec) -> int:
    """Channels of the first convolution; the default where there is none."""
    return spec.channels[0] if spec.channels else _FIRST_WIDTH


def with_channels(spec: CNNSpec, channels: tuple[int, ...]) -> CNNSpec:
    """Set the channels; per-convolution lists of other fields are fitted to their number.

    Raises:
        SpecError: More convolutions or channels than the lab allows.
    """
    lists = {
        name: fit_length(getattr(spec, name), len(channels))
        for name in PER_CONVOLUTION
        if isinstance(getattr(spec, name), tuple)
    }
    if isinstance(spec.pool_every, tuple):
        lists["pool_every"] = group_sizes(spec, len(channels))
    changes: dict[str, Any] = {"channels": channels, **lists}
    return replace(spec, **changes)


def fit_length(entries: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """Cut a list, or extend it with its last entry."""
    return entries[:count] + entries[-1:] * (count - len(entries))


def format_list(entries: Any) -> str:
    """Format a list: ``16, 32, 64*20``; a single value as itself."""
    if not isinstance(entries, tuple):
        return str(entries)
    runs = [(_format_entry(value), len(list(run))) for value, run in groupby(entries)]
    texts = (
        [f"{value}*{length}"] if length >= _SHORTEST_RUN else [value] * length
        for value, length in runs
    )
    return ", ".join(text for run in texts for text in run)


def _format_entry(value: Any) -> str:
    """Format an entry; a window that is not square as height and width: ``3x1``."""
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def parse_whole(text: str) -> int:
    """Parse a whole number.

    Raises:
        ValueError: It is none.
    """
    if not re.fullmatch("[+-]?[0-9]+", text):
        raise ValueError(text)
    return int(text)


def parse_list(
    label: str,
    text: str,
    entry: Callable[[str], Any] = parse_whole,
    rule: str = "a whole number",
    *,
    examples: str = "numbers like 16, 32, 64, or 32*5 for five times 32",
) -> tuple[Any, ...]:
    """Parse a list: commas or blanks between entries, ``64*20`` for twenty times 64.

    An entry is repeated at most `MAX_CONVOLUTIONS` + 1 times, enough for the spec to refuse it.

    Args:
        label: Label of the form's field, for the error.
        entry: Parses one entry; raises ValueError where it cannot.
        rule: What an entry must be, for the error.
        examples: Of entries, for the error.

    Raises:
        SpecError: An entry cannot be read.
    """
    entries: list[Any] = []
    for word in filter(None, _BETWEEN_ENTRIES.split(text.strip())):
        repeated = re.fullmatch(r"(.*?)\s*\*\s*(.*)", word)
        value, count = repeated.groups() if repeated else (word, "1")
        try:
            if not re.fullmatch("0*[1-9][0-9]*", count):
                raise ValueError(count)
            entries += [entry(value)] * min(int(count), MAX_CONVOLUTIONS + 1)
        except ValueError:
            by = _ONE_BY_ANOTHER.fullmatch(word)
            advice = (
                f"For {by[2]} times {by[1]} write {by[1]}*{by[2]}" if by else f"Write {examples}"
            )
            raise SpecError(
                f'"{label}" has the entry {shown(word)}, but each entry must be {rule}. {advice}.'
            ) from None
    return tuple(entries)
