"""The parameters of a class as source text."""

import inspect


def parameter_texts(cls: type) -> list[str]:
    """The parameters of a class as source text; only simple defaults are included."""
    texts = []
    for parameter in inspect.signature(cls).parameters.values():
        has_default = isinstance(parameter.default, bool | float | str)
        texts.append(parameter.name + (f"={parameter.default!r}" if has_default else ""))
    return texts
