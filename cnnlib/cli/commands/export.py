"""``export``, ``export-runs`` and ``import-runs``: runs and designs as files."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlib.cli.design_options import add_design_options, selected_design
from cnnlib.cli.output import plain, print_result
from cnnlib.cli.parser import UsageError, add_command, id_of_run, shown, whole_number
from cnnlib.cli.store import (
    DEFAULT_STEP,
    all_run_facts,
    existing_store,
    has_store,
    open_store,
    run_at_step,
    trained_net,
)
from cnnlib.design.plan import Plan, plan
from cnnlib.design.source.pytorch_source import source
from cnnlib.design.summary import summary
from cnnlib.errors import DataError
from cnnlib.records.files import file_errors, replacing
from cnnlib.units import plural

if TYPE_CHECKING:
    from cnnlib.records.events import WeightsSaved
    from cnnlib.records.run import Run
    from cnnlib.runs import RunStore

Files = dict[str, bytes]  # name -> content


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    export = add_command(
        commands,
        "export",
        export_files,
        "write a run or a design as files that work without CNN Lab",
    )
    group = add_design_options(export)
    group.add_argument(
        "run_id", metavar="ID", nargs="?", type=id_of_run, help="a run; its weights are written too"
    )
    export.add_argument(
        "--to", metavar="FOLDER", required=True, help="created if it does not exist"
    )
    export.add_argument("--step", metavar="N", type=whole_number, help=DEFAULT_STEP)
    export.add_argument("--force", action="store_true", help="overwrite existing files")
    export = add_command(
        commands, "export-runs", export_command, "write runs into one archive file"
    )
    export.add_argument("output", metavar="FILE", help="the zip file to write")
    export.add_argument("run_ids", metavar="ID", nargs="*", type=id_of_run)
    export.add_argument("--group", metavar="NAME", help="the runs of this group")
    export.add_argument("--all", action="store_true", help="all runs that have ended")
    export.add_argument("--no-weights", action="store_true", help="metrics and predictions only")
    import_ = add_command(
        commands, "import-runs", import_command, "import the runs of an archive file"
    )
    import_.add_argument("input", metavar="FILE")


def export_files(args: argparse.Namespace) -> None:
    """Write the stand-alone network, its summary and its JSON; for a run also the weights."""
    if args.run_id:
        files = _run_files(args)
    else:
        design = selected_design(args, None)
        files = _design_files(design.plan, design.preset)
    paths = _write_all(Path(args.to), files, is_forced=args.force)
    print_result({"files": paths}, "\n".join(map(str, paths)), as_json=args.json)


def _run_files(args: argparse.Namespace) -> Files:
    """Make the files of a run: weights, facts, and those of its design."""
    store, run, saved = run_at_step(args.run_id, args.step)
    facts = {"exported_step": saved.step, "pictures": _picture_facts(run)}
    title = run.request.name or run.request.preset
    return {
        "weights.safetensors": _weights(store, run, saved),
        "run.json": _json(all_run_facts(store, run) | facts),
        **_design_files(plan(run.request.spec), title),
    }


def _weights(store: RunStore, run: Run, saved: WeightsSaved) -> bytes:
    """Make a safetensors file of the weights alone, without the optimizer state."""
    from safetensors.torch import save

    weights = trained_net(store, run, saved).state_dict()
    return save({name: value.contiguous() for name, value in weights.items()})


def _design_files(planned: Plan, title: str) -> Files:
    """Make the files of a design."""
    return {
        "net.py": source(planned, title).encode(),
        "summary.md": summary(planned, title).encode(errors="backslashreplace"),
        "design.json": _json(planned.spec.to_dict()),
    }


def _picture_facts(run: Run) -> dict[str, Any] | None:
    """Return how pictures are normalised: (bytes / 255 - mean) / std, per channel.

    None where the dataset was removed or has changed; the other files are written without it.
    """
    from cnnlib.data.catalogue import dataset_info

    try:
        info = dataset_info(run.request.dataset)
    except DataError:
        return None
    if info.fingerprint != run.fingerprint:
        return None
    names = ("name", "in_size", "classes", "mean", "std", "fingerprint")
    return {name: getattr(info, name) for name in names}


def _write_all(folder: Path, files: Files, *, is_forced: bool) -> list[Path]:
    """Write all files, or none where one exists already or cannot be written.

    Raises:
        UsageError: The folder cannot be written, or has such files already.
    """
    what = f"The folder {shown(str(folder))} cannot be written"
    also = (ValueError,)  # a name that no folder can have
    with file_errors(UsageError, what, "Choose another folder.", also=also), ExitStack() as stack:
        existing = [name for name in files if (folder / name).exists()]
        if existing and not is_forced:
            raise UsageError(
                f"The folder {shown(str(folder))} holds {', '.join(existing)} already. Choose "
                "another folder, or add --force to overwrite."
            )
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            stack.enter_context(replacing(folder / name)).write_bytes(content)
    return [folder / name for name in files]


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(plain(value), indent=2, allow_nan=False) + "\n").encode()


def export_command(args: argparse.Namespace) -> None:
    """Write runs into one archive."""
    from cnnlib.runs.archive.archive import export_runs

    if not (args.run_ids or args.group or args.all):
        raise UsageError("No run is selected. Give run ids, or add --group NAME or --all.")
    if not has_store():
        existing_store(args.run_ids[0] if args.run_ids else args.group or "")
    store = open_store()
    selected = list(args.run_ids)
    if args.group or args.all:
        found = store.runs(group=args.group) if args.group else store.runs()
        selected += [run.id for run in found if not run.is_live]
    ids = export_runs(store, selected, Path(args.output), weights=not args.no_weights)
    text = f"{plural(len(ids), 'run')} written to {args.output}"
    print_result({"file": args.output, "run_ids": ids}, text, as_json=args.json)


def import_command(args: argparse.Namespace) -> None:
    """Import the runs of an archive."""
    from cnnlib.runs.archive.archive import import_runs

    ids = import_runs(open_store(), Path(args.input))
    print_result({"file": args.input, "run_ids": ids}, "\n".join(ids), as_json=args.json)
