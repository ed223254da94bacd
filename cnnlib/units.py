"""Numbers with their units, as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

UNKNOWN = "–"  # where a number is not known


def percent(fraction: float | None, digits: int = 2, unknown: str = UNKNOWN) -> str:
    """A share as people read it.

    Args:
        digits: Digits after the decimal point.
        unknown: Text for None, and for a number that is not finite.

    Example:
        >>> percent(0.9725), percent(0.5, 0), percent(None)
        ('97.25 %', '50 %', '–')
    """
    if fraction is None or not isfinite(fraction):
        return unknown
    return f"{100 * fraction:.{digits}f} %"


def format_points(fraction: float) -> str:
    """A difference of shares in percentage points, with two digits.

    Example:
        >>> format_points(0.0021), format_points(-0.8013), format_points(-0.00001)
        ('0.21', '−80.13', '0.00')
    """
    return f"{100 * fraction:z.2f}".replace("-", "−")


def format_size(size_bytes: float) -> str:
    """Bytes with three digits and a unit of 1000: an MB is 1,000,000 bytes.

    Example:
        >>> format_size(424_616), format_size(9_240_000), format_size(1_290_000_000)
        ('425 kB', '9.24 MB', '1.29 GB')
    """
    return _with_unit(size_bytes, ("TB", "GB", "MB", "kB", "B"))


def forecast_size(size_bytes: float) -> str:
    """A forecast of a run's memory with its tolerance: 10 % and 30 MB (`bench.memory`).

    Example:
        >>> forecast_size(310e6)
        'about 310 MB, give or take 60 MB'
        >>> forecast_size(15e6)  # the tolerance is larger than the forecast
        'up to about 46 MB'
    """
    tolerance = size_bytes / 10 + 30e6
    if tolerance >= size_bytes:
        return f"up to about {format_size(float(f'{size_bytes + tolerance:.2g}'))}"
    size, more_or_less = float(f"{size_bytes:.2g}"), float(f"{tolerance:.1g}")
    return f"about {format_size(size)}, give or take {format_size(more_or_less)}"


def short_count(value: float | None) -> str:
    """A number with three digits and a unit of 1000; a dash where it is not known.

    Example:
        >>> short_count(44_426), short_count(1_663_370), short_count(7)
        ('44.4 K', '1.66 M', '7')
    """
    return UNKNOWN if value is None else _with_unit(value, ("T", "G", "M", "K", ""))


def format_time(seconds: float) -> str:
    """``850 ms``, ``4.2 s``, ``48 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 0.9995:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    Example:
        >>> plural(1, "run"), plural(1200, "run"), plural(2, "class")
        ('1 run', '1,200 runs', '2 classes')
    """
    ending = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{count:,} {noun}{ending}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """Name the first few, and count the others.

    Example:
        >>> listed(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    more = len(names) - most
    shown = ", ".join(names[:most])
    return f"{shown} and {more:,} more" if more > 0 else shown


def _with_unit(value: float, units: Sequence[str]) -> str:
    """Three digits and the largest unit in which the value is at least 1; factors of 1000."""
    for place, unit in enumerate(units[:-1]):
        size = 1000.0 ** (len(units) - 1 - place)
        if value >= 0.9995 * size:  # three digits make 1 of it
            number = value / size
            return f"{number:.3g} {unit}" if number < 999.5 else f"{number:,.0f} {unit}"
    return f"{value:.0f} {units[-1]}".rstrip()
