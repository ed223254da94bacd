"""``presets`` and ``cost``: designs, and their cost before training."""

from __future__ import annotations

import argparse
from typing import Any

from cnnlib.cli.commands.datasets import dataset_named
from cnnlib.cli.design_options import add_adapt_option, add_design_options, selected_design
from cnnlib.cli.output import print_facts, print_json, print_rows, print_table
from cnnlib.cli.parser import add_command, one_of, whole_number_from
from cnnlib.design.cost import MAX_BATCH_SIZE, Cost, LayerCost, cost, larger_than_image
from cnnlib.design.plan import plan
from cnnlib.design.presets import Preset, presets
from cnnlib.units import plural
from cnnlib.vocabulary.training import OPTIMIZERS


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    add_command(
        commands, "presets", list_presets, "list the ready-made networks", json="print a JSON list"
    )
    counting = add_command(
        commands,
        "cost",
        show_cost,
        "parameters, MACs and memory, layer by layer",
        json="print a JSON object",
    )
    add_design_options(counting)
    counting.add_argument("--dataset", metavar="NAME", help="adapt the design to this dataset")
    add_adapt_option(counting)
    counting.add_argument(
        "--batch-size",
        metavar="N",
        type=whole_number_from(1, MAX_BATCH_SIZE),
        default=128,
        help="default: 128",
    )
    counting.add_argument(
        "--optimizer",
        metavar="NAME",
        type=one_of(OPTIMIZERS),
        default="sgd",
        help="its state needs memory; default: sgd",
    )


def list_presets(args: argparse.Namespace) -> None:
    """Print all presets with parameters and MACs."""
    facts = [_preset_facts(preset) for preset in presets()]
    names = ("name", "params", "macs", "description")
    rows = [[preset[name] for name in names] for preset in facts]
    print_rows(facts, names, rows, as_json=args.json)


def show_cost(args: argparse.Namespace) -> None:
    """Print the cost of a design, per layer and in total."""
    info = dataset_named(args.dataset) if args.dataset else None
    design = selected_design(args, info)
    costs = cost(design.plan, batch_size=args.batch_size, optimizer=args.optimizer)
    if args.json:
        print_json(_cost_facts(costs) | {"spec": design.plan.spec})
        return
    headings = (
        "layer",
        "output",
        "params",
        "MACs",
        "output bytes",
        "saved bytes",
        "receptive field",
    )
    print_table(headings, [_layer_line(row) for row in costs.layers])
    print()
    print_facts(
        {
            "parameters": costs.params,
            "MACs per picture": costs.macs,
            "FLOPs of a forward pass, per picture": costs.flops,
            f"FLOPs of a training step, batch size {costs.batch_size}": costs.training_step_flops,
            "bytes of the weights": costs.weight_bytes,
            f"bytes of a training step, batch size {costs.batch_size}": costs.training_bytes,
            "at its peak, in the": costs.training_peak.moment,
            **{f"  {label}": size for label, size in costs.training_peak.labelled()},
            f"bytes of an evaluation, batch size {costs.batch_size}": costs.evaluation_peak.bytes,
            "receptive field": plural(costs.receptive_field, "pixel"),
        }
    )
    largest = max(row.field.size for row in costs.layers)
    if sentence := larger_than_image(largest, design.plan.spec.in_size):
        print(f"\n{sentence}")


def _preset_facts(preset: Preset) -> dict[str, Any]:
    costs = cost(plan(preset.spec))
    return {
        "name": preset.name,
        "title": preset.title,
        "description": preset.description,
        "source": preset.source,
        "params": costs.params,
        "macs": costs.macs,
        "spec": preset.spec,
    }


def _cost_facts(costs: Cost) -> dict[str, Any]:
    """All totals, and one row per layer."""
    totals = {name: getattr(costs, name) for name in costs.__dataclass_fields__}
    layers = [_layer_facts(row) for row in costs.layers]
    return totals | {"training_bytes": costs.training_bytes, "layers": layers}


def _layer_facts(row: LayerCost) -> dict[str, Any]:
    layer = {"name": row.layer.name, "kind": row.layer.kind}
    shapes = {"in_shape": row.layer.in_shape, "out_shape": row.layer.out_shape}
    numbers = ("params", "buffers", "macs", "flops", "output_bytes", "saved_bytes")
    costs = {name: getattr(row, name) for name in numbers}
    return layer | shapes | costs | {"receptive_field": row.field.size, "jump": row.field.jump}


def _layer_line(row: LayerCost) -> tuple[Any, ...]:
    shape = " x ".join(map(str, row.layer.out_shape))
    bytes_ = (row.output_bytes, row.saved_bytes)
    return (row.layer.name, shape, row.params, row.macs, *bytes_, row.field.size)
