"""Run a fuzzer: one input after the other, each found again by its seed."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from fuzz.guard import Guard, TooSlow, guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path


class Fuzzer(Protocol):
    """Draws inputs, and says what must hold for each."""

    guard: Guard

    def draw(self, random: Random) -> Any:
        """An input; the same one for the same state of ``random``."""

    def check(self, case: Any) -> None:
        """Hand the input over; raises whatever should not have happened."""


@dataclass(frozen=True)
class Find:
    """An input that broke a promise."""

    seed: int
    case: str
    trace: str


def try_seed(name: str, fuzzer: Fuzzer, seed: int) -> Find | None:
    """Try the input of one seed; None where all promises held."""
    case = fuzzer.draw(Random(f"{name}/{seed}"))
    try:
        with guarded(fuzzer.guard):
            fuzzer.check(case)
    except (Exception, TooSlow, SystemExit):
        return Find(seed, repr(case)[:3000], traceback.format_exc())
    return None


def try_for(
    name: str, fuzzer: Fuzzer, seconds: float, first: int = 0, told: Callable[[str], None] = print
) -> Generator[Find]:
    """Try seed after seed for a while; yields what is found, once per place in the code."""
    places: set[str] = set()
    deadline = time.monotonic() + seconds
    seed = first
    while time.monotonic() < deadline:
        found = try_seed(name, fuzzer, seed)
        seed += 1
        if found is not None and (place := place_of(found.trace)) not in places:
            places.add(place)
            yield found
    told(f"{name}: {seed - first:,} inputs in {seconds / 60:.1f} min, {len(places)} finds")


def place_of(trace: str) -> str:
    """The last line of the lab's own code in a trace, with the kind of error."""
    lines = [line.strip() for line in trace.splitlines()]
    own = [line for line in lines if line.startswith("File") and "/fuzz/running.py" not in line]
    kind = lines[-1].partition(":")[0]
    return f"{own[-1] if own else ''} {kind}"


def folder_below(folder: Path, name: str) -> Path:
    """A folder of its own for one fuzzer."""
    own = folder / name
    own.mkdir(parents=True, exist_ok=True)
    return own.resolve()
