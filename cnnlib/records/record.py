"""Base class of records, with its checks: plain JSON to and fro, errors that name the field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields
from typing import Any, Self

from cnnlib.design.checks import Checks
from cnnlib.errors import RecipeError

checks = Checks(RecipeError)


class Record:
    """Mixin for frozen dataclasses that are stored or sent as JSON."""

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON values; tuples become lists when dumped."""
        return asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Create a record from JSON values; a missing field takes its default.

        Raises:
            RecipeError: ``values`` is not a mapping, a field is unknown, or one without a default
                is missing.
        """
        known = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
        checks.keys(f"The {cls.__name__}", values, known)
        missing = [
            name for name, field in known.items() if is_required(field) and name not in values
        ]
        if missing:
            raise RecipeError(f"{cls.__name__} needs {', '.join(missing)}. Add the missing fields.")
        return cls(**values)


def is_required(field: Field[Any]) -> bool:
    """Whether the field has neither a default nor a default factory."""
    return field.default is MISSING and field.default_factory is MISSING
