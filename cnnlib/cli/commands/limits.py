"""``limits``: print the limits of class mode."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from cnnlib.cli.output import print_json, print_table
from cnnlib.cli.parser import add_command
from cnnlib.records.folders import Folders
from cnnlib.records.settings import FILE, ClassMode, MachineLimits, PersonLimits, Settings

if TYPE_CHECKING:
    import argparse


def add_commands(commands: Any) -> None:
    """Add this group's command to the parser."""
    add_command(commands, "limits", limits_command, "print the limits of class mode")


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
}
