"""Labelled drawings: save and export them, fine-tune a network on them, report the effect."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlib.cli.commands.datasets import dataset_named
from cnnlib.cli.commands.drawings import pixels_for
from cnnlib.cli.output import print_result, print_rows
from cnnlib.cli.parser import (
    JSON_LINES,
    PROGRAM,
    UsageError,
    add_command,
    unknown_name,
    whole_number,
)
from cnnlib.cli.run_here import add_queue_options, follow_all
from cnnlib.cli.run_options import add_recipe_options, changed_recipe
from cnnlib.cli.store import DEFAULT_STEP, existing_store, run_at_step
from cnnlib.errors import DataError
from cnnlib.records.files import file_errors, replacing
from cnnlib.records.folders import Folders
from cnnlib.records.job import run_job
from cnnlib.units import percent, plural

if TYPE_CHECKING:
    from cnnlib.runs import RunStore


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    drawings = add_command(
        commands,
        "labelled-drawings",
        list_collections,
        "drawings saved with their class",
        json="print a JSON list",
        aliases=["lessons"],
    )
    subcommands = drawings.add_subparsers(metavar="WHAT", dest="what")
    add_command(subcommands, "list", list_collections, "number of saved drawings per class")
    save = add_command(
        subcommands,
        "save",
        save_drawings,
        "save drawings from picture files, with their class",
        aliases=["keep"],
    )
    save.add_argument(
        "dataset", metavar="DATASET", help="the dataset with this class, for example mnist"
    )
    save.add_argument("name", metavar="CLASS")
    save.add_argument("pictures", metavar="FILE", nargs="+")
    export = add_command(
        subcommands,
        "export",
        export_collection,
        "write saved drawings as a zip of class folders",
    )
    export.add_argument("dataset", metavar="DATASET")
    export.add_argument("output", metavar="FILE")
    fine_tune = add_command(
        commands,
        "fine-tune",
        fine_tune_run,
        "train a run further on your saved drawings",
        run=True,
        json=JSON_LINES,
        aliases=["teach"],
    )
    fine_tune.add_argument("--step", metavar="N", type=whole_number, help=DEFAULT_STEP)
    add_recipe_options(fine_tune)
    add_queue_options(fine_tune)
    add_command(
        commands,
        "fine-tune-report",
        report_fine_tune,
        "accuracies before and after fine-tuning",
        run=True,
        aliases=["taught"],
    )


def list_collections(args: argparse.Namespace) -> None:
    """Print the number of drawings per dataset and class."""
    from cnnlib.data.drawings import collections

    found = collections(Folders.from_environment())
    facts = [
        {"dataset": name, "classes": counts, "drawings": sum(counts.values())}
        for name, counts in found.items()
    ]
    rows = [
        (name, sum(counts.values()), ", ".join(f"{each} {n}" for each, n in counts.items()))
        for name, counts in found.items()
    ]
    headings = ("dataset", "drawings", "drawings per class")
    print_rows(facts, headings, rows, as_json=args.json)


def save_drawings(args: argparse.Namespace) -> None:
    """Prepare pictures as the drawing pad does, and save them under a class."""
    info = dataset_named(args.dataset)
    if args.name not in info.classes:
        raise UsageError(f"Class {unknown_name(args.name, info.classes)}")
    from cnnlib.data.drawings import save_drawing
    from cnnlib.probe.drawing import prepare_drawing

    drawings = [prepare_drawing(pixels_for(info, path), info.in_size) for path in args.pictures]
    for path, drawing in zip(args.pictures, drawings, strict=True):
        if drawing.is_empty:
            raise DataError(
                f"The picture {path!r} contains no drawing, only paper. Choose another picture."
            )
    label, folders = info.classes.index(args.name), Folders.from_environment()
    files = [save_drawing(drawing.picture, label, info, folders) for drawing in drawings]
    text = f"{plural(len(files), 'drawing')} saved as {args.name}"
    print_result({"class": args.name, "files": files}, text, as_json=args.json)


def export_collection(args: argparse.Namespace) -> None:
    """Write the drawings of a dataset as a zip with one folder per class."""
    from cnnlib.data.drawings import drawings_zip, saved_drawings

    info, folders = dataset_named(args.dataset), Folders.from_environment()
    count = len(saved_drawings(info, folders))
    if not count:
        raise DataError(
            f"No drawings are saved for {args.dataset} yet. Save some with "
            f"'{PROGRAM} labelled-drawings save'."
        )
    what = f"The zip {args.output!r} could not be written"
    with file_errors(DataError, what, "Choose another file."):
        with replacing(Path(args.output)) as file:
            file.write_bytes(drawings_zip(info, folders))
    text = f"{plural(count, 'drawing')} written to {args.output}"
    print_result({"file": args.output, "drawings": count}, text, as_json=args.json)


def fine_tune_run(args: argparse.Namespace) -> int:
    """Fine-tune a network on the saved drawings, and print accuracies before and after."""
    from cnnlib.data.labelled_drawings import FINE_TUNE_RECIPE
    from cnnlib.probe.pictures import run_pictures
    from cnnlib.train.submit import submit_fine_tuning

    store, run, saved = run_at_step(args.run_id, args.step)
    recipe = changed_recipe(FINE_TUNE_RECIPE, args)
    original = run_pictures(run, store.folders)
    run_ids = submit_fine_tuning(store, run, saved.step, original, recipe, now=args.now)
    code = follow_all(store, run_ids, args)
    if code or args.detach:
        return code
    return _print_report(store, run_ids[0], args.json)


def report_fine_tune(args: argparse.Namespace) -> int:
    """Compare a fine-tuned run with the run it started from."""
    return _print_report(existing_store(args.run_id), args.run_id, args.json)


def _print_report(store: RunStore, run_id: str, as_json: bool) -> int:
    from cnnlib.probe.fine_tune_job import measure_fine_tune

    found = run_job(measure_fine_tune({"run": run_id}, store.folders))
    facts = {"event": "worth", "run_id": run_id, **found}
    headings = ("accuracy on", "pictures", "before", "after", "change")
    print_rows(facts, headings, _rows(found), as_json=as_json)
    return 0


def _rows(found: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    titles = {
        "trained on": "drawings in the training split",
        "kept apart": "drawings held out",
        "test": "the test split of the dataset",
    }
    rows = [(title, found[name]) for name, title in titles.items() if found[name]["count"]]
    return [
        (
            *(title, each["count"], percent(each["before"]), percent(each["after"])),
            f"{100 * (each['after'] - each['before']):+.2f} percentage points",
        )
        for title, each in rows
    ]
