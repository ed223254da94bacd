"""``read`` and ``unfamiliar``: what networks say about drawings, and what they call strange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnlib.cli.inspect_args import file_picture
from cnnlib.cli.output import print_json, print_table
from cnnlib.cli.parser import id_of_run, number
from cnnlib.cli.run_here import carried_out
from cnnlib.cli.store import existing_store, run_at_step, trained_net
from cnnlib.units import percent

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    import numpy as np

    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.drawing import Robustness
    from cnnlib.records.ood import OodDetector

_SIDE = 280  # pixels to which a picture is brought before its ink is looked for


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
    strange.set_defaults(command=measure_ood)


def read_drawings(args: argparse.Namespace) -> int:
    """Print what a network says about each drawing, and how often small changes leave that.

    Where it was measured what the network calls strange, that is told too.
    """
    from cnnlib.probe.answer import answer, robustness
    from cnnlib.probe.drawing import prepare_drawing
    from cnnlib.probe.ood.distance import distance, ood_file, read_ood_detector
    from cnnlib.probe.pictures import run_pictures
    from cnnlib.records.drawing import Preparation

    store, run, saved = run_at_step(args.run_id)
    net = trained_net(store, run, saved)
    info = run_pictures(run, store.folders).info
    steps = Preparation(args.fit, args.antialias, args.centre, args.blur)
    known = read_ood_detector(ood_file(store.folders.run(run.id), saved.step))
    found = []
    for path in args.pictures:
        picture = prepare_drawing(pixels_for(info, path), info.in_size, steps).picture
        said = robustness(net, info, answer(net, info, run, picture), picture)
        strange = None
        if known is not None:
            strange = _strangeness(known, distance(known, net, info, picture))
        found.append(_facts(path, said) | {"strangeness": strange})
    if args.json:
        print_json(found)
        return 0
    rows = [
        (
            *(each["picture"], each["class"], percent(each["probability"])),
            f"{each['same_after']} of {each['changes']}",
            _strange_words(each["strangeness"]),
        )
        for each in found
    ]
    headings = ("picture", "says", "sure", "same after small changes", "looks strange")
    print_table(headings, rows)
    return 0


def measure_ood(args: argparse.Namespace) -> int:
    """Measure a run at its last saved step, and print how often its score is wrong."""
    from cnnlib.probe.ood.job import measure_ood as measure

    store = existing_store(args.run_id)
    result = carried_out(measure({"run": args.run_id}, store.folders))
    if args.json:
        print_json(result)
        return 0
    rows = [("real test pictures called strange", percent(result["false_alarms"]))]
    rows += [(f"{kind} taken for real", percent(share)) for kind, share in result["missed"].items()]
    print_table(("what goes wrong", "how often"), rows)
    return 0


def pixels_for(info: DatasetInfo, path: str) -> np.ndarray:
    """The square in the middle of a picture, as networks of a dataset are shown it.

    Returns:
        Side x side x 3, uint8, for those that see colours; else its ink, side x side.

    Raises:
        DataError: It is no picture, or cannot be read.
    """
    from cnnlib.probe.drawing import ink_on_paper

    pixels = file_picture(path, _SIDE, 3).transpose(1, 2, 0)
    return pixels if info.in_size[0] == 3 else ink_on_paper(pixels)


def _facts(path: str, said: Robustness) -> dict[str, Any]:
    answer = said.answer
    return {
        "picture": path,
        "class": answer.name,
        "probability": answer.probability,
        "probabilities": dict(zip(answer.classes, answer.probabilities, strict=True)),
        "changes": len(said.real_changes),
        "same_after": said.kept,
    }


def _strangeness(known: OodDetector, away: float) -> dict[str, Any]:
    return {
        "distance": away,
        "threshold": known.threshold,
        "real_pictures_nearer": known.farther_than(away),
        "is_strange": known.is_ood(away),
    }


def _strange_words(found: Mapping[str, Any] | None) -> str:
    """`no, 12.00 % of real ones are nearer`."""
    if found is None:
        return "not measured: see 'unfamiliar'"
    nearer = percent(found["real_pictures_nearer"])
    return f"{'yes' if found['is_strange'] else 'no'}, {nearer} of real ones are nearer"
