"""``inspect``, what takes longer: surgery, what excites a filter, gradients; and ``convolve``."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from cnnlib.cli.inspect_args import (
    InspectedRun,
    add_run,
    file_picture,
    number_of_picture,
    open_run,
    write_values,
)
from cnnlib.cli.output import print_json, print_table
from cnnlib.cli.parser import one_of, shown, whole_number
from cnnlib.cli.run_here import carried_out
from cnnlib.errors import DataError, ProbeError
from cnnlib.records.folders import Folders
from cnnlib.units import percent

if TYPE_CHECKING:
    import argparse

    from cnnlib.records.probe import LayerGradient

_LARGEST_SIDE = 512  # pixels of a picture that is convolved
_LEAST = {"stride": 1, "padding": 0, "dilation": 1}
_MOST = _LARGEST_SIDE  # of each of them


def add_looks(looks: Any) -> None:
    """Add the commands under ``inspect``."""
    surgery = add_run(looks, "surgery", ablate, "what muting or resetting each filter costs")
    surgery.add_argument("--how", metavar="HOW", type=one_of(("mute", "reset")), default="mute")
    patches = add_run(looks, "excite", find_patches, "the test pictures' parts that excite a layer")
    maximise_activation_job = add_run(
        looks, "dream", find_dream, "the picture that excites a channel most"
    )
    maximise_activation_job.add_argument("--channel", metavar="N", type=whole_number, default=0)
    maximise_activation_job.add_argument(
        "--out", metavar="FILE", required=True, help="ends with .npz, .json, .png"
    )
    for each, count in ((surgery, 500), (patches, 1000)):
        each.add_argument(
            "--pictures", metavar="N", type=whole_number, default=count, help=f"default: {count}"
        )
    for each in (surgery, patches, maximise_activation_job):
        each.add_argument("--layer", metavar="NAME", required=True)
        each.add_argument("--seed", metavar="N", type=whole_number, default=0)
    slopes = add_run(looks, "gradients", show_gradients, "sizes of the loss's gradients by layer")
    slopes.add_argument("--picture", metavar="N|FILE", default="0", help="default: 0")
    slopes.add_argument("--class", metavar="NAME", dest="class_name", help="of a picture in a file")
    dead = add_run(looks, "dead", show_dead, "maps that say the same of every picture")
    dead.add_argument("--pictures", metavar="N", type=whole_number, default=200)
    for each in (surgery, patches, maximise_activation_job, slopes, dead):
        each.add_argument("--step", metavar="N", type=whole_number, help="default: the last saved")
        each.add_argument("--json", action="store_true", help="print JSON")


def add_commands(commands: Any) -> None:
    """Add ``convolve`` to the parser."""
    parser = commands.add_parser("convolve", help="slide a kernel over a picture")
    parser.add_argument("picture", metavar="FILE")
    parser.add_argument("--kernel", metavar="TEXT", required=True, help='"0 1 0; 1 -4 1; 0 1 0"')
    for name, least in _LEAST.items():
        parser.add_argument(f"--{name}", metavar="N", type=whole_number, default=least)
    parser.add_argument("--size", metavar="PIXELS", type=whole_number, default=32)
    parser.add_argument("--flip", action="store_true", help="turn the kernel: true convolution")
    for name in ("row", "column"):
        parser.add_argument(f"--{name}", metavar="N", type=whole_number, default=0)
    parser.add_argument("--out", metavar="FILE", help="the output; .npz, .json or .png")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=convolve_picture)


def ablate(args: argparse.Namespace) -> int:
    """Print what each filter of a layer is worth."""
    from cnnlib.probe.ablation import ablate

    looked = open_run(args)
    job = {**_job_args(args, looked), "how": args.how, "count": _positive(args.pictures)}
    found = carried_out(ablate(job, Folders.from_environment()))
    if args.json:
        print_json(found)
        return 0
    print(f"Untouched, {percent(found['before'])} of {found['count']} {found['split']} pictures.")
    names = looked.prepared.info.classes
    ranked = sorted(range(len(found["after"])), key=lambda i: found["after"][i])
    rows = [(i, percent(found["after"][i]), _hurt_most(found, i, names)) for i in ranked]
    print_table(("filter", "right without it", "class that loses most"), rows)
    return 0


def find_patches(args: argparse.Namespace) -> int:
    """Print where in which test pictures each channel of a layer answers most."""
    from cnnlib.probe.patches import find_patches

    job = {**_job_args(args, open_run(args)), "count": _positive(args.pictures)}
    found = carried_out(find_patches(job, Folders.from_environment()))
    if args.json:
        print_json(found)
        return 0
    print_table(
        ("channel", "picture", "row", "column", "answer"),
        [(channel, *places[0]) for channel, places in enumerate(found["found"])],
    )
    return 0


def find_dream(args: argparse.Namespace) -> int:
    """Write the picture that excites a channel most, and print how much."""
    import numpy as np

    from cnnlib.probe.activation_maximisation import maximise_activation_job

    job = {**_job_args(args, open_run(args)), "channel": args.channel}
    found = carried_out(maximise_activation_job(job, Folders.from_environment()))
    pixels = np.frombuffer(base64.b64decode(found["pixels"]), np.uint8).reshape(found["shape"])
    write_values(args.out, pixels, pixels[None] if len(pixels) == 3 else pixels, not args.json)
    if args.json:
        print_json({"answer": found["answer"], "began": found["began"], "file": args.out})
        return 0
    print(f"The mean answer rose from {found['began']:.3g}, for noise, to {found['answer']:.3g}.")
    return 0


def show_gradients(args: argparse.Namespace) -> int:
    """Print the size of the loss's gradient in each layer, and what is wrong with it."""
    from cnnlib.probe.gradients import by_layer, gradients, warnings_about

    looked = open_run(args)
    found = gradients(looked.net(), looked.image(args.picture), _label(looked, args))
    layers = by_layer(found, looked.weights)
    warnings = warnings_about(layers)
    if args.json:
        print_json({"loss": found.loss, "layers": layers, "warnings": warnings})
        return 0
    print(f"Loss on this picture {found.loss:.4g}, in evaluation mode.")
    print_table(("layer", "median", "95 %", "rms", "length", "length of weights"), _rows(layers))
    for sentence in warnings:
        print(sentence)
    return 0


def show_dead(args: argparse.Namespace) -> int:
    """Print which channels of which layers have one value on all of some test pictures."""
    import torch

    from cnnlib.data.batches import Normaliser
    from cnnlib.probe.dead_channels import dead_channels

    looked = open_run(args)
    pictures = looked.prepared.test_images[: _positive(args.pictures)]
    if not len(pictures):
        raise ProbeError(f"{looked.run.request.dataset} has no test pictures to try.")
    images = Normaliser(looked.prepared.info, "cpu")(torch.tensor(pictures)).numpy()
    found = {name: each.nonzero()[0] for name, each in dead_channels(looked.net(), images).items()}
    if args.json:
        print_json({"pictures": len(pictures), "dead": {n: e.tolist() for n, e in found.items()}})
        return 0
    rows = [(name, len(each), ", ".join(map(str, each[:20]))) for name, each in found.items()]
    print_table(("layer", "dead", "channels, the first 20"), rows)
    return 0


def convolve_picture(args: argparse.Namespace) -> int:
    """Print one value of the output, number by number, or write all of it."""
    from cnnlib.probe.convolution import convolve, parse_kernel

    if not 1 <= args.size <= _LARGEST_SIDE:
        raise DataError(f"--size {args.size} is not between 1 and {_LARGEST_SIDE}. Choose another.")
    settings = {name: getattr(args, name) for name in _LEAST}
    for name, value in settings.items():
        if not _LEAST[name] <= value <= _MOST:
            found = f"--{name} {value} is not from {_LEAST[name]} to {_MOST}."
            raise DataError(f"{found} Choose another.")
    picture = (file_picture(args.picture, args.size, 1)[0] / 255).astype("float32")
    made = convolve(picture, parse_kernel(args.kernel), flip=args.flip, **settings)
    try:
        window = made.at(args.row, args.column)
    except IndexError as error:
        raise ProbeError(f"There is no such place: {error}. Choose one inside.") from None
    if args.out:
        write_values(args.out, made.output, made.output[None], not args.json)
    if args.json:
        lists = {"window": window.patch[0].tolist(), "products": window.products[0].tolist()}
        print_json({**lists, "sum": window.total, "output": made.output.tolist()})
        return 0
    rows, columns = made.output.shape
    print(f"Output: {rows} x {columns}. Products at row {args.row}, column {args.column}:")
    for row in window.products[0]:
        print("  ".join(f"{value:9.4g}" for value in row))
    print(f"Sum: {window.total:.6g}")
    return 0


def _job_args(args: argparse.Namespace, looked: InspectedRun) -> dict[str, Any]:
    if args.seed < 0:
        raise DataError(f"--seed {args.seed} is less than 0. Choose another.")
    return {"run": looked.run.id, "step": looked.step, "layer": args.layer, "seed": args.seed}


def _positive(pictures: int) -> int:
    if pictures < 1:
        raise DataError(f"--pictures {pictures} is less than 1. Choose more.")
    return pictures


def _hurt_most(found: dict[str, Any], channel: int, names: tuple[str, ...]) -> str:
    """The class that loses most, in points; "" where none loses."""
    lost = [
        (before - after, name)
        for before, after, name in zip(
            found["classes_before"], found["classes_after"][channel], names, strict=True
        )
        if before is not None and after is not None
    ]
    most, name = max(lost, default=(0, ""))
    return f"{name} ({-100 * most:+.1f} points)" if most > 0 else ""


def _label(looked: InspectedRun, args: argparse.Namespace) -> int:
    """The true class of the picture."""
    names = looked.prepared.info.classes
    number = number_of_picture(args.picture)
    if args.class_name is None and number is not None:
        return int(looked.prepared.test_labels[number])
    if args.class_name not in names:
        asked = "Nobody knows the class of your own picture"
        if args.class_name is not None:
            asked = f"There is no class {shown(args.class_name)}"
        raise ProbeError(f"{asked}. Name it with --class: {', '.join(names)}.")
    return names.index(args.class_name)


def _rows(layers: list[LayerGradient]) -> list[tuple[Any, ...]]:
    return [
        (each.layer, each.quantiles[2], each.quantiles[4], each.rms, each.norm, each.weight_norm)
        for each in layers
    ]
