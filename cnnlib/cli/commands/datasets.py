"""``data``: list, show, prepare, add and remove datasets; list their odd pictures."""

from __future__ import annotations

import os
import sys
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any, TypeVar

from cnnlib.cli.output import print_facts, print_json, print_result, print_table
from cnnlib.cli.parser import (
    UsageError,
    add_command,
    add_number,
    one_of,
    shown,
    unknown_name,
    whole_number,
)
from cnnlib.cli.store import has_store, open_store
from cnnlib.data.image_folder.split_names import SPLITS, VALIDATION
from cnnlib.errors import DataError
from cnnlib.records.files import file_errors, replacing
from cnnlib.units import format_size, plural
from cnnlib.vocabulary.datasets import CROP, FITS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator, Mapping, Sequence

    from cnnlib.data.image_folder.sources import FolderOptions
    from cnnlib.data.prepared import SkippedPicture
    from cnnlib.data.statistics import ClassCount
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.folders import Folders
    from cnnlib.records.job import Progress

T = TypeVar("T")
_NOTE_WIDTH = 60


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
        "classes and notes of a dataset; statistics and duplicates of a prepared one",
    )
    odd = add_command(
        subcommands,
        "odd",
        find_odd,
        "duplicates of a prepared dataset; with a run also likely wrong labels and outliers",
    )
    odd.add_argument(
        "--run",
        metavar="ID",
        dest="run_id",
        help="a run on this dataset; default: the finished one with the highest accuracy",
    )
    augment = add_command(
        subcommands,
        "augment",
        augment_pictures,
        "write a PNG with a picture of each class, before and after random augmentation",
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
        "(of folders), part (of a class) or unused; guess takes what the lab takes it for; can be "
        "repeated",
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
    for each in (show, odd, augment, prepare, folders, remove):
        each.add_argument("name", metavar="NAME")
    augment.add_argument("output", metavar="FILE")
    augment.add_argument("--flip", action="store_true", help="mirror at random")
    for name, text in (("shift", "most pixels in each direction"), ("cutout", "side in pixels")):
        add_number(augment, f"--{name}", 0, text)
    add_number(augment, "--seed", 1, "start value of the random numbers")


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
    from cnnlib.data.image_folder.sources import folder_sources
    from cnnlib.records.folders import Folders
    from cnnlib.vocabulary.datasets import BUILTIN

    if name in BUILTIN or name.startswith("folder:"):
        return
    if any(each.name == f"folder:{name}" for each in folder_sources(Folders.from_environment())):
        raise UsageError(
            f"Dataset {shown(name)} is not known. The names of your own datasets begin with "
            f"'folder:'. Write {shown(f'folder:{name}')}."
        )
    raise UsageError(f"Dataset {unknown_name(name, [*BUILTIN, 'folder:<name>'])}")


def list_datasets(args: argparse.Namespace) -> None:
    """Print every dataset with its state."""
    from cnnlib.data.catalogue import catalogue

    infos = catalogue()
    if args.json:
        print_json(infos)
        return
    headings = ("name", "state", "pictures", "classes", *SPLITS, "size", "note")
    print_table(headings, [_line(info) for info in infos])


def show_dataset(args: argparse.Namespace) -> None:
    """Print notes, counts per class, mean and deviation per channel, duplicates, unused files.

    Of an own dataset that is not prepared, it prints what the names of its files tell.
    """
    from cnnlib.data.catalogue import folder_survey
    from cnnlib.data.prepared import load_prepared
    from cnnlib.data.statistics import class_counts, duplicates, size_notes

    info = dataset_named(args.name)
    if info.state == "here" and info.name.startswith("folder:"):
        counts = folder_survey(args.name).counts
        _show_counts(args, info, counts, {"notes": size_notes(info, counts)})
        return
    data = load_prepared(args.name)
    counts, equal = class_counts(data), duplicates(data)
    notes = size_notes(data.info, counts)
    facts = {"duplicates": equal, "skipped": data.skipped, "notes": notes}
    _show_counts(args, info, counts, facts)
    if args.json:
        return
    print()
    for note in notes:
        print(f"{note}\n")
    print_facts(
        {
            "mean": " ".join(f"{value:.4f}" for value in info.mean),
            "standard deviation": " ".join(f"{value:.4f}" for value in info.std),
            "pictures in both splits": len(equal.across),
            "duplicates in the training split": equal.train_repeats,
            "duplicates in the test split": equal.test_repeats,
            "equal pictures with different labels": len(equal.contradictions),
            "files not used": info.source.get("skipped", len(data.skipped)),
        }
    )
    if data.skipped:
        print()
        print_table(("files", "not used because", "such as"), _unused(data.skipped))


def _show_counts(
    args: argparse.Namespace,
    info: DatasetInfo,
    counts: Sequence[ClassCount],
    more: Mapping[str, Any],
) -> None:
    """Print the counts per class and all sentences about a dataset; as JSON, with more facts."""
    if args.json:
        print_json(info.to_dict() | {"per_class": counts, **more})
        return
    splits = [split for split in SPLITS if split != VALIDATION or info.validation_count]
    rows = [(each.name, *(getattr(each, split) for split in splits)) for each in counts]
    print_table(("class", *splits), rows)
    print()
    print(f"{info.counts_text}, {info.state_label}.")
    for sentence in info.remarks:
        print(sentence)


def _unused(skipped: Sequence[SkippedPicture]) -> list[tuple[int, str, str]]:
    """Count the unused files that are listed, by reason, with an example of each."""
    counts = Counter(each.reason for each in skipped)
    first = {each.reason: each.path for each in reversed(skipped)}
    return [(count, reason, first[reason]) for reason, count in counts.most_common()]


def find_odd(args: argparse.Namespace) -> None:
    """Print the odd pictures of a dataset, the likely wrong labels first, with progress."""
    from cnnlib.data.prepared import load_prepared
    from cnnlib.probe.odd import best_run, find_odd_pictures
    from cnnlib.records.folders import Folders

    dataset_named(args.name)
    info, folders = load_prepared(args.name).info, Folders.from_environment()
    run_id = args.run_id
    if run_id is None and has_store():
        run = best_run(open_store(), info)
        run_id = run.id if run else None
    found = _followed(find_odd_pictures({"dataset": info.name, "run": run_id or ""}, folders))
    if args.json:
        print_json(found)
        return
    rows = [
        (each["kind"], each["split"], each["index"], info.classes[each["label"]], each["sentence"])
        for each in found["pictures"]
    ]
    if rows:
        print_table(("kind", "split", "number", "class", "what is odd"), rows)
        print()
    counts = found["counts"]
    print(
        f"{plural(counts['label'], 'likely wrong label')}, "
        f"{plural(counts['duplicate'], 'duplicate')}, {plural(counts['outlier'], 'outlier')}."
    )
    print(
        f"Network: {found['title']}."
        if run_id
        else "Likely wrong labels and outliers need a run on this dataset. Train one first."
    )


_VARIANTS = 8  # of each picture; the first is the picture itself


def augment_pictures(args: argparse.Namespace) -> None:
    """Write a PNG: a row for each class, the original first."""
    import numpy as np

    from cnnlib.data.drawings import png
    from cnnlib.data.prepared import load_prepared
    from cnnlib.probe.viewer.functions import augmented
    from cnnlib.records.recipe import Augmentation

    options = Augmentation(args.flip, args.shift, args.cutout)
    dataset_named(args.name)
    data = load_prepared(args.name)
    firsts = np.unique(data.train_labels, return_index=True)[1]
    pictures = np.array(data.train_images[firsts])
    changed = augmented(pictures, data.info, options, args.seed, _VARIANTS)
    channels, height, width = data.info.in_size
    rows = changed.reshape(len(firsts), _VARIANTS, channels, height, width)
    sheet = rows.transpose(2, 0, 3, 1, 4).reshape(channels, len(firsts) * height, -1)
    what = f"The picture {args.output!r} could not be written"
    with file_errors(DataError, what, "Choose another file."):
        with replacing(Path(args.output)) as file:
            file.write_bytes(png(sheet))
    text = f"{plural(len(firsts), 'picture')} with {_VARIANTS - 1} variants each: {args.output}"
    print_result({"file": args.output, "pictures": len(firsts)}, text, as_json=args.json)


def _followed(job: Generator[Progress, None, T]) -> T:
    """Run a job to its end; on a terminal, its progress is shown."""
    while True:
        try:
            progress = next(job)
        except StopIteration as end:
            return end.value
        if sys.stderr.isatty():
            line = f"{progress.fraction:4.0%}  {progress.text}".ljust(79)
            print(line, end="\r", file=sys.stderr, flush=True)


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
    sentences = info.remarks if info.name.startswith("folder:") else ()
    text = " ".join((f"{info.counts_text}.", *sentences))
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
    from cnnlib.data.prepared import changed_options
    from cnnlib.records.folders import Folders

    places = Folders.from_environment()
    if args.folder:
        changes["roles"] = _answered_roles(args, places)
    return changed_options(args.name, changes, places)


def _answered_roles(args: argparse.Namespace, places: Folders) -> dict[str, str]:
    """Return the stored roles of an own dataset with those of the command line.

    Where others stay unclear, they are stored at once, and the next command answers the rest.

    Raises:
        UsageError: A folder is not known, or has no role.
        RecipeError: A role is not known.
        DataError: With these roles, there are no classes.
    """
    from cnnlib.data.catalogue import folder_survey
    from cnnlib.data.prepared import changed_options, store_roles, stored_options

    roles = dict(stored_options(args.name, places).roles)
    known = [row.path for row in folder_survey(args.name).layout.folders]
    for each in args.folder:
        path, equals, role = each.rpartition("=")
        if not equals:
            raise UsageError(f"--folder {shown(each)} has no role. Write it as PATH=ROLE.")
        path = path.strip("/")
        if path not in known:
            raise UsageError(f"Folder {unknown_name(path, known)}")
        roles[path] = role
    guessed = {path for path, role in roles.items() if role == "guess"}
    roles = {path: role for path, role in roles.items() if role != "guess"}
    roles = dict(changed_options(args.name, {"roles": roles}, places).roles)
    if guessed:  # where the lab asks, its guess is confirmed
        layout = folder_survey(args.name, places, roles).layout
        asked = {path for question in layout.questions for path in question.paths}
        roles |= {row.path: row.role for row in layout.folders if row.path in asked & guessed}
    if folder_survey(args.name, places, roles).layout.questions:
        store_roles(args.name, roles, places)
    return roles


def show_folders(args: argparse.Namespace) -> None:
    """Print the folders of an own dataset with what they are taken for, and what is unclear."""
    from cnnlib.data.catalogue import folder_survey
    from cnnlib.vocabulary.datasets import FOLDER_ROLES

    check_name(args.name)
    survey = folder_survey(args.name)
    layout, warnings = survey.layout, survey.warnings
    if args.json:
        facts = {"folders": [row._asdict() for row in layout.folders], "warnings": warnings}
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
    questions = [f"To be decided: {each.text}." for each in layout.questions]
    for sentence in (*questions, *warnings, *layout.notes):
        print(sentence)


def add_dataset(args: argparse.Namespace) -> None:
    """Add a zip of class folders as the dataset ``folder:<name>``."""
    from cnnlib.data.image_folder.sources import FolderOptions
    from cnnlib.data.uploads import add_folder_zip
    from cnnlib.records.folders import Folders

    path = Path(args.zip)
    if os.path.isdir(path):
        raise DataError(
            f"{shown(args.zip)} is a folder, and this command takes a zip. Make a zip of it, or "
            f"copy it to {Folders.from_environment().data}."
        )
    if not os.path.isfile(path):  # False for an invalid file name, too
        raise DataError(f"There is no file {shown(args.zip)}. Give the path of a zip file.")
    options = FolderOptions(args.size, args.channels, args.fit)
    info = add_folder_zip(path, args.name or path.stem, options=options)
    text = " ".join((f"{info.name}: {plural(len(info.classes), 'class')}.", *info.remarks))
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
    counts = (info.fitted_count or None, info.validation_count or None, info.test_count or None)
    on_disk = format_size(info.size_bytes) if info.size_bytes else ""
    about = "to be decided: see 'data folders'" if info.question else " ".join(info.remarks)
    note = shorten(about, _NOTE_WIDTH, placeholder=" ...")  # `data show` prints the whole
    return (info.name, info.state_label, size, len(info.classes), *counts, on_disk, note)
