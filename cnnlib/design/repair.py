"""Finds the smallest change that makes a design plan, for a page to offer as one click."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from cnnlib.design.checks import shown
from cnnlib.design.layout import lay_out
from cnnlib.design.path import Misfit
from cnnlib.design.spec import CNNSpec, Stem

_MAX_CHANGES = 6


@dataclass(frozen=True)
class Repair:
    """A change that makes a spec plan.

    Args:
        fields: The spec's fields that change, with their new values.
        text: The change in words: ``"pool every 2 instead of 1"``.
    """

    fields: dict[str, Any]
    text: str


def find_repair(spec: CNNSpec, misfit: Misfit) -> Repair | None:
    """The first change that makes a spec plan: of one field if possible, else of several.

    Args:
        misfit: What `lay_out` said of the spec.
    """
    mended = spec
    for _ in range(_MAX_CHANGES):
        mended, misfit = _mend(mended, misfit)
        if misfit is None:
            return _difference(spec, mended)
    return None


def _mend(spec: CNNSpec, misfit: Misfit) -> tuple[CNNSpec, Misfit | None]:
    """The first candidate that plans, else the first that fails in another way."""
    best = spec, misfit
    for name in misfit.mend:
        for value in _candidates(spec, name):
            candidate = replace(spec, **{name: value})
            try:
                lay_out(candidate)
            except Misfit as later:
                is_other = (later.layer, later.mend) != (misfit.layer, misfit.mend)
                if is_other and best[0] is spec:
                    best = candidate, later
            else:
                return candidate, None
    return best


def _candidates(spec: CNNSpec, name: str) -> Iterable[Any]:
    """Values of a field that may make a layer fit, the one nearest to the present value first."""
    match name:
        case "pool_every":
            return (*range(spec.pool_every + 1, len(spec.channels) + 1), 0)
        case "padding":
            return ("same",)
        case "kernel_size":
            return _smaller_kernels(spec)
        case "stride" | "dilation" | "pool_dilation":
            return (1,)
        case "pool_kernel_size":
            return range(spec.pool_kernel_size - 1, 0, -1)
        case "pool_padding":
            return (spec.pool_kernel_size // 2,)
        case "norm_groups":
            return range(spec.norm_groups - 1, 0, -1)
        case "norm":
            return ("batch",)
        case "head":
            return ("gap",)
        case "stem":
            return (Stem(spec.stem.channels, bias=spec.stem.bias), None) if spec.stem else ()
        case "hidden_dims" | "channels":
            widths = getattr(spec, name)
            return (tuple(max(1, width >> half) for width in widths) for half in range(1, 13))
    raise AssertionError(f"no candidates are written for {name}")


def _smaller_kernels(spec: CNNSpec) -> Iterable[tuple[int, ...]]:
    """Every even kernel made odd; then no kernel larger than 7, 5, 3, 1."""
    sizes = tuple(size if size % 2 else max(3, size - 1) for size in spec.each("kernel_size"))
    yield sizes
    for largest in range(max(sizes, default=1) - 2, 0, -2):
        yield tuple(min(size, largest) for size in sizes)


_WORDS = {
    "pool_every": "pool every",
    "pool_kernel_size": "pooling kernel size",
    "pool_dilation": "pooling dilation",
    "pool_padding": "pooling padding",
    "norm_groups": "groups of the norm",
    "hidden_dims": "hidden layers",
    "kernel_size": "kernel size",
}


def _difference(spec: CNNSpec, mended: CNNSpec) -> Repair:
    """The fields in which two specs differ, and the sentence that says so."""
    before, after = spec.to_dict(), mended.to_dict()
    names = [name for name in after if after[name] != before[name]]
    fields = {name: getattr(mended, name) for name in names}
    return Repair(fields, " and ".join(_words(n, before[n], after[n]) for n in names))


def _words(name: str, before: Any, after: Any) -> str:
    """One change in words."""
    if name == "pool_every" and after == 0:
        return "never pool"
    if name == "stem":
        return "a 3 x 3 stem of stride 1" if after else "no stem"
    if name == "padding":
        return "padding that keeps the size"
    return f"{_WORDS.get(name, name)} {_plain(after)} instead of {_plain(before)}"


def _plain(value: Any) -> str:
    """A value as people read it."""
    return value if isinstance(value, str) else shown(value)
