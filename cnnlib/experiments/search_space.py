"""Variations of a request: settings by name, and combinations of their values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

from cnnlib.design.checks import shown
from cnnlib.design.plan import plan
from cnnlib.design.spec import MAX_CONVOLUTIONS, CNNSpec
from cnnlib.errors import CnnlibError, RecipeError
from cnnlib.records.recipe import Augmentation, Recipe
from cnnlib.records.record import checks
from cnnlib.records.run import RunRequest, check_augmentation

# Settings of the course texts that are not fields: K and L together give the channels.
SHORT = {
    "K": "filters per convolution: one number, or one number per block",
    "L": "convolutions per block, that is, for each number of K",
    "P": "convolutions between two pooling layers: a number, or L/4 for max(1, L/4)",
}
_SPEC = tuple(field.name for field in fields(CNNSpec))
_RECIPE = tuple(field.name for field in fields(Recipe) if field.name != "augmentation")
_AUGMENTATION = tuple(field.name for field in fields(Augmentation))
SETTINGS = (*SHORT, *_SPEC, *_RECIPE, *_AUGMENTATION)
MOST_COMBINATIONS = 500


@dataclass(frozen=True)
class Combination:
    """One choice of settings.

    Args:
        request: The request; None where it is not a valid design or recipe.
        reason: The reason for that, as a sentence.
    """

    settings: Mapping[str, Any]
    request: RunRequest | None
    reason: str = ""


def combinations(base: RunRequest, varied: Mapping[str, Sequence[Any]]) -> list[Combination]:
    """Return every combination of the values of some settings, invalid ones included.

    Raises:
        RecipeError: A setting is not known, has no values, or there are too many combinations.
    """
    check_settings(varied)
    count = 1
    for name, values in varied.items():
        if not values:
            raise RecipeError(
                f"The setting {name} has no values. Each setting needs at least one. Add a value, "
                "or remove the setting."
            )
        count *= len(values)
    if count > MOST_COMBINATIONS:
        raise RecipeError(
            f"These settings have {count:,} combinations. A grid has at most {MOST_COMBINATIONS}. "
            "Use fewer values, or start a search instead."
        )
    chosen = [dict(zip(varied, values, strict=True)) for values in product(*varied.values())]
    return [combine(base, settings) for settings in chosen]


def combine(base: RunRequest, settings: Mapping[str, Any]) -> Combination:
    """Combine a request with settings; an invalid design gives a combination with the reason."""
    try:
        request = with_settings(base, settings)
        plan(request.spec)
        check_augmentation(request)
    except CnnlibError as error:
        return Combination(settings, None, str(error))
    return Combination(settings, request)


def with_settings(base: RunRequest, settings: Mapping[str, Any]) -> RunRequest:
    """Return a request with some settings changed.

    Raises:
        RecipeError, SpecError: A setting is unknown, or its value is invalid.

    Example:
        >>> from cnnlib.design.spec import CNNSpec
        >>> from cnnlib.records.recipe import Recipe
        >>> from cnnlib.records.run import RunRequest
        >>> request = RunRequest(CNNSpec(), Recipe(), "digits")
        >>> with_settings(request, {"K": 8, "L": 4, "P": "L/4"}).spec.channels
        (8, 8, 8, 8)
    """
    check_settings(settings)
    spec = _from_short(settings) | {
        name: _to_spec_value(name, value) for name, value in _select(settings, _SPEC).items()
    }
    recipe = _select(settings, _RECIPE)
    augmentation = replace(base.recipe.augmentation, **_select(settings, _AUGMENTATION))
    return replace(
        base,
        spec=replace(base.spec, **spec),
        recipe=replace(base.recipe, **recipe, augmentation=augmentation),
    )


def check_settings(names: Mapping[str, Any]) -> None:
    """Check that every setting is known.

    Raises:
        RecipeError: A setting is unknown.
    """
    for name in names:
        if name not in SETTINGS:
            raise RecipeError(
                f"{name!r} is not a setting that can be varied. Choose from: {', '.join(SETTINGS)}."
            )


def read_values(text: str) -> list[Any]:
    """Parse a list of values: ``2,4,8``; ``plain,residual``; ``[32],[64,64]``.

    Example:
        >>> read_values("32, [32,64], plain, none")
        [32, [32, 64], 'plain', None]
    """
    parts = re.findall(r"\[[^\]]*\]|[^,\[\]]+", text)
    return [read_value(part.strip()) for part in parts if part.strip()]


def read_range(text: str) -> dict[str, Any]:
    """Parse the range or the choices of a setting.

    Example:
        >>> read_range("1e-4..0.1:log")
        {'low': 0.0001, 'high': 0.1, 'log': True}
        >>> read_range("plain, residual")
        {'choices': ['plain', 'residual']}
    """
    ends, _, scale = text.partition(":")
    low, dots, high = ends.partition("..")
    if dots and scale.strip() in ("", "log"):
        ends_of_range = {"low": read_value(low.strip()), "high": read_value(high.strip())}
        return ends_of_range | {"log": bool(scale.strip())}
    return {"choices": read_values(text)}


def read_value(text: str) -> Any:
    """Parse one value: none, yes, no, JSON, or else text.

    Example:
        >>> read_value("0.1"), read_value("none"), read_value("[32, 64]"), read_value("plain")
        (0.1, None, [32, 64], 'plain')
    """
    if text.lower() in ("none", "null"):
        return None
    if text.lower() in ("yes", "no"):
        return text.lower() == "yes"
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if entries := re.fullmatch(r"\[([^\[\]]+)\]", text):  # with text among them: [3x5, 3]
        return [read_value(entry.strip()) for entry in entries[1].split(",")]
    return text


def _select(settings: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the settings with these names."""
    return {name: value for name, value in settings.items() if name in names}


def _to_spec_value(name: str, value: Any) -> Any:
    """Convert a value to that of a spec's field: a single width to a tuple, None to "none"."""
    if name in ("channels", "hidden_dims"):
        if value is None:
            return ()
        return value if isinstance(value, list | tuple) else (value,)
    return "none" if value is None and name in ("norm", "activation") else value


def _from_short(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the course texts' letters to fields of a spec."""
    spec: dict[str, Any] = {}
    if "K" in settings or "L" in settings:
        if "K" not in settings:
            raise RecipeError(
                "L is varied without K. L is the number of convolutions for each number of K, so "
                "it needs K. Vary K, too, such as K = 32."
            )
        filters, layers = settings["K"], settings.get("L", 1)
        blocks = filters if isinstance(filters, list | tuple) else [filters]
        checks.integer(1, MAX_CONVOLUTIONS)("L", layers)
        spec["channels"] = tuple(each for each in blocks for _ in range(layers))
    if "P" in settings:
        spec["pool_every"] = _pool_every(settings["P"], settings.get("L", 1))
    return spec


def _pool_every(value: Any, layers: int) -> Any:
    """Convert P, a number or ``"L/4"``, to `pool_every`."""
    match = re.fullmatch(r"L/(\d{1,3})", value) if isinstance(value, str) else None
    if match and int(match[1]):
        return max(1, layers // int(match[1]))
    if isinstance(value, int):
        return value
    raise RecipeError(f"P={shown(value)} is not a number of convolutions. Write a number, or L/4.")
