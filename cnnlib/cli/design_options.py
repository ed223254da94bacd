"""Options that choose the network: a preset, or a spec from a file, a pipe or a link."""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs, urlsplit

from cnnlib.cli.parser import one_of, shown
from cnnlib.design.link import decode
from cnnlib.design.plan import Plan, plan
from cnnlib.design.presets import adapt, preset, presets
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import SpecError
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.files import file_errors
from cnnlib.records.recipe_presets import default_preset

MAX_SPEC_BYTES = 1_000_000


@dataclass(frozen=True)
class Design:
    """The network chosen on the command line.

    Args:
        preset: Name of the preset; "" for a spec of one's own.
    """

    plan: Plan
    preset: str = ""


def add_design_options(
    parser: argparse.ArgumentParser, *, required: bool = True
) -> argparse._MutuallyExclusiveGroup:
    """Add ``--preset`` and ``--spec``, of which at most one can be given.

    Args:
        required: Whether one must be given; otherwise the default is the dataset's preset.

    Returns:
        The group of the two options, so that a command can add a third.
    """
    group = parser.add_mutually_exclusive_group(required=required)
    names = [each.name for each in presets()]
    default = "" if required else "default: chosen for the dataset; "
    text = f"{default}{', '.join(names)}"
    group.add_argument("--preset", metavar="NAME", type=one_of(names), help=text)
    group.add_argument(
        "--spec", metavar="FILE", help="a design: a JSON file, - for standard input, or a link"
    )
    return group


def add_adapt_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--adapt``, for commands with a dataset."""
    parser.add_argument("--adapt", action="store_true", help="adapt the --spec to the --dataset")


def selected_design(args: argparse.Namespace, info: DatasetInfo | None) -> Design:
    """Return the chosen network, fitted to the input size and classes of a dataset.

    Without ``--preset`` and ``--spec`` it is the default preset of the dataset.

    Args:
        info: The dataset; None leaves the design unchanged.

    Raises:
        SpecError: The design cannot be read or planned, or its input does not fit the dataset.
    """
    name = args.preset or ""
    if info is not None and args.spec is None:
        name = name or default_preset(info.in_size)
    spec = preset(name).spec if name else read_spec(args.spec)
    if info is not None:
        classes = len(info.classes)
        if name or args.adapt:
            spec = adapt(spec, info.in_size, classes)
        elif (spec.in_size, spec.out_classes) != (info.in_size, classes):
            raise SpecError(
                f"The design is for {_size(spec.in_size)} pictures and {spec.out_classes} classes, "
                f"but {info.name} has {_size(info.in_size)} pictures and {classes} "
                "classes. Add --adapt to adapt the design, or choose another dataset."
            )
    return Design(plan(spec), name)


def read_spec(text: str) -> CNNSpec:
    """Read the spec of ``--spec``: a file, ``-`` for standard input, or a link.

    Raises:
        SpecError: The file does not exist or does not hold a design.
    """
    if text == "-":
        return _spec_from_json(_read(sys.stdin.buffer, "Standard input"), "Standard input")
    if "://" in text or re.match(r"\d+~", text):
        return decode(_design_in(text) if "://" in text else text)
    what = f"The design {shown(text)} cannot be read"
    advice = "Give a JSON file with a design, - for standard input, or a link from the Build page."
    also = (ValueError,)  # a name that no file can have
    with file_errors(SpecError, what, advice, also=also), Path(text).open("rb") as file:
        content = _read(file, shown(text))
    return _spec_from_json(content, shown(text))


def _design_in(link: str) -> str:
    """Return the encoded design in an address of the Build page."""
    try:
        return parse_qs(urlsplit(link).query, max_num_fields=20)["design"][0]
    except (ValueError, KeyError):
        raise SpecError(
            f"The link {shown(link)} contains no design. Copy the whole address of the Build page."
        ) from None


def _read(file: BinaryIO, name: str) -> bytes:
    """Read a whole file, up to the size limit of a design."""
    content = file.read(MAX_SPEC_BYTES + 1)
    if len(content) > MAX_SPEC_BYTES:
        raise SpecError(
            f"{name} has more than {MAX_SPEC_BYTES:,} bytes, the maximum for a design. "
            "Give a file that the Build page or 'export' wrote."
        )
    return content


def _spec_from_json(content: bytes, name: str) -> CNNSpec:
    """Parse the content of a file as a spec."""
    try:
        return CNNSpec.from_dict(json.loads(content))
    except UnicodeDecodeError:
        reason = "it is not text"
    except json.JSONDecodeError as error:
        reason = f"{error.msg} in line {error.lineno}, column {error.colno}"
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError:
        reason = "it contains a number with thousands of digits"
    raise SpecError(f'{name} is not JSON: {reason}. Write it as {{"channels": [6, 16], ...}}.')


def _size(in_size: tuple[int, ...]) -> str:
    return " x ".join(map(str, in_size))
