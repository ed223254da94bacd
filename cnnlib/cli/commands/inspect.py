"""``inspect``: errors, filters, feature maps, the arithmetic of one value, attribution."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from cnnlib.cli.commands.inspect_jobs import add_job_commands
from cnnlib.cli.diverged import fork_advice
from cnnlib.cli.inspect_args import add_options, open_run, window_at, write_values
from cnnlib.cli.output import print_facts, print_json, print_table
from cnnlib.cli.parser import PROGRAM, add_command, one_of, shown, whole_number
from cnnlib.cli.store import existing_store
from cnnlib.errors import ProbeError
from cnnlib.records.job import run_job
from cnnlib.records.run import RESUMABLE_STATES
from cnnlib.units import percent
from cnnlib.vocabulary.inspection import ATTRIBUTION_METHODS

if TYPE_CHECKING:
    import numpy as np

    from cnnlib.records.run import Run
    from cnnlib.runs import RunStore


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    group = commands.add_parser("inspect", help="analyse a trained network")
    subparsers = group.add_subparsers(metavar="WHAT", required=True, dest="what")
    add_command(subparsers, "errors", show_errors, "errors on the test split", run=True)
    filters = add_command(
        subparsers, "filters", write_filters, "weights of a convolution, to a file", run=True
    )
    add_options(filters, "layer", "out", "step")
    maps = add_command(
        subparsers, "maps", write_maps, "feature maps of a layer, to a file", run=True
    )
    add_options(maps, "layer", "out", "picture", "step")
    numbers = add_command(
        subparsers, "numbers", show_numbers, "the arithmetic of one value of a layer", run=True
    )
    add_options(numbers, "layer", "picture", "step")
    for name in ("channel", "row", "column"):
        numbers.add_argument(f"--{name}", metavar="N", type=whole_number, default=0)
    attribution = add_command(
        subparsers,
        "attribution",
        attribute_answer,
        "the pixels that the score of a class depends on, with a sanity check",
        run=True,
        aliases=["why"],
    )
    attribution.add_argument(
        "--method",
        metavar="NAME",
        type=one_of(ATTRIBUTION_METHODS),
        default="saliency",
        help=f"{', '.join(ATTRIBUTION_METHODS)}; default: saliency",
    )
    attribution.add_argument(
        "--class", metavar="NAME", dest="class_name", help="default: the predicted class"
    )
    attribution.add_argument("--out", metavar="FILE", help="file for the map: .npz, .json or .png")
    add_options(attribution, "picture", "step")
    add_job_commands(subparsers)


def show_errors(args: argparse.Namespace) -> None:
    """Print accuracy per class and the largest confusions."""
    from cnnlib.probe.errors import calibration, class_accuracy, confusion, read_predictions
    from cnnlib.probe.pictures import run_pictures

    store = existing_store(args.run_id)
    run = store.run(args.run_id)
    result = store.result(args.run_id)
    if result is None or not result.predictions_file:
        raise ProbeError(
            f"The run {run.id} has no results on the test split, which are measured when a run "
            f"finishes. {_advice_without_results(store, run)}"
        )
    found = read_predictions(store.file(run.id, result.predictions_file))
    names = run_pictures(run, store.folders).info.classes
    table, gap = confusion(found, len(names)), calibration(found).error
    accuracies = class_accuracy(table)
    if args.json:
        facts = {"classes": names, "confusion": table.tolist(), "calibration_error": gap}
        print_json(facts | {"class_accuracy": accuracies.tolist()})
        return
    print_table(
        ("class", "correct"),
        [(n, percent(float(a))) for n, a in zip(names, accuracies, strict=True)],
    )
    wrong = [
        (int(table[i, j]), i, j) for i in range(len(names)) for j in range(len(names)) if i != j
    ]
    rows = [(names[i], names[j], n) for n, i, j in sorted(wrong, reverse=True)[:10] if n]
    print()
    print_table(("true class", "predicted class", "pictures"), rows)
    print(f"\nConfidence and accuracy differ by {100 * gap:.2f} percentage points on average.")


def _advice_without_results(store: RunStore, run: Run) -> str:
    """Return what to do with a run that has no results on the test split."""
    if run.is_live:
        return "Let it finish, or choose a finished run."
    if run.state == "diverged":
        return f"This one diverged. {fork_advice(store, run)}".rstrip()
    if run.state in RESUMABLE_STATES:
        return f"This one is {run.state}. To continue it: '{PROGRAM} resume {run.id}'."
    return "Choose another run."


def write_filters(args: argparse.Namespace) -> None:
    """Write the filters of a convolution."""
    from cnnlib.probe.filters import filters

    inspected = open_run(args)
    found = filters(inspected.plan, inspected.weights, args.layer)
    is_rgb = found.shape[1] == 3
    tiles = found if is_rgb else found.reshape(-1, *found.shape[2:])
    _write(args, found, tiles)


def write_maps(args: argparse.Namespace) -> None:
    """Write the feature maps of a layer for a picture."""
    from cnnlib.probe.forward import finite_activations
    from cnnlib.probe.graph import step_named

    inspected = open_run(args)
    name = step_named(inspected.plan, args.layer).name
    found = finite_activations(inspected.net(), inspected.image(args.picture)[None])[name][0]
    _write(args, found, found if found.ndim == 3 else found[:, None, None])


def show_numbers(args: argparse.Namespace) -> None:
    """Print the arithmetic of one output value beside the network's own value."""
    from cnnlib.probe.arithmetic import arithmetic
    from cnnlib.probe.forward import finite_activations

    inspected = open_run(args)
    found = finite_activations(inspected.net(), inspected.image(args.picture)[None])
    made = arithmetic(inspected.plan, inspected.weights, found, args.layer, args.channel)
    window = window_at(made, args.row, args.column)
    facts = {"sum" if made.reduce == "sum" else "maximum": window.total, "bias": window.bias}
    facts |= {"together": window.value, "network": window.output}
    facts |= {name: float(values[args.row, args.column]) for name, values in made.after}
    if args.json:
        lists = {"window": window.patch, "kernel": made.kernel, "products": window.products}
        print_json(facts | {name: values.tolist() for name, values in lists.items()})
        return
    for name, products in zip(made.input_names, window.products, strict=True):
        print(f"{name}, products:")
        print("\n".join("  ".join(f"{value:9.4g}" for value in row) for row in products))
    print_facts(facts)


def attribute_answer(args: argparse.Namespace) -> None:
    """Write an attribution map, and print its sanity check."""
    from cnnlib.probe.attribution.methods import completeness, explain
    from cnnlib.probe.attribution.sanity_checks import check_ranking, ranking_of
    from cnnlib.probe.forward import finite_activations

    inspected = open_run(args)
    net, image = inspected.net(), inspected.image(args.picture)
    names = list(inspected.prepared.info.classes)
    if args.class_name is not None and args.class_name not in names:
        raise ProbeError(
            f"There is no class {shown(args.class_name)}. Choose one of: {', '.join(names)}."
        )
    predicted = int(list(finite_activations(net, image[None]).values())[-1][0].argmax())
    target = predicted if args.class_name is None else names.index(args.class_name)
    found = explain(net, image, target, args.method)
    total = completeness(net, image, target, args.method, found)
    check = run_job(check_ranking(ranking_of(args.method), net, image, target))
    if args.out:
        tiles = found[None] if len(found) == 3 else found
        write_values(args.out, found, tiles, verbose=not args.json)
    if args.json:
        facts = {"class": names[target], "method": args.method}
        facts |= {"completeness_gap": total.gap} if total else {}
        facts |= {"mean_probability": float(check.ordered.mean()), "copies": len(check.copies)}
        facts |= {"beaten_copies": check.beaten_copies, "correlation": check.correlation}
        facts |= {"random_networks": len(check.random_weights)}
        facts |= {"beaten_random_networks": check.beaten_random_weights}
        print_json(facts | {"informative": check.is_informative})
        return
    print(f"Score of class {names[target]}; predicted class: {names[predicted]}.")
    if total:
        print(total.sentence)
    print(check.sentence)
    print(check.details)


def _write(args: argparse.Namespace, values: np.ndarray, tiles: np.ndarray) -> None:
    write_values(args.out, values, tiles, verbose=not args.json)
    if args.json:
        print_json({"file": args.out, "shape": values.shape})
