"""Totals of other tools for random networks, compared with ``cnnlib.design.other_tools``.

pip install -r bench/requirements.txt
python -m bench.tools                                     1,000 networks; 0 mismatches
python -m bench.tools --count 60 --record tests/recorded/tools.json
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "support"))

from random_specs import random_specs  # noqa: E402

from cnnlib.design.other_tools import CONVENTIONS, tool_counts  # noqa: E402
from cnnlib.design.plan import plan  # noqa: E402
from cnnlib.nets.model import build_model  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnnlib.design.spec import CNNSpec

Size = tuple[int, int, int]
Totals = dict[str, int]


def torchinfo_totals(model: torch.nn.Module, in_size: Size) -> Totals:
    from torchinfo import summary

    return {"Total mult-adds": summary(model, (1, *in_size), verbose=0).total_mult_adds}


def fvcore_totals(model: torch.nn.Module, in_size: Size) -> Totals:
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(model.eval(), torch.zeros(1, *in_size))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return {"flops": analysis.total()}


def ptflops_totals(model: torch.nn.Module, in_size: Size) -> Totals:
    from ptflops import get_model_complexity_info

    macs, _ = get_model_complexity_info(
        model, in_size, as_strings=False, print_per_layer_stat=False
    )
    return {"Computational complexity (MACs)": macs}


def calflops_totals(model: torch.nn.Module, in_size: Size) -> Totals:
    from calflops import calculate_flops

    flops, macs, _ = calculate_flops(
        model, (1, *in_size), print_results=False, output_as_string=False
    )
    return {"fwd FLOPs": flops, "fwd MACs": macs}


def flop_counter_totals(model: torch.nn.Module, in_size: Size) -> Totals:
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(torch.zeros(1, *in_size))
    return {"Total FLOPs": counter.get_total_flops()}


TOOLS: dict[str, Callable[[torch.nn.Module, Size], Totals]] = {
    "torchinfo": torchinfo_totals,
    "fvcore": fvcore_totals,
    "ptflops": ptflops_totals,
    "calflops": calflops_totals,
    "torch.utils.flop_counter": flop_counter_totals,
}


def printed(spec: CNNSpec) -> dict[str, int]:
    """The totals that the tools print, by tool and quantity; each tool gets a fresh model."""
    return {
        f"{tool}: {quantity}": total
        for tool, totals in TOOLS.items()
        for quantity, total in totals(build_model(spec, seed=0), spec.in_size).items()
    }


def expected(spec: CNNSpec) -> dict[str, int]:
    """The totals that the lab computes for the tools."""
    return {
        f"{found.convention.tool}: {found.convention.quantity}": found.total
        for found in tool_counts(plan(spec))
    }


def check_versions() -> None:
    """Exit if a tool's version differs from the one that the lab's counts are written for."""
    for tool, pinned in {(c.tool, c.version) for c in CONVENTIONS}:
        installed = version(tool.partition(".")[0]).partition("+")[0]
        if installed != pinned:
            sys.exit(f"{tool} is version {installed}, but the lab speaks of {pinned}.")


def main() -> None:
    """Compare, and print how many totals differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="networks")
    parser.add_argument("--seed", type=int, default=0, help="draws the networks")
    parser.add_argument("--record", type=Path, help="write what the tools printed to this file")
    arguments = parser.parse_args()
    check_versions()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)

    records: list[dict[str, Any]] = []
    mismatches = 0
    for number, spec in enumerate(random_specs(arguments.count, arguments.seed), start=1):
        actual, computed = printed(spec), expected(spec)
        records.append({"spec": spec.to_dict(), "totals": actual})
        for name in actual.keys() | computed.keys():
            if actual.get(name) != computed.get(name):
                mismatches += 1
                print(f"{name}: prints {actual.get(name)}, expected {computed.get(name)}: {spec}")
        if number % 100 == 0:
            print(f"{number} networks, {mismatches} mismatches", flush=True)
    if arguments.record:
        arguments.record.write_text(_json(records))
    print(f"{len(records)} networks x {len(CONVENTIONS)} totals: {mismatches} mismatches")
    sys.exit(bool(mismatches))


def _json(records: list[dict[str, Any]]) -> str:
    """Format one network per line, so that a diff shows one line per changed network."""
    return "[\n" + ",\n".join(json.dumps(record) for record in records) + "\n]\n"


if __name__ == "__main__":
    main()
