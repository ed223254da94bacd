"""``app``: serve the pages; ``limits``: print the limits of class mode."""

from __future__ import annotations

import argparse
import os
import runpy
import sys
from dataclasses import fields
from typing import Any

from cnnlib.cli.output import print_json, print_table
from cnnlib.cli.parser import add_command, whole_number_from
from cnnlib.records.folders import Folders, app_folder
from cnnlib.records.settings import (
    FILE,
    ClassMode,
    ClusterNeeds,
    MachineLimits,
    PersonLimits,
    Settings,
)


def add_commands(commands: Any) -> None:
    """Add this group's command to the parser."""
    app = commands.add_parser(
        "app",
        help="start the app and open it in the browser",
        epilog="All other options are those of `streamlit run`, such as --server.headless true.",
    )
    app.keeps_rest = True
    app.add_argument(
        "--port",
        metavar="N",
        type=whole_number_from(1, 65_535),
        help="default: 8501, or the next that is free",
    )
    app.add_argument(
        "--address",
        metavar="NAME",
        help="default: localhost, for this computer only; 0.0.0.0 opens the app to the network",
    )
    app.set_defaults(command=app_command)
    add_command(commands, "limits", limits_command, "print the limits of class mode")


def app_command(args: argparse.Namespace) -> None:
    """Print where data and runs are, then serve until Ctrl-C."""
    folders = Folders.from_environment()
    print(f"Datasets are in {folders.data}, runs in {folders.runs}.", flush=True)
    given = {"--server.port": args.port, "--server.address": args.address}
    options = [f"{name}={value}" for name, value in given.items() if value is not None]
    sys.argv = ["streamlit", "run", str(app_folder() / "app.py"), *options, *args.rest]
    runpy.run_module("streamlit", run_name="__main__")


def limits_command(args: argparse.Namespace) -> None:
    """Print every setting with its meaning; the command line itself has no limits."""
    folders = Folders.from_environment()
    settings = Settings.read(folders).to_dict()
    path = os.environ.get("CNNLAB_CONFIG") or str(folders.runs / FILE)
    if args.json:
        print_json({"file": path, "exists": os.path.exists(path)} | settings)
        return
    rows = [
        (f"[{section}] {key}", value, _MEANINGS[section].get(key, ""))
        for section, values in settings.items()
        for key, value in values.items()
    ]
    print_table(("setting", "value", "meaning"), rows)
    is_set = os.path.exists(path)
    start = "Set in" if is_set else "These are the defaults. To change them, write the file"
    print(
        f"\n{start} {path}. The limits apply to the web pages in class mode, "
        "not to this command line."
    )


def _meanings(record: type) -> dict[str, str]:
    """Read the meaning of each field of a record from its docstring."""
    meanings: dict[str, str] = {}
    names = [field.name for field in fields(record)]
    for line in (record.__doc__ or "").splitlines():
        name, colon, meaning = line.strip().partition(": ")
        if colon and name in names:
            meanings[name] = meaning
    return meanings


_MEANINGS = {
    "class": _meanings(ClassMode),
    "person": _meanings(PersonLimits),
    "machine": _meanings(MachineLimits),
    "cluster": _meanings(ClusterNeeds),
}
