"""What all records have in common: to and from plain JSON, with errors that name the field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Self

from cnnlib.errors import CnnlibError, RecipeError


class Record:
    """Mixin for frozen dataclasses that are stored or sent as JSON.

    ``error`` is the class that ``from_dict`` raises; a subclass may set its own.
    """

    error: type[CnnlibError] = RecipeError

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON values; tuples become lists when dumped."""
        return asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read a record back; a field that is missing takes its default.

        Raises:
            CnnlibError: (of the class's own kind) ``values`` is not a mapping, a field is
                unknown, or one without a default is missing.
        """
        if not isinstance(values, Mapping):
            raise cls.error(
                f"A {cls.__name__} is read from a JSON object, but this is {type(values).__name__}. "
                "Write it as {...} with field names."
            )
        known = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        unknown = sorted(str(name) for name in set(values) - set(known))
        if unknown:
            raise cls.error(
                f"{cls.__name__} has no field {', '.join(map(repr, unknown))}. Known fields: {', '.join(known)}."
            )
        try:
            return cls(**values)
        except TypeError as error:
            raise cls.error(
                f"{cls.__name__} cannot be read: {error}. Add what is missing."
            ) from error
