"""The verdict of a duel as a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.units import format_points, percent, plural

if TYPE_CHECKING:
    from cnnlib.records.compare import Verdict


def verdict_sentence(verdict: Verdict, name_a: str, name_b: str) -> str:
    """Write ``B is better by 0.21 points (95 % interval 0.08 to 0.34, 5 paired seeds).``"""
    seeds = plural(verdict.pairs, "paired seed")
    if verdict.outcome == "b":
        return (
            f"{name_b} is better by {format_points(verdict.mean)} points "
            f"({_interval(verdict)}, {seeds})."
        )
    if verdict.outcome == "a":
        return (
            f"{name_a} is better by {format_points(-verdict.mean)} points "
            f"({_interval(verdict, -1)}, {seeds})."
        )
    if verdict.outcome == "same":
        return (
            f"{name_a} and {name_b} are equal within {format_points(verdict.within)} points "
            f"({name_b} minus {name_a}: {_interval(verdict)}, {seeds})."
        )
    return _undecided_sentence(verdict, seeds, name_a, name_b)


def _interval(verdict: Verdict, sign: int = 1) -> str:
    """Write the interval in percentage points; `sign` -1 gives that of A minus B."""
    assert verdict.low is not None and verdict.high is not None  # decided verdicts have one
    low, high = map(format_points, sorted((sign * verdict.low, sign * verdict.high)))
    return f"{percent(verdict.level, 0)} interval {low} to {high}"


def _undecided_sentence(verdict: Verdict, seeds: str, name_a: str, name_b: str) -> str:
    """Write the sentence of a duel without a decision."""
    if verdict.pairs == 0:
        return f"{name_a} and {name_b}: no pair has finished yet."
    more = f" Estimated: {plural(verdict.more_pairs, 'more pair')}." if verdict.more_pairs else ""
    interval = ""
    if verdict.low is not None:
        interval = f" ({name_b} minus {name_a}: {_interval(verdict)} points)"
    if verdict.outcome == "untold":
        advice = f"{more} Start a longer duel." if more else ""
        return f"{name_a} and {name_b}: undecided after all {seeds}{interval}.{advice}"
    return f"{name_a} and {name_b}: undecided after {seeds}{interval}.{more}"
