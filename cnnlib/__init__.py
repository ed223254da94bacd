"""CNN Lab's library: design, train, look inside and compare convolutional networks.

The public names below are handed on lazily, so that ``import cnnlib`` costs nothing and
``from cnnlib import CNN`` imports torch only then.
"""

from importlib import import_module

# Public name -> the module that defines it. This is the one table: add a line, in alphabetical order.
_HOMES: dict[str, str] = {}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    """Import a public name from its home on first use, and keep it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names beside the module's own, for completion in a notebook."""
    return sorted(set(globals()) | set(__all__))
