"""Differences: settings between rows; layers and costs between two designs."""

from __future__ import annotations

from dataclasses import fields
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.records.compare import DesignDifference, LayerChange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.compare.rows import Row
    from cnnlib.design.layers import Leaf
    from cnnlib.records.run import Run

_BATCH = 128  # pictures per step, for the memory of a design without a recipe


def differing_settings(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Return the settings in which rows differ: by name, the value of each row as text."""
    settings_of_rows = [run_settings(row.runs[0]) for row in rows]
    names = list(dict.fromkeys(name for settings in settings_of_rows for name in settings))
    table = {name: [settings.get(name, "") for settings in settings_of_rows] for name in names}
    return {name: values for name, values in table.items() if len(set(values)) > 1}


def run_settings(run: Run) -> dict[str, str]:
    """Return every setting that can change a run's result, except the seed, as text by name."""
    request = run.request
    recipe = request.recipe.to_dict()
    flat = recipe | recipe["augmentation"]
    del flat["augmentation"]
    others = {
        "dataset": request.dataset,
        "split_seed": request.split_seed,
        "validation": request.validation,
        "train_limit": request.train_limit,
        "mode": run.chosen.get("mode"),
    }
    spec = request.spec.to_dict()
    return {name: setting_text(value) for name, value in (spec | flat | others).items()}


def setting_text(value: Any) -> str:
    """Format the value of a setting."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(setting_text, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {setting_text(each)}" for name, each in value.items()) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def design_difference(before: CNNSpec, after: CNNSpec) -> DesignDifference:
    """Compare two designs: changed fields, layers and costs.

    Memory is that of a training step with 128 images and SGD.

    Raises:
        SpecError: The layers of one of them do not fit.
    """
    one, two = plan(before), plan(after)
    pairs = {
        field.name: (getattr(before, field.name), getattr(after, field.name))
        for field in fields(CNNSpec)
    }
    changed = {
        name: (setting_text(old), setting_text(new))
        for name, (old, new) in pairs.items()
        if old != new
    }
    costs = [cost(each, batch_size=_BATCH) for each in (one, two)]
    names = ("params", "macs", "training_bytes", "receptive_field")
    return DesignDifference(
        changed,
        tuple(layer_changes(list(one.walk()), list(two.walk()))),
        {name: (getattr(costs[0], name), getattr(costs[1], name)) for name in names},
    )


def layer_changes(before: Sequence[Leaf], after: Sequence[Leaf]) -> list[LayerChange]:
    """Align the layers of two networks by kind, and return the changes."""
    matcher = SequenceMatcher(
        None, [layer.kind for layer in before], [layer.kind for layer in after], autojunk=False
    )
    changes: list[LayerChange] = []
    for tag, i, i_end, j, j_end in matcher.get_opcodes():
        if tag == "equal":
            pairs = zip(before[i:i_end], after[j:j_end], strict=True)
            changes += [_compare_layers(a, b) for a, b in pairs]
        else:
            changes += [LayerChange("removed", layer, None) for layer in before[i:i_end]]
            changes += [LayerChange("added", None, layer) for layer in after[j:j_end]]
    return changes


def _compare_layers(before: Leaf, after: Leaf) -> LayerChange:
    """Compare two layers of one kind."""
    is_same = _fields_without_name(before) == _fields_without_name(after)
    return LayerChange("same" if is_same else "changed", before, after)


def _fields_without_name(layer: Leaf) -> tuple[Any, ...]:
    """Return the fields of a layer without its name."""
    return tuple(getattr(layer, field.name) for field in fields(layer) if field.name != "name")
