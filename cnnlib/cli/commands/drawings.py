"""``read``, ``predict`` and ``ood``: classify drawings and pictures, and detect unusual ones."""

from __future__ import annotations

import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from cnnlib.cli.diverged import warn_of_useless
from cnnlib.cli.inspect_args import file_picture
from cnnlib.cli.output import print_error, print_json, print_table
from cnnlib.cli.parser import (
    BAD_INPUT,
    UsageError,
    add_command,
    add_number,
    number,
    whole_number,
)
from cnnlib.cli.store import DEFAULT_STEP, existing_store, run_at_step, trained_net
from cnnlib.errors import DataError, FileMissing
from cnnlib.records.job import run_job
from cnnlib.units import percent

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from cnnlib.nets.model import Network
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.drawing import InkDifference, Robustness
    from cnnlib.records.probe import OodDetector

T = TypeVar("T")


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    read = add_command(
        commands,
        "read",
        read_drawings,
        "classify drawings of digits, prepared as on the drawing pad",
        run=True,
        json="print a JSON list",
    )
    read.add_argument("pictures", metavar="FILE", nargs="+")
    for step, text in (
        ("fit", "scale the ink to the size of a digit"),
        ("antialias", "average neighbouring pixels when the picture is reduced"),
        ("centre", "move the centre of mass to the centre"),
    ):
        read.add_argument(f"--no-{step}", action="store_false", dest=step, help=f"do not {text}")
    read.add_argument(
        "--blur", type=number, default=0.0, metavar="PIXELS", help="radius; default: 0"
    )
    add_command(
        commands,
        "ood",
        measure_ood,
        "measure how well out-of-distribution pictures are detected",
        run=True,
        aliases=["unfamiliar"],
    )
    predict = add_command(
        commands,
        "predict",
        predict_pictures,
        "class probabilities of pictures",
        run=True,
        json="print a JSON list",
    )
    predict.add_argument("pictures", metavar="FILE", nargs="+")
    predict.add_argument(
        "--invert", action="store_true", help="swap dark and light (for ink on paper)"
    )
    predict.add_argument("--step", metavar="N", type=whole_number, help=DEFAULT_STEP)
    add_number(predict, "--top", 3, "classes per picture, at least 1")


def read_drawings(args: argparse.Namespace) -> int:
    """Print the class of each drawing, and how often it stays after small changes.

    Prints the out-of-distribution score, too, where the run's detector was measured. Files that
    cannot be read are named.
    """
    from cnnlib.probe.answer import answer, robustness
    from cnnlib.probe.drawing import prepare_drawing
    from cnnlib.probe.ink import drawing_differences, ink_statistics_of, preparation_for
    from cnnlib.probe.ood.detector_file import ood_file, read_ood_detector
    from cnnlib.probe.ood.distance import distance
    from cnnlib.probe.pictures import run_pictures
    from cnnlib.records.drawing import Preparation

    store, run, saved = run_at_step(args.run_id)
    net = trained_net(store, run, saved)
    prepared = run_pictures(run, store.folders)
    info, known = prepared.info, ink_statistics_of(prepared)
    steps = preparation_for(known, Preparation(args.fit, args.antialias, args.centre, args.blur))
    detector = None
    with suppress(FileMissing):
        detector = read_ood_detector(store.file(run.id, ood_file(saved.step)))
    drawings, unread = _each_read(
        args.pictures,
        lambda path: prepare_drawing(pixels_for(info, path), info.in_size, steps),
    )
    found = []
    for path, drawing in drawings.items():
        picture = drawing.picture
        differences = drawing_differences(known, drawing)
        robust = robustness(net, info, answer(net, info, run, picture), picture)
        score = None
        if detector is not None:
            score = _ood_facts(detector, distance(detector, net, info, picture))
        facts = _facts(path, robust) | {"strangeness": score}
        found.append(facts | _ink_facts(differences, _steps_to_keep(args, info)))
    if args.json:
        print_json([*found, *unread])
        return BAD_INPUT if unread else 0
    rows = [
        (
            *(each["picture"], each["class"], percent(each["probability"])),
            f"{each['same_after']} of {each['changes']}",
            _ood_text(each["strangeness"]),
        )
        for each in found
    ]
    headings = (
        "picture",
        "class",
        "probability",
        "unchanged after small edits",
        "out of distribution",
    )
    if rows:
        print_table(headings, rows)
    _print_differences(found)
    return BAD_INPUT if unread else 0


def measure_ood(args: argparse.Namespace) -> None:
    """Measure the detector of a run, and print its error rates."""
    from cnnlib.probe.ood.distance import measure_ood as measure

    store = existing_store(args.run_id)
    warn_of_useless(store.run(args.run_id))
    result = run_job(measure({"run": args.run_id}, store.folders))
    if args.json:
        print_json(result)
        return
    rows = [("test pictures detected as out of distribution", percent(result["false_alarms"]))]
    rows += [(f"{kind} not detected", percent(share)) for kind, share in result["missed"].items()]
    print_table(("error", "rate"), rows)


def pixels_for(info: DatasetInfo, path: str) -> np.ndarray:
    """Read a picture, fitted into a square, as networks of a dataset see it.

    Returns:
        Side x side x 3, uint8, for a dataset with colours; else its ink, side x side.

    Raises:
        DataError: The file cannot be read, or is not a picture.
    """
    from cnnlib.probe.drawing import PHOTO_SIDE, ink_on_paper

    pixels = file_picture(path, PHOTO_SIDE, 3, info.fit).transpose(1, 2, 0)
    return pixels if info.in_size[0] == 3 else ink_on_paper(pixels)


def _facts(path: str, robust: Robustness) -> dict[str, Any]:
    answer = robust.answer
    return {
        "picture": path,
        "class": answer.name,
        "probability": answer.probability,
        "probabilities": dict(zip(answer.classes, answer.probabilities, strict=True)),
        "changes": len(robust.real_changes),
        "same_after": robust.kept,
    }


def _ood_facts(detector: OodDetector, away: float) -> dict[str, Any]:
    return {
        "distance": away,
        "threshold": detector.threshold,
        "real_pictures_nearer": detector.farther_than(away),
        "is_strange": detector.is_ood(away),
    }


def _ood_text(found: Mapping[str, Any] | None) -> str:
    """`no, farther than 12.00 % of training pictures`."""
    if found is None:
        return "not measured: run the command 'ood' first"
    share = percent(found["real_pictures_nearer"])
    return f"{'yes' if found['is_strange'] else 'no'}, farther than {share} of training pictures"


def predict_pictures(args: argparse.Namespace) -> int:
    """Print the most likely classes of each picture; files that cannot be read are named."""
    from cnnlib.probe.ink import ink_differences, ink_statistics_of
    from cnnlib.probe.pictures import run_pictures

    if args.top < 1:
        raise UsageError(
            f"--top {args.top} asks for no class, but each picture has at least one. Use 1 or more."
        )
    store, run, saved = run_at_step(args.run_id, args.step)
    prepared = run_pictures(run, store.folders)
    info, known = prepared.info, ink_statistics_of(prepared)
    pictures, unread = _each_read(args.pictures, lambda path: _picture(path, info, args.invert))
    found = _probabilities(trained_net(store, run, saved), list(pictures.values()), info)
    answers = []
    for (path, picture), probabilities in zip(pictures.items(), found, strict=True):
        differences = ink_differences(known, picture)
        preparation = _preparing_command(differences, args.run_id, path, info)
        facts = _probability_facts(path, probabilities)
        answers.append(facts | _ink_facts(differences, preparation))
    if args.json:
        print_json([*answers, *unread])
        return BAD_INPUT if unread else 0
    rows = [(each["picture"], _likeliest(each["probabilities"], args.top)) for each in answers]
    if rows:
        print_table(("picture", "most likely"), rows)
    _print_differences(answers)
    return BAD_INPUT if unread else 0


def _ink_facts(differences: Sequence[InkDifference], preparation: str) -> dict[str, Any]:
    """Return how a picture differs from the training pictures, and what mends that, or None."""
    from cnnlib.probe.ink import ink_offer

    return {"differences": differences, "advice": ink_offer(differences, preparation) or None}


def _print_differences(facts: Sequence[Mapping[str, Any]]) -> None:
    """Print one line for each picture that differs from the training pictures."""
    for each in facts:
        if each["differences"]:
            sentences = [difference.sentence for difference in each["differences"]]
            print(f"{each['picture']}: {' '.join(sentences)} {each['advice'] or ''}".rstrip())


def _each_read(
    paths: Sequence[str], read: Callable[[str], T]
) -> tuple[dict[str, T], list[dict[str, str]]]:
    """Read each file; name those that cannot be read on standard error, and go on.

    Returns:
        By path what was read, and the facts about the files that could not be.
    """
    found: dict[str, T] = {}
    unread = []
    for path in dict.fromkeys(paths):
        try:
            found[path] = read(path)
        except DataError as error:
            print_error(error)
            unread.append({"picture": path, "error": str(error)})
    return found, unread


def _preparing_command(
    differences: Sequence[InkDifference], run_id: str, path: str, info: DatasetInfo
) -> str:
    """Return a sentence on the command that prepares a picture; "" where none does."""
    if info.in_size[0] == 1:
        command = shlex.join(["python", "-m", "cnnlib", "read", run_id, path])
        return f"read turns it round, scales it and centres it: {command}"
    is_swapped = any(each.kind == "ink" for each in differences)
    return "--invert swaps dark and light." if is_swapped else ""


def _steps_to_keep(args: argparse.Namespace, info: DatasetInfo) -> str:
    """Return a sentence on the steps of ``read`` that were left out; "" if none was."""
    steps = [f"--no-{name}" for name in ("fit", "centre") if not getattr(args, name)]
    return f"Leave out {' and '.join(steps)}." if steps and info.in_size[0] == 1 else ""


def _picture(path: str, info: DatasetInfo, invert: bool) -> np.ndarray:
    """Read a picture in the size of the dataset: C x H x W, uint8."""
    channels, size, _ = info.in_size
    pixels = file_picture(path, size, channels, info.fit)
    return 255 - pixels if invert else pixels


def _probabilities(
    net: Network, pictures: Sequence[np.ndarray], info: DatasetInfo
) -> list[dict[str, float]]:
    """Return for each picture: class name -> probability."""
    if not pictures:
        return []
    import numpy as np

    from cnnlib.probe.answer import class_probabilities

    rows = class_probabilities(net, info, np.stack(pictures)).tolist()
    return [dict(zip(info.classes, row, strict=True)) for row in rows]


def _probability_facts(path: str, probabilities: Mapping[str, float]) -> dict[str, Any]:
    best = max(probabilities, key=probabilities.__getitem__)
    facts = {"picture": path, "class": best, "probability": probabilities[best]}
    return facts | {"probabilities": probabilities}


def _likeliest(probabilities: Mapping[str, float], count: int) -> str:
    """Format the most likely classes: ``7 98.12 %, 1 1.20 %``."""
    names = sorted(probabilities, key=probabilities.__getitem__, reverse=True)[:count]
    return ", ".join(f"{name} {percent(probabilities[name])}" for name in names)
