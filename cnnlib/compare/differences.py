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
    from cnnlib.records.recipe import Recipe
    from cnnlib.records.run import Run

_BATCH = 128  # pictures per step, where memory of two designs is compared


def differing_settings(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Settings in which rows differ: by name, the value of each row, as text."""
    settings_of_rows = [run_settings(row.runs[0]) for row in rows]
    names = list(dict.fromkeys(name for settings in settings_of_rows for name in settings))
    table = {name: [settings.get(name, "") for settings in settings_of_rows] for name in names}
    return {name: values for name, values in table.items() if len(set(values)) > 1}


def run_settings(run: Run) -> dict[str, str]:
    """Every setting that a run's outcome depends on except the seed, as text by name."""
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
    return {name: words(value) for name, value in (spec | flat | others).items()}


def words(value: Any) -> str:
    """The text of a setting."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(words, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {words(each)}" for name, each in value.items()) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def design_difference(
    before: CNNSpec, after: CNNSpec, recipes: tuple[Recipe, Recipe] | None = None
) -> DesignDifference:
    """The changes from one design to another: layers and costs.

    Memory is that of a training step with 128 images and SGD, or with the batch size and optimiser
    of each recipe.

    Raises:
        SpecError: One of them does not plan.
    """
    one, two = plan(before), plan(after)
    changed = {
        field.name: (words(getattr(before, field.name)), words(getattr(after, field.name)))
        for field in fields(CNNSpec)
        if getattr(before, field.name) != getattr(after, field.name)
    }
    costs = [
        cost(each, batch_size=recipe.batch_size, optimizer=recipe.optimizer)
        if recipe
        else cost(each, batch_size=_BATCH)
        for each, recipe in zip((one, two), recipes or (None, None), strict=True)
    ]
    names = ("params", "macs", "training_bytes", "receptive_field")
    return DesignDifference(
        changed,
        tuple(layer_changes(list(one.walk()), list(two.walk()))),
        {name: (getattr(costs[0], name), getattr(costs[1], name)) for name in names},
    )


def layer_changes(before: Sequence[Leaf], after: Sequence[Leaf]) -> list[LayerChange]:
    """Align the layers of two networks, so that most stand beside a layer of their kind."""
    matcher = SequenceMatcher(
        None, [layer.kind for layer in before], [layer.kind for layer in after], autojunk=False
    )
    changes: list[LayerChange] = []
    for tag, i, i_end, j, j_end in matcher.get_opcodes():
        if tag == "equal":
            pairs = zip(before[i:i_end], after[j:j_end], strict=True)
            changes += [
                LayerChange("same" if _looks(a) == _looks(b) else "changed", a, b) for a, b in pairs
            ]
        else:
            changes += [LayerChange("removed", layer, None) for layer in before[i:i_end]]
            changes += [LayerChange("added", None, layer) for layer in after[j:j_end]]
    return changes


def _looks(layer: Leaf) -> tuple[Any, ...]:
    """The fields of a layer without its name."""
    return tuple(getattr(layer, field.name) for field in fields(layer) if field.name != "name")
