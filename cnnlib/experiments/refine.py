"""The next experiment: a search in a smaller space around the best trial of the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnlib.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cnnlib.experiments.grid import ExperimentState, Trial

_NARROWER = 3  # how much narrower a range becomes


def finer_space(state: ExperimentState, ranges: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a search space around the best trial of an experiment.

    A number varies between the values that were tried next to the best one, or in a third of the
    range of a search; a setting of another kind keeps its best values: those of the trials in the
    best third.

    Args:
        ranges: The space of a search; empty for a grid.

    Raises:
        RecipeError: No trial has a result yet.
    """
    best = state.best
    if best is None:
        raise RecipeError(
            "No combination has a result yet, so there is no best one to search around. Wait for "
            "the first results."
        )
    scored = sorted(
        (each for each in state.trials if each.score is not None),
        key=lambda each: -(each.score or 0.0),
    )
    top = scored[: max(1, len(scored) // 3)]
    return {name: _around(name, best, scored, top, ranges.get(name, {})) for name in best.settings}


def _around(
    name: str,
    best: Trial,
    scored: Sequence[Trial],
    top: Sequence[Trial],
    space: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the smaller space of one setting."""
    value = best.settings[name]
    if type(value) not in (int, float):
        return {
            "choices": list(
                {repr(each.settings[name]): each.settings[name] for each in top}.values()
            )
        }
    if "low" in space:
        return _third(value, space)
    tried = sorted(
        {each.settings[name] for each in scored if type(each.settings[name]) in (int, float)}
    )
    place = tried.index(value)
    low, high = tried[max(0, place - 1)], tried[min(len(tried) - 1, place + 1)]
    if low == high:
        return {"choices": [value]}
    return {"low": low, "high": high, "log": _is_logarithmic(tried)}


def _third(value: float, space: Mapping[str, Any]) -> dict[str, Any]:
    """Return a third of a range, with the value in its middle where the range reaches as far."""
    low, high = space["low"], space["high"]
    if space.get("log"):
        factor = (high / low) ** (1 / (2 * _NARROWER))
        ends = value / factor, value * factor
    else:
        half = (high - low) / (2 * _NARROWER)
        ends = value - half, value + half
    start, end = max(low, ends[0]), min(high, ends[1])
    if isinstance(low, int) and isinstance(high, int):
        start, end = round(start), round(end)
        if start == end:
            return {"choices": [start]}
    return {"low": start, "high": end, "log": bool(space.get("log"))}


def _is_logarithmic(tried: Sequence[float]) -> bool:
    """Whether values are nearer to equal ratios than to equal distances."""
    return tried[0] > 0 and tried[-1] / tried[0] >= 4
