"""A recipe as a short text for the address bar: ``1~epochs.3~lr.0.002~shift.2``.

The form is that of a design's link (`cnnlib.design.link`): the version, then the fields that differ
from the defaults, as ``name.value``. Names and defaults of version 1 never change.
"""

from __future__ import annotations

from dataclasses import fields
from types import NoneType
from typing import Any, get_args, get_type_hints

from cnnlib.design.checks import shown
from cnnlib.errors import RecipeError
from cnnlib.records.recipe import Augmentation, Recipe

VERSION = "1"
MAX_LENGTH = 1000  # characters; all fields together take less
_NONE = "none"


def encode_recipe(recipe: Recipe) -> str:
    """Encode a recipe as text.

    Example:
        >>> encode_recipe(Recipe(epochs=3, lr=0.002, augmentation=Augmentation(flip=True)))
        '1~epochs.3~lr.0.002~flip.1'
    """
    written = [
        f"{name}.{_write(value)}"
        for record, default in ((recipe, Recipe()), (recipe.augmentation, Augmentation()))
        for name, value in _values(record).items()
        if value != getattr(default, name)
    ]
    return "~".join((VERSION, *written))


def decode_recipe(text: str) -> Recipe:
    """Decode a text to a recipe.

    Raises:
        RecipeError: The text is damaged or of a later version, or a value is out of range.

    Example:
        >>> decode_recipe("1~epochs.3~flip.1").epochs
        3
    """
    version, *parts = text[: MAX_LENGTH + 1].split("~")
    if version != VERSION or len(text) > MAX_LENGTH:
        raise _link_error(f"{shown(text)} does not begin with the format version {VERSION}")
    given: dict[type, dict[str, Any]] = {Recipe: {}, Augmentation: {}}
    for part in parts:
        name, _, value = part.partition(".")
        record = next((kind for kind in given if name in _hints(kind)), None)
        if record is None or name in given[record]:
            raise _link_error(f"it contains {shown(part)}, which is not a setting or set twice")
        try:
            given[record][name] = _read(_hints(record)[name], value)
        except ValueError:
            raise _link_error(f"the value in {shown(part)} cannot be read") from None
    return Recipe(**given[Recipe], augmentation=Augmentation(**given[Augmentation]))


def _values(record: Recipe | Augmentation) -> dict[str, Any]:
    return {name: getattr(record, name) for name in _hints(type(record))}


def _hints(record: type) -> dict[str, Any]:
    """Return the types of the fields, without the nested record."""
    hints = get_type_hints(record)
    names = [field.name for field in fields(record)]
    return {name: hints[name] for name in names if hints[name] is not Augmentation}


def _write(value: Any) -> str:
    if value is None:
        return _NONE
    return str(int(value)) if isinstance(value, bool) else str(value)


def _read(hint: Any, text: str) -> Any:
    """Read a value of a type.

    Raises:
        ValueError: The text is not such a value.
    """
    kinds = get_args(hint) or (hint,)
    if text == _NONE and NoneType in kinds:
        return None
    kind = next(each for each in kinds if each is not NoneType)
    if kind is bool:
        return (False, True)[("0", "1").index(text)]
    return kind(text)


def _link_error(cause: str) -> RecipeError:
    return RecipeError(
        f"This link does not describe a recipe: {cause}. Copy the whole link again, or choose a "
        "recipe on the Train page."
    )
