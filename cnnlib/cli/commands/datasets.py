"""``data``: list, show, prepare, add and remove datasets."""

from __future__ import annotations

import os
import sys
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlib.cli.output import print_facts, print_json, print_result, print_table
from cnnlib.cli.parser import (
    UsageError,
    add_command,
    one_of,
    shown,
    unknown_name,
    whole_number,
)
from cnnlib.cli.store import has_store, open_store
from cnnlib.errors import DataError
from cnnlib.units import format_size, plural
from cnnlib.vocabulary.datasets import CROP, FITS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from cnnlib.data.image_folder.sources import FolderOptions
    from cnnlib.data.prepared import SkippedPicture
    from cnnlib.records.dataset import DatasetInfo


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    data = add_command(
        commands,
        "data",
        list_datasets,
        "list, prepare, add and remove datasets",
        json="print a JSON list",
    )
    subcommands = data.add_subparsers(metavar="WHAT", dest="what")
    add_command(subcommands, "list", list_datasets, "list datasets")
    show = add_command(
        subcommands,
        "show",
        show_dataset,
        "classes, statistics and duplicates of a prepared dataset",
    )
    prepare = add_command(
        subcommands,
        "prepare",
        prepare_dataset,
        "download a dataset if necessary, and prepare it",
    )
    prepare.add_argument("--again", action="store_true", help="even if it is already prepared")
    _add_options(prepare, size=None, channels=None, fit=None)
    prepare.add_argument(
        "--folder",
        metavar="PATH=ROLE",
        action="append",
        default=[],
        help="what a folder is, if it was guessed wrongly: train, validation, test, class, group "
        "(of folders) or unused; guess leaves it to the lab again; can be repeated",
    )
    folders = add_command(
        subcommands, "folders", show_folders, "what each folder of an own dataset is taken for"
    )
    add = add_command(
        subcommands, "add", add_dataset, "add a zip with one folder of pictures per class"
    )
    add.add_argument("zip", metavar="ZIP")
    add.add_argument(
        "--name", metavar="TEXT", help="name of the dataset; default: the name of the zip"
    )
    _add_options(add, size=32, channels=3, fit=CROP)
    remove = add_command(
        subcommands,
        "remove",
        remove_one,
        "delete the prepared copy, download and upload of a dataset",
    )
    for each in (show, prepare, folders, remove):
        each.add_argument("name", metavar="NAME")


def _add_options(
    parser: argparse.ArgumentParser, size: int | None, channels: int | None, fit: str | None
) -> None:
    """Add the options of own pictures, with these defaults; None: as they were prepared before."""
    before = "as before" if size is None else ""
    parser.add_argument(
        "--size",
        metavar="N",
        type=whole_number,
        default=size,
        help=f"pixels per side; default: {before or size}",
    )
    parser.add_argument(
        "--channels",
        metavar="N",
        type=whole_number,
        default=channels,
        help=f"1: grey; 3: colour; default: {before or channels}",
    )
    fits = "; ".join(f"{name}: {each.help}" for name, each in FITS.items())
    parser.add_argument(
        "--fit",
        metavar="NAME",
        type=one_of(FITS),
        default=fit,
        help=f"pictures that are not square: {fits}; default: {before or fit}",
    )


def dataset_named(name: str) -> DatasetInfo:
    """Return the facts about a dataset.

    Raises:
        UsageError: The name is not a valid name of a dataset.
        DataError: There is no such dataset, or its pictures cannot be used.
    """
    from cnnlib.data.catalogue import dataset_info

    check_name(name)
    return dataset_info(name)


def check_name(name: str) -> None:
    """Check the form of a dataset's name.

    Raises:
        UsageError: It is not valid; the sentence suggests the closest name.
    """
    from cnnlib.vocabulary.datasets import BUILTIN

    if name not in BUILTIN and not name.startswith("folder:"):
        known = [*BUILTIN, "folder:<name>"]
        raise UsageError(f"Dataset {unknown_name(name, known)}")


def list_datasets(args: argparse.Namespace) -> None:
    """Print every dataset with its state."""
    from cnnlib.data.catalogue import catalogue

    infos = catalogue()
    if args.json:
        print_json(infos)
        return
    headings = ("name", "state", "pictures", "classes", "train", "test", "size", "note")
    print_table(headings, [_line(info) for info in infos])


def show_dataset(args: argparse.Namespace) -> None:
    """Print counts per class, mean and deviation per channel, duplicates, unusable files."""
    from cnnlib.data.prepared import load_prepared
    from cnnlib.data.statistics import class_counts, duplicates, size_notes

    dataset_named(args.name)
    data = load_prepared(args.name)
    counts, equal = class_counts(data), duplicates(data)
    notes = size_notes(data.info, counts)
    if args.json:
        facts = {"per_class": counts, "duplicates": equal, "skipped": data.skipped, "notes": notes}
        print_json(data.info.to_dict() | facts)
        return
    print_table(("class", "train", "test"), [(each.name, each.train, each.test) for each in counts])
    print()
    for note in notes:
        print(f"{note}\n")
    print_facts(
        {
            "mean": " ".join(f"{value:.4f}" for value in data.info.mean),
            "standard deviation": " ".join(f"{value:.4f}" for value in data.info.std),
            "pictures in both splits": len(equal.across),
            "duplicates in the training split": equal.train_repeats,
            "duplicates in the test split": equal.test_repeats,
            "equal pictures with different labels": len(equal.contradictions),
            "files not used": data.info.source.get("skipped", len(data.skipped)),
        }
    )
    if data.skipped:
        print()
        print_table(("files", "not used because", "such as"), _unused(data.skipped))


def _unused(skipped: Sequence[SkippedPicture]) -> list[tuple[int, str, str]]:
    """Count the unused files that are listed, by reason, with an example of each."""
    counts = Counter(each.reason for each in skipped)
    first = {each.reason: each.path for each in reversed(skipped)}
    return [(count, reason, first[reason]) for reason, count in counts.most_common()]


def prepare_dataset(args: argparse.Namespace) -> None:
    """Prepare a dataset with progress; Ctrl-C leaves no partial files."""
    dataset_named(args.name)
    from cnnlib.data.prepare import prepare

    printed = ""
    for progress in prepare(args.name, again=args.again, options=_changed_options(args)):
        if args.json:
            print_json({"event": "progress", "fraction": progress.fraction, "text": progress.text})
        elif progress.text != printed or sys.stdout.isatty():
            _print_progress(progress.fraction, progress.text)
            printed = progress.text
    info = dataset_named(args.name)
    counts = f"{info.train_count:,} training pictures, {info.test_count:,} test pictures"
    text = f"{counts}. {info.note}".rstrip() if info.name.startswith("folder:") else counts
    print_result({"event": "end"} | info.to_dict(), text, as_json=args.json)


def _changed_options(args: argparse.Namespace) -> FolderOptions | None:
    """Return the options of an own dataset with those of the command line; None without any.

    Raises:
        UsageError: The dataset is built in, or a role has no folder.
    """
    given = {name: getattr(args, name) for name in ("size", "channels", "fit")}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if not changes and not args.folder:
        return None
    if not args.name.startswith("folder:"):
        raise UsageError(
            f"--{next(iter(changes), 'folder')} is an option of your own pictures, and {args.name} "
            "is a built-in dataset. Leave it out."
        )
    from cnnlib.data.catalogue import folder_layout
    from cnnlib.data.prepared import changed_options, stored_options
    from cnnlib.records.folders import Folders

    places = Folders.from_environment()
    roles = dict(stored_options(args.name, places).roles)
    known = [row.path for row in folder_layout(args.name).folders]
    for each in args.folder:
        path, equals, role = each.rpartition("=")
        if not equals:
            raise UsageError(f"--folder {shown(each)} has no role. Write it as PATH=ROLE.")
        path = path.strip("/")
        if path not in known:
            raise UsageError(f"Folder {unknown_name(path, known)}")
        roles[path] = role
    roles = {path: role for path, role in roles.items() if role != "guess"}
    return changed_options(args.name, changes | {"roles": roles}, places)


def show_folders(args: argparse.Namespace) -> None:
    """Print the folders of an own dataset with what they are taken for, and what is unclear."""
    from cnnlib.data.catalogue import folder_layout
    from cnnlib.vocabulary.datasets import FOLDER_ROLES

    check_name(args.name)
    layout = folder_layout(args.name)
    if args.json:
        facts = {"folders": [row._asdict() for row in layout.folders]}
        print_json(facts | {"questions": layout.questions, "notes": layout.notes})
        return
    rows = [
        (
            f"{row.path}/",
            row.pictures,
            FOLDER_ROLES[row.role],
            row.reason,
        )
        for row in layout.folders
    ]
    print_table(("folder", "pictures", "taken for", "note"), rows)
    for sentence in (*(f"To be decided: {each.text}." for each in layout.questions), *layout.notes):
        print(sentence)


def add_dataset(args: argparse.Namespace) -> None:
    """Add a zip of class folders as the dataset ``folder:<name>``."""
    from cnnlib.data.image_folder.sources import FolderOptions
    from cnnlib.data.uploads import add_folder_zip

    path = Path(args.zip)
    if not os.path.isfile(path):  # False for an invalid file name, too
        raise DataError(f"There is no file {shown(args.zip)}. Give the path of a zip file.")
    options = FolderOptions(args.size, args.channels, args.fit)
    info = add_folder_zip(path, args.name or path.stem, options=options)
    text = f"{info.name}: {plural(len(info.classes), 'class')}. {info.note}".rstrip()
    print_result(info, text, as_json=args.json)


def remove_one(args: argparse.Namespace) -> None:
    """Remove prepared copies, downloads and the upload; a person's own folder stays."""
    from cnnlib.data.uploads import remove_dataset

    check_name(args.name)
    with _removing_owner(args.name):
        use = remove_dataset(args.name)
    stays = f"; {use.own_path} was kept" if use.own_path else ""
    text = f"{args.name}: {format_size(use.removable_bytes)} deleted{stays}"
    facts = {"name": args.name, "removed_bytes": use.removable_bytes}
    print_result(facts, text, as_json=args.json)


def _removing_owner(name: str) -> AbstractContextManager[None]:
    """Remove the dataset's owner from the store, where there is one."""
    if not has_store():
        return nullcontext()
    from cnnlib.runs.access.dataset_owners import removing_dataset

    return removing_dataset(open_store(), name)


def _print_progress(fraction: float, text: str) -> None:
    """Print a line of progress; on a terminal the next one replaces it."""
    on_terminal = sys.stdout.isatty() and fraction < 1
    end = "\r" if on_terminal else "\n"
    print(f"{fraction:4.0%}  {text}".ljust(79 if sys.stdout.isatty() else 0), end=end, flush=True)


def _line(info: DatasetInfo) -> tuple[Any, ...]:
    size = " x ".join(map(str, info.in_size))
    counts = (info.train_count or None, info.test_count or None)
    on_disk = format_size(info.size_bytes) if info.size_bytes else ""
    return (info.name, info.state_label, size, len(info.classes), *counts, on_disk, info.note)
