"""Finds the smallest change that makes a design plan, for a page to offer as one click."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from math import gcd
from typing import TYPE_CHECKING, Any

from cnnlib.design.assemble import lay_out
from cnnlib.design.checks import shown
from cnnlib.design.layer_builder import Misfit
from cnnlib.design.spec import CNNSpec, Stem

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

_MAX_TRIALS = 60  # a page waits for the answer, and a trial of the largest network takes 3 ms


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
    """The first change of one field that makes a spec plan, else a change of as few as possible.

    Args:
        misfit: What `lay_out` said of the spec.
    """
    candidates = (replace(spec, **{n: v}) for n in misfit.mend for v in _candidates(spec, n))
    mended = next(filter(_plans, islice(candidates, _MAX_TRIALS)), None) or _modest(spec)
    return _difference(spec, mended) if mended else None


def _plans(spec: CNNSpec) -> bool:
    """Whether all layers fit."""
    try:
        lay_out(spec)
    except Misfit:
        return False
    return True


def _modest(spec: CNNSpec) -> CNNSpec | None:
    """The spec with modest values in all fields that can fail, but for those that may stay."""
    modest: dict[str, Any] = {
        "channels": tuple(min(width, 64) for width in spec.channels),
        "hidden_dims": tuple(min(width, 512) for width in spec.hidden_dims),
        "kernel_size": 3,
        "pool_every": 0,
        "norm": "none" if spec.norm == "none" else "batch",
        "norm_groups": 1,
        "stem": _modest_stem(spec.stem),
        "padding": "same",
        "stride": 1,
        "block_stride": 1,
        "dilation": 1,
        "pool_kernel_size": 2,
        "pool_stride": None,
        "pool_padding": 0,
        "pool_dilation": 1,
        "head": "gap",
    }
    mended = replace(spec, **modest)
    if not _plans(mended):
        return None
    for name in modest:
        restored = replace(mended, **{name: getattr(spec, name)})
        mended = restored if _plans(restored) else mended
    return mended


def _modest_stem(stem: Stem | None) -> Stem | None:
    """A 3 x 3 stem of stride 1, of as many channels."""
    return Stem(stem.channels, bias=stem.bias) if stem else None


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
            return _fewer_groups(spec)
        case "norm":
            return ("batch",)
        case "head":
            return ("gap",)
        case "stem":
            return (_modest_stem(spec.stem),)
        case "hidden_dims" | "channels":
            widths = getattr(spec, name)
            return (tuple(max(1, width >> half) for width in widths) for half in range(1, 13))
    raise AssertionError(f"no candidates are written for {name}")


def _smaller_kernels(spec: CNNSpec) -> Generator[tuple[int, ...]]:
    """Every even kernel made odd; then no kernel larger than 7, 5, 3, 1."""
    sizes = tuple(size if size % 2 else max(3, size - 1) for size in spec.each("kernel_size"))
    yield sizes
    for largest in range(max(sizes, default=1) - 2, 0, -2):
        yield tuple(min(size, largest) for size in sizes)


def _fewer_groups(spec: CNNSpec) -> Iterable[int]:
    """Numbers of groups that divide the channels of every convolution, the largest first."""
    shared = gcd(*spec.channels, spec.stem.channels if spec.stem else 0)
    return (groups for groups in range(spec.norm_groups - 1, 0, -1) if shared % groups == 0)


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
        return "a 3 x 3 stem of stride 1"
    if name == "padding":
        return "padding that keeps the size"
    return f"{_WORDS.get(name, name)} {_plain(after)} instead of {_plain(before)}"


def _plain(value: Any) -> str:
    """A value as people read it."""
    return value if isinstance(value, str) else shown(value)
