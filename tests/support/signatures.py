"""The signature of a class, as one writes it."""

import inspect


def written(cls: type) -> list[str]:
    """The parameters of a class as one writes them, mappings without their default."""
    shown = []
    for parameter in inspect.signature(cls).parameters.values():
        has_default = isinstance(parameter.default, bool | float | str)
        shown.append(parameter.name + (f"={parameter.default!r}" if has_default else ""))
    return shown
