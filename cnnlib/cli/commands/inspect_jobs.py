"""``inspect`` ablation, patches, activation maximisation, gradients; and ``convolve``."""

from __future__ import annotations

import argparse
import base64
from typing import TYPE_CHECKING, Any

from cnnlib.cli.inspect_args import (
    InspectedRun,
    add_options,
    file_picture,
    number_of_picture,
    open_run,
    window_at,
    write_values,
)
from cnnlib.cli.output import print_json, print_result, print_rows, print_table
from cnnlib.cli.parser import add_command, add_number, one_of, shown, whole_number
from cnnlib.errors import DataError, ProbeError
from cnnlib.records.folders import Folders
from cnnlib.records.job import run_job
from cnnlib.units import percent, plural

if TYPE_CHECKING:
    from cnnlib.records.probe import LayerGradient

_LARGEST_SIDE = 512  # pixels of a picture that is convolved
_LEAST = {"stride": 1, "padding": 0, "dilation": 1}
_MOST = _LARGEST_SIDE  # of each of them


def add_job_commands(subparsers: Any) -> None:
    """Add the commands under ``inspect``."""
    ablation = add_command(
        subparsers,
        "ablation",
        ablate,
        "accuracy without each filter: its weights and bias set to 0, or reset",
        run=True,
        aliases=["surgery"],
    )
    ablation.add_argument(
        "--how",
        metavar="HOW",
        type=one_of(("mute", "reset")),
        default="mute",
        help="mute: set the weights and the bias of a filter to 0 (default); "
        "reset: restore its first saved weights",
    )
    patches = add_command(
        subparsers,
        "patches",
        find_patches,
        "the parts of test pictures that activate each channel most",
        run=True,
        aliases=["excite"],
    )
    maximise = add_command(
        subparsers,
        "maximise",
        maximise_activation,
        "an input that maximises the activation of a channel",
        run=True,
        aliases=["dream"],
    )
    maximise.add_argument("--channel", metavar="N", type=whole_number, default=0)
    add_options(maximise, "out")
    for each in (ablation, patches, maximise):
        add_options(each, "layer", "step")
        each.add_argument("--seed", metavar="N", type=whole_number, default=0)
    slopes = add_command(
        subparsers,
        "gradients",
        show_gradients,
        "size of the gradient of the loss in each layer",
        run=True,
    )
    add_options(slopes, "picture", "step")
    slopes.add_argument(
        "--class", metavar="NAME", dest="class_name", help="true class of a picture file"
    )
    dead = add_command(
        subparsers, "dead", show_dead, "channels with the same output on all pictures", run=True
    )
    add_options(dead, "step")
    for each, count in ((ablation, 500), (patches, 1000), (dead, 200)):
        add_number(each, "--pictures", count, "size of the sample")


def add_commands(commands: Any) -> None:
    """Add ``convolve`` to the parser."""
    parser = add_command(commands, "convolve", convolve_picture, "slide a kernel over a picture")
    parser.add_argument("picture", metavar="FILE")
    parser.add_argument("--kernel", metavar="TEXT", required=True, help='"0 1 0; 1 -4 1; 0 1 0"')
    for name, least in (_LEAST | {"row": 0, "column": 0}).items():
        parser.add_argument(f"--{name}", metavar="N", type=whole_number, default=least)
    add_number(parser, "--size", 32, "the picture is resized to this side length", metavar="PIXELS")
    parser.add_argument(
        "--flip",
        action="store_true",
        help="rotate the kernel by 180 degrees: convolution in the mathematical sense",
    )
    parser.add_argument("--out", metavar="FILE", help="file for the output: .npz, .json or .png")


def ablate(args: argparse.Namespace) -> None:
    """Print the accuracy without each filter of a layer."""
    from cnnlib.probe.ablation import ablate

    inspected = open_run(args)
    job = {**_job_args(args, inspected), "how": args.how, "count": _positive(args.pictures)}
    found = run_job(ablate(job, Folders.from_environment()))
    if args.json:
        print_json(found)
        return
    pictures = plural(found["count"], f"{found['split']} picture")
    print(f"Unchanged network: {percent(found['before'])} correct ({pictures}).")
    names = inspected.prepared.info.classes
    ranked = sorted(range(len(found["after"])), key=lambda i: found["after"][i])
    rows = [(i, percent(found["after"][i]), _hurt_most(found, i, names)) for i in ranked]
    print_table(("filter", "accuracy without it", "class that loses most"), rows)


def find_patches(args: argparse.Namespace) -> None:
    """Print the patch of a test picture that activates each channel of a layer most."""
    from cnnlib.probe.patches import find_patches

    job = {**_job_args(args, open_run(args)), "count": _positive(args.pictures)}
    found = run_job(find_patches(job, Folders.from_environment()))
    headings = ("channel", "picture", "row", "column", "activation")
    rows = [(channel, *places[0]) for channel, places in enumerate(found["found"])]
    print_rows(found, headings, rows, as_json=args.json)


def maximise_activation(args: argparse.Namespace) -> None:
    """Write an input that maximises the activation of a channel, and print the activation."""
    import numpy as np

    from cnnlib.probe.activation_maximisation import maximise_activation_job

    job = {**_job_args(args, open_run(args)), "channel": args.channel}
    found = run_job(maximise_activation_job(job, Folders.from_environment()))
    pixels = np.frombuffer(base64.b64decode(found["pixels"]), np.uint8).reshape(found["shape"])
    write_values(args.out, pixels, pixels[None] if len(pixels) == 3 else pixels, not args.json)
    facts = {"answer": found["answer"], "began": found["began"], "file": args.out}
    text = f"The mean activation rose from {found['began']:.3g} (noise) to {found['answer']:.3g}."
    print_result(facts, text, as_json=args.json)


def show_gradients(args: argparse.Namespace) -> None:
    """Print the size of the loss's gradient in each layer, with warnings."""
    from cnnlib.probe.filters import by_layer, warnings_about
    from cnnlib.probe.forward import gradients

    inspected = open_run(args)
    found = gradients(inspected.net(), inspected.image(args.picture), _label(inspected, args))
    layers = by_layer(found, inspected.weights)
    warnings = warnings_about(layers)
    if args.json:
        print_json({"loss": found.loss, "layers": layers, "warnings": warnings})
        return
    print(f"Loss on this picture: {found.loss:.4g}, in evaluation mode.")
    print_table(("layer", "median", "95 %", "RMS", "gradient norm", "weight norm"), _rows(layers))
    for sentence in warnings:
        print(sentence)


def show_dead(args: argparse.Namespace) -> None:
    """Print the channels of each layer that have one value on all pictures of a sample."""
    import torch

    from cnnlib.data.batches import Normaliser
    from cnnlib.probe.forward import dead_channels

    inspected = open_run(args)
    pictures = inspected.prepared.test_images[: _positive(args.pictures)]
    if not len(pictures):
        raise ProbeError(
            f"{inspected.run.request.dataset} has no test pictures. Choose another run."
        )
    images = Normaliser(inspected.prepared.info, "cpu")(torch.tensor(pictures)).numpy()
    found = {
        name: each.nonzero()[0] for name, each in dead_channels(inspected.net(), images).items()
    }
    facts = {"pictures": len(pictures), "dead": {n: e.tolist() for n, e in found.items()}}
    headings = ("layer", "dead channels", "numbers of the first 20")
    rows = [(name, len(each), ", ".join(map(str, each[:20]))) for name, each in found.items()]
    print_rows(facts, headings, rows, as_json=args.json)


def convolve_picture(args: argparse.Namespace) -> None:
    """Print the arithmetic of one output value, or write the whole output."""
    from cnnlib.probe.convolution import convolve, parse_kernel

    if not 1 <= args.size <= _LARGEST_SIDE:
        raise DataError(
            f"--size {args.size} is not between 1 and {_LARGEST_SIDE}. Choose a size in this range."
        )
    settings = {name: getattr(args, name) for name in _LEAST}
    for name, value in settings.items():
        if not _LEAST[name] <= value <= _MOST:
            found = f"--{name} {value} is not between {_LEAST[name]} and {_MOST}."
            raise DataError(f"{found} Choose a number in this range.")
    picture = (file_picture(args.picture, args.size, 1)[0] / 255).astype("float32")
    made = convolve(picture, parse_kernel(args.kernel), flip=args.flip, **settings)
    window = window_at(made, args.row, args.column)
    if args.out:
        write_values(args.out, made.output, made.output[None], not args.json)
    if args.json:
        lists = {"window": window.patch[0].tolist(), "products": window.products[0].tolist()}
        print_json({**lists, "sum": window.total, "output": made.output.tolist()})
        return
    rows, columns = made.output.shape
    print(f"Output: {rows} x {columns}. Products at row {args.row}, column {args.column}:")
    for row in window.products[0]:
        print("  ".join(f"{value:9.4g}" for value in row))
    print(f"Sum: {window.total:.6g}")


def _job_args(args: argparse.Namespace, inspected: InspectedRun) -> dict[str, Any]:
    if args.seed < 0:
        raise DataError(f"--seed {args.seed} is less than 0. Choose 0 or more.")
    return {"run": inspected.run.id, "step": inspected.step, "layer": args.layer, "seed": args.seed}


def _positive(pictures: int) -> int:
    if pictures < 1:
        raise DataError(f"--pictures {pictures} is less than 1. Choose 1 or more.")
    return pictures


def _hurt_most(found: dict[str, Any], channel: int, names: tuple[str, ...]) -> str:
    """Return the class that loses most, in points; "" where none loses."""
    lost = [
        (before - after, name)
        for before, after, name in zip(
            found["classes_before"], found["classes_after"][channel], names, strict=True
        )
        if before is not None and after is not None
    ]
    most, name = max(lost, default=(0, ""))
    return f"{name} ({-100 * most:+.1f} percentage points)" if most > 0 else ""


def _label(inspected: InspectedRun, args: argparse.Namespace) -> int:
    """Return the true class of the picture."""
    names = inspected.prepared.info.classes
    number = number_of_picture(args.picture)
    if args.class_name is None and number is not None:
        return int(inspected.prepared.test_labels[number])
    if args.class_name not in names:
        problem = "Your picture has no label"
        if args.class_name is not None:
            problem = f"There is no class {shown(args.class_name)}"
        raise ProbeError(f"{problem}. Choose its class with --class: {', '.join(names)}.")
    return names.index(args.class_name)


def _rows(layers: list[LayerGradient]) -> list[tuple[Any, ...]]:
    return [
        (each.layer, each.quantiles[2], each.quantiles[4], each.rms, each.norm, each.weight_norm)
        for each in layers
    ]
