"""``app``: serve the pages."""

from __future__ import annotations

import runpy
import sys
from typing import TYPE_CHECKING, Any

from cnnlib.cli.parser import whole_number
from cnnlib.records.folders import Folders, app_folder

if TYPE_CHECKING:
    import argparse


def add_commands(commands: Any) -> None:
    """Add this group's command to the parser."""
    app = commands.add_parser(
        "app",
        help="start the app and open it in the browser",
        epilog="All other options are those of `streamlit run`, such as --server.headless true.",
    )
    app.keeps_rest = True
    app.add_argument(
        "--port", metavar="N", type=whole_number, help="default: 8501, or the next that is free"
    )
    app.add_argument(
        "--address",
        metavar="NAME",
        help="default: localhost, for this computer only; 0.0.0.0 opens the app to the network",
    )
    app.set_defaults(command=app_command)


def app_command(args: argparse.Namespace) -> None:
    """Print where data and runs are, then serve until Ctrl-C."""
    folders = Folders.from_environment()
    print(f"Datasets are in {folders.data}, runs in {folders.runs}.", flush=True)
    given = {"--server.port": args.port, "--server.address": args.address}
    options = [f"{name}={value}" for name, value in given.items() if value is not None]
    sys.argv = ["streamlit", "run", str(app_folder() / "app.py"), *options, *args.rest]
    runpy.run_module("streamlit", run_name="__main__")
