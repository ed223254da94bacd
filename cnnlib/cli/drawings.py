"""``read`` and ``unfamiliar``: what networks say about drawings, and what they call strange."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlib.cli.output import percent, print_json, print_table
from cnnlib.cli.parser import id_of_run, number, shown
from cnnlib.cli.saved import saved_weights, trained_net
from cnnlib.cli.stores import existing_store
from cnnlib.errors import DataError

if TYPE_CHECKING:
    import numpy as np

_SIDE = 280  # pixels to which a picture is brought before its ink is looked for
_MOST_BYTES = 100_000_000


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    read = commands.add_parser("read", help="what a network says about drawings of digits")
    read.add_argument("run_id", metavar="ID", type=id_of_run)
    read.add_argument("pictures", metavar="FILE", nargs="+")
    for step, what in (
        ("fit", "bring the ink to the size of a digit"),
        ("antialias", "average over the pixels that become one"),
        ("centre", "move the centre of mass to the centre"),
    ):
        read.add_argument(f"--no-{step}", action="store_false", dest=step, help=f"do not {what}")
    read.add_argument("--blur", type=number, default=0.0, metavar="PIXELS", help="default: 0")
    read.add_argument("--json", action="store_true", help="print a JSON list")
    read.set_defaults(command=read_drawings)

    strange = commands.add_parser("unfamiliar", help="measure what a network calls strange")
    strange.add_argument("run_id", metavar="ID", type=id_of_run)
    strange.add_argument("--json", action="store_true", help="print JSON")
    strange.set_defaults(command=measure_unfamiliar)


def read_drawings(args: argparse.Namespace) -> int:
    """Print what a network says about each drawing, and how often small changes leave that."""
    from cnnlib.data.prepared import load_prepared
    from cnnlib.probe.answer import answer, robustness
    from cnnlib.probe.drawing import ink_on_paper, prepare_drawing
    from cnnlib.records.drawing import Preparation

    store = existing_store(args.run_id)
    run = store.run(args.run_id)
    net = trained_net(run, saved_weights(store, run, None))
    info = load_prepared(run.request.dataset, store.folders).info
    steps = Preparation(args.fit, args.antialias, args.centre, args.blur)
    found = []
    for path in args.pictures:
        pixels = _picture(path)
        if info.in_size[0] == 1:
            pixels = ink_on_paper(pixels)
        picture = prepare_drawing(pixels, info.in_size, steps).picture
        found.append(robustness(net, info, answer(net, info, run, picture), picture))
    if args.json:
        print_json(
            [
                {
                    "picture": path,
                    "class": each.answer.name,
                    "probability": each.answer.probability,
                    "probabilities": dict(
                        zip(each.answer.classes, each.answer.probabilities, strict=True)
                    ),
                    "changes": len(each.real_changes),
                    "same_after": each.kept,
                }
                for path, each in zip(args.pictures, found, strict=True)
            ]
        )
        return 0
    rows = [
        (
            path,
            each.answer.name,
            percent(each.answer.probability),
            f"{each.kept} of {len(each.real_changes)}",
        )
        for path, each in zip(args.pictures, found, strict=True)
    ]
    print_table(("picture", "says", "sure", "same after small changes"), rows)
    return 0


def measure_unfamiliar(args: argparse.Namespace) -> int:
    """Measure a run at its last saved step, and print how often its score is wrong."""
    from cnnlib.probe.unfamiliar_job import measure_unfamiliar as measure

    store = existing_store(args.run_id)
    work = measure({"run": args.run_id}, store.folders)
    while True:
        try:
            next(work)
        except StopIteration as end:
            result = end.value
            break
    if args.json:
        print_json(result)
        return 0
    rows = [("real test pictures called strange", percent(result["false_alarms"]))]
    rows += [(f"{kind} taken for real", percent(share)) for kind, share in result["missed"].items()]
    print_table(("what goes wrong", "how often"), rows)
    return 0


def _picture(path: str) -> np.ndarray:
    """The square in the middle of a picture: side x side x 3, uint8.

    Raises:
        DataError: It is none, or cannot be read.
    """
    from cnnlib.data.pictures import BrokenPicture, decode

    try:
        with Path(path).open("rb") as file:
            return decode(file.read(_MOST_BYTES), _SIDE, 3).transpose(1, 2, 0)
    except (OSError, ValueError, BrokenPicture) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(
            f"The picture {shown(path)} cannot be read: {why}. Choose another."
        ) from error
