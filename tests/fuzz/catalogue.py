"""All fuzzers, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fuzz.design_fuzzers import Links, SpecFiles
from fuzz.file_fuzzers import Parcels, Pictures, Weights, Zips
from fuzz.running import Fuzzer

FUZZERS: dict[str, Callable[[Path], Fuzzer]] = {
    "links": Links,
    "spec_files": SpecFiles,
    "zips": Zips,
    "pictures": Pictures,
    "weights": Weights,
    "parcels": Parcels,
}
