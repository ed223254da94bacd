"""``lessons``, ``teach`` and ``taught``: drawings with their classes, and learning from them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlib.cli.commands.datasets import dataset_named
from cnnlib.cli.commands.drawings import pixels_for
from cnnlib.cli.output import print_json, print_table
from cnnlib.cli.parser import PROGRAM, UsageError, id_of_run, unknown_name, whole_number
from cnnlib.cli.recipe_options import add_recipe_options, changed_recipe
from cnnlib.cli.run_here import carried_out
from cnnlib.cli.store import existing_store, run_at_step
from cnnlib.cli.submit import add_queue_options, follow_all, queued
from cnnlib.design.plan import plan
from cnnlib.errors import DataError
from cnnlib.records.files import replacing
from cnnlib.records.folders import Folders
from cnnlib.units import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cnnlib.runs import RunStore


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    lessons = commands.add_parser("lessons", help="drawings that were kept to teach networks")
    lessons.add_argument("--json", action="store_true", help="print a JSON list")
    lessons.set_defaults(command=list_collections)
    what = lessons.add_subparsers(metavar="WHAT", dest="what")

    listing = what.add_parser("list", help="how many drawings were kept, and of what")
    listing.set_defaults(command=list_collections)

    keep = what.add_parser("keep", help="keep pictures of drawings under their class")
    keep.add_argument("dataset", metavar="DATASET", help="whose classes they are: mnist")
    keep.add_argument("name", metavar="CLASS")
    keep.add_argument("pictures", metavar="FILE", nargs="+")
    keep.set_defaults(command=keep_drawings)

    export = what.add_parser("export", help="write what was kept as a zip of class folders")
    export.add_argument("dataset", metavar="DATASET")
    export.add_argument("output", metavar="FILE")
    export.set_defaults(command=export_collection)
    for parser in (listing, keep, export):
        parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="JSON")

    teach = commands.add_parser("teach", help="train a network on the drawings that were kept")
    teach.add_argument("run_id", metavar="ID", type=id_of_run)
    teach.add_argument("--step", metavar="N", type=whole_number, help="default: the last saved one")
    add_recipe_options(teach)
    add_queue_options(teach)
    teach.set_defaults(command=teach_run)

    taught = commands.add_parser("taught", help="what a lesson was worth, and what was forgotten")
    taught.add_argument("run_id", metavar="ID", type=id_of_run)
    taught.add_argument("--json", action="store_true", help="print JSON")
    taught.set_defaults(command=tell_worth)


def list_collections(args: argparse.Namespace) -> int:
    """Print each collection with its drawings per class."""
    from cnnlib.data.drawings import collections

    found = collections(Folders.from_environment())
    if args.json:
        facts = [
            {"dataset": name, "classes": counts, "drawings": sum(counts.values())}
            for name, counts in found.items()
        ]
        print_json(facts)
        return 0
    rows = [
        (name, sum(counts.values()), ", ".join(f"{each} {n}" for each, n in counts.items()))
        for name, counts in found.items()
    ]
    print_table(("dataset", "drawings", "of each class"), rows)
    return 0


def keep_drawings(args: argparse.Namespace) -> int:
    """Prepare pictures as the drawing pad does, and keep them under a class."""
    info = dataset_named(args.dataset)
    if args.name not in info.classes:
        raise UsageError(f"Class {unknown_name(args.name, info.classes)}")
    from cnnlib.data.drawings import save_drawing
    from cnnlib.probe.drawing import prepare_drawing

    drawings = [prepare_drawing(pixels_for(info, path), info.in_size) for path in args.pictures]
    for path, drawing in zip(args.pictures, drawings, strict=True):
        if drawing.is_empty:
            raise DataError(f"The picture {path!r} shows no ink on its paper. Choose another.")
    label, folders = info.classes.index(args.name), Folders.from_environment()
    files = [save_drawing(drawing.picture, label, info, folders) for drawing in drawings]
    if args.json:
        print_json({"class": args.name, "files": files})
    else:
        print(f"{len(files)} kept as {args.name}")
    return 0


def export_collection(args: argparse.Namespace) -> int:
    """Write a collection as a zip with one folder per class."""
    from cnnlib.data.drawings import drawings_zip, saved_drawings

    info, folders = dataset_named(args.dataset), Folders.from_environment()
    count = len(saved_drawings(info, folders))
    if not count:
        raise DataError(
            f"No drawing was kept for {args.dataset} yet. '{PROGRAM} lessons keep' keeps some."
        )
    try:
        with replacing(Path(args.output)) as file:
            file.write_bytes(drawings_zip(info, folders))
    except OSError as error:
        raise DataError(
            f"The zip {args.output!r} could not be written: {error.strerror}. Name another file."
        ) from error
    if args.json:
        print_json({"file": args.output, "drawings": count})
    else:
        print(f"{count} drawings written to {args.output}")
    return 0


def teach_run(args: argparse.Namespace) -> int:
    """Make a lesson of what was kept, train a network on it, and tell what that was worth."""
    from cnnlib.data.labelled_drawings import (
        FINE_TUNE_RECIPE,
        fine_tune_request,
        make_fine_tune_dataset,
    )

    store, run, saved = run_at_step(args.run_id, args.step)
    recipe = changed_recipe(FINE_TUNE_RECIPE, args)
    from cnnlib.probe.pictures import run_pictures

    lesson = make_fine_tune_dataset(run_pictures(run, store.folders), store.folders)
    request = fine_tune_request(run, saved.step, lesson, recipe)
    run_ids = queued(store, [request], plan(request.spec), now=args.now)
    code = follow_all(store, run_ids, args)
    if code or args.detach:
        return code
    return _worth(store, run_ids[0], args.json)


def tell_worth(args: argparse.Namespace) -> int:
    """Compare a run that was taught with the one before it."""
    return _worth(existing_store(args.run_id), args.run_id, args.json)


def _worth(store: RunStore, run_id: str, as_json: bool) -> int:
    from cnnlib.probe.fine_tune_job import measure_fine_tune

    found = carried_out(measure_fine_tune({"run": run_id}, store.folders))
    if as_json:
        print_json({"event": "worth", "run_id": run_id, **found})
        return 0
    print_table(("right of", "pictures", "before", "after", "change"), list(_rows(found)))
    return 0


def _rows(found: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    titles = {
        "trained on": "drawings that it learned from",
        "kept apart": "drawings that were kept apart",
        "test": "the test split from before",
    }
    rows = [(title, found[name]) for name, title in titles.items() if found[name]["count"]]
    return [
        (
            *(title, each["count"], percent(each["before"]), percent(each["after"])),
            f"{100 * (each['after'] - each['before']):+.2f} points",
        )
        for title, each in rows
    ]
