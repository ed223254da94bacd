"""All fuzzers, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzz.design_fuzzers import Links, SpecFiles
from fuzz.file_fuzzers import Parcels, Pictures, Weights, Zips
from fuzz.line_fuzzers import Commands
from fuzz.web_fuzzers import Pages, Routes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fuzz.running import Fuzzer

FUZZERS: dict[str, Callable[[Path], Fuzzer]] = {
    "links": Links,
    "spec_files": SpecFiles,
    "zips": Zips,
    "pictures": Pictures,
    "weights": Weights,
    "parcels": Parcels,
    "pages": Pages,
    "routes": Routes,
    "commands": Commands,
}
