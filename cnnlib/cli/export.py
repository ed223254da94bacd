"""``export``: a run or a design as files that need nothing of the lab."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnlib.cli.design_options import add_design_options, chosen_design
from cnnlib.cli.output import plain, print_json
from cnnlib.cli.parser import UsageError, id_of_run, shown, whole_number
from cnnlib.cli.run_facts import all_run_facts
from cnnlib.cli.saved import saved_weights, trained_net
from cnnlib.cli.stores import existing_store
from cnnlib.design.plan import Plan, plan
from cnnlib.design.source import source
from cnnlib.design.summary import summary
from cnnlib.records.dataset import DatasetInfo

WEIGHTS_FILE = "weights.safetensors"
Texts = dict[str, str]


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    export = commands.add_parser("export", help="write a run or a design as files of its own")
    which = add_design_options(export)
    which.add_argument(
        "run_id", metavar="ID", nargs="?", type=id_of_run, help="a run; its weights come along"
    )
    export.add_argument("--to", metavar="FOLDER", required=True, help="is made where there is none")
    export.add_argument("--step", metavar="N", type=whole_number, help="default: the last saved")
    export.add_argument("--force", action="store_true", help="write over files that are there")
    export.add_argument("--json", action="store_true", help="print JSON")
    export.set_defaults(command=export_files)


def export_files(args: argparse.Namespace) -> int:
    """Write the stand-alone network, its summary and its JSON; of a run also the weights."""
    if args.run_id:
        files = _export_run(args)
    else:
        design = chosen_design(args, None)
        files = _write(args, _design_texts(design.plan, design.preset))
    if args.json:
        print_json({"files": files})
    else:
        for file in files:
            print(file)
    return 0


def _export_run(args: argparse.Namespace) -> list[Path]:
    """Weights and facts of a run beside its design."""
    from cnnlib.data.catalogue import dataset_info
    from cnnlib.train.checkpoint import write_weights

    store = existing_store(args.run_id)
    run = store.run(args.run_id)
    saved = saved_weights(store, run, args.step)
    facts = all_run_facts(store, run) | {
        "exported_step": saved.step,
        "pictures": _picture_facts(dataset_info(run.request.dataset, store.folders)),
    }
    texts = _design_texts(plan(run.request.spec), run.request.name or run.request.preset)
    net = trained_net(store, run, saved)
    files = _write(args, texts | {"run.json": _json(facts)}, also=WEIGHTS_FILE)
    weights = Path(args.to) / WEIGHTS_FILE
    write_weights(weights, net, saved.step)
    return [weights, *files]


def _design_texts(planned: Plan, title: str) -> Texts:
    """What can be written of any design: file name -> text."""
    return {
        "net.py": source(planned, title),
        "summary.md": summary(planned, title),
        "design.json": _json(planned.spec.to_dict()),
    }


def _picture_facts(info: DatasetInfo) -> dict[str, Any]:
    """What the network was fed: bytes / 255, less mean, over std, per channel."""
    names = ("name", "in_size", "classes", "mean", "std", "fingerprint")
    return {name: getattr(info, name) for name in names}


def _write(args: argparse.Namespace, texts: Texts, also: str = "") -> list[Path]:
    """Write all texts, or none where one of the files is there already.

    Args:
        also: Another file that the caller is about to write.

    Raises:
        UsageError: The folder cannot be written, or holds such files.
    """
    folder = Path(args.to)
    try:
        there = [name for name in (*texts, also) if name and (folder / name).exists()]
        if there and not args.force:
            raise UsageError(
                f"The folder {shown(args.to)} holds {', '.join(there)} already. Choose another "
                "folder, or add --force to write over them."
            )
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: a name that no folder can have
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"The folder {shown(args.to)} cannot be written: {why}. Choose another one."
        ) from error
    return [folder / name for name in texts]


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(plain(value), indent=2, allow_nan=False) + "\n"
