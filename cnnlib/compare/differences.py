"""Differences of rows and designs, and test pictures on which two runs disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import StoreError
from cnnlib.records.compare import DesignDifference, LayerChange
from cnnlib.runs.predictions import unpack_predictions

if TYPE_CHECKING:
    from cnnlib.compare.rows import Row
    from cnnlib.design.layers import Leaf
    from cnnlib.records.probe import Predicted
    from cnnlib.records.recipe import Recipe
    from cnnlib.records.run import Run
    from cnnlib.runs.store import RunStore


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
        "precision": run.arithmetic,
    }
    spec = request.spec.to_dict()
    return {name: setting_text(value) for name, value in (spec | flat | others).items()}


def recipe_settings(recipe: Recipe) -> dict[str, str]:
    """Return every setting of a recipe as text, by name; those of the augmentation among them."""
    values = {name: value for name, value in vars(recipe).items() if name != "augmentation"}
    return {
        name: setting_text(each) for name, each in {**values, **vars(recipe.augmentation)}.items()
    }


def setting_text(value: Any) -> str:
    """Format the value of a setting."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        entries = ("x".join(map(str, e)) if isinstance(e, list | tuple) else e for e in value)
        return ", ".join(map(setting_text, entries)) or "none"
    if isinstance(value, dict):
        texts = (f"{key.replace('_', ' ')} {setting_text(each)}" for key, each in value.items())
        return ", ".join(texts) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def design_difference(
    before: CNNSpec, after: CNNSpec, recipes: tuple[Recipe, Recipe]
) -> DesignDifference:
    """Compare two designs: changed fields, layers and costs.

    Args:
        recipes: Of each design; the memory of a training step depends on batch size and optimiser.

    Raises:
        SpecError: The layers of one of them do not fit.
    """
    one, two = plan(before), plan(after)
    costs = [
        cost(each, batch_size=recipe.batch_size, optimizer=recipe.optimizer)
        for each, recipe in zip((one, two), recipes, strict=True)
    ]
    names = ("params", "macs", "training_bytes", "receptive_field")
    return DesignDifference(
        design_settings(before, after),
        tuple(layer_changes(list(one.walk()), list(two.walk()))),
        {name: (getattr(costs[0], name), getattr(costs[1], name)) for name in names},
    )


def design_settings(before: CNNSpec, after: CNNSpec) -> dict[str, tuple[str, str]]:
    """Return the settings in which two designs differ: by name, both values as text."""
    old_values, new_values = before.to_dict(), after.to_dict()
    pairs = {name: (old, new_values[name]) for name, old in old_values.items()}
    return {
        name: (setting_text(old), setting_text(new))
        for name, (old, new) in pairs.items()
        if old != new
    }


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


@dataclass(frozen=True)
class Disagreement:
    """Test pictures that one run classifies correctly and the other does not.

    Args:
        indices: Indices in the test split, by falling confidence of the second run's wrong answer.
        labels: The true classes.
        answers: The second run's answers.
        count_other_way: Number of pictures that only the second run classifies correctly.
        count: Number of pictures in the test split.
    """

    indices: tuple[int, ...]
    labels: tuple[int, ...]
    answers: tuple[int, ...]
    count_other_way: int
    count: int


def right_and_wrong(store: RunStore, right: Run, wrong: Run) -> Disagreement:
    """Find the test pictures that ``right`` classifies correctly and ``wrong`` does not.

    Raises:
        StoreError: A run has no predictions on disk, or they are for other pictures.
    """
    one, two = run_predictions(store, right), run_predictions(store, wrong)
    if right.fingerprint != wrong.fingerprint or len(one.labels) != len(two.labels):
        raise StoreError(
            f"The runs {right.id} and {wrong.id} were tested on different pictures, so their "
            "predictions cannot be compared. Choose two runs with the same dataset."
        )
    labels = one.labels
    is_right, is_wrong = one.predicted == labels, two.predicted != labels
    indices = np.flatnonzero(is_right & is_wrong)
    confidence = two.probabilities[indices].max(axis=1, initial=0.0)
    indices = indices[np.argsort(-confidence, kind="stable")]
    return Disagreement(
        tuple(map(int, indices)),
        tuple(map(int, labels[indices])),
        tuple(map(int, two.predicted[indices])),
        int((~is_right & ~is_wrong).sum()),
        len(labels),
    )


def run_predictions(store: RunStore, run: Run) -> Predicted:
    """Read the predictions of a run on the test split.

    Raises:
        StoreError: It has none on disk, or they cannot be read.
    """
    result = store.result(run.id)
    if result is None or not result.predictions_file:
        raise StoreError(
            f"The run {run.id} has no predictions on the test split. They are saved when a run "
            "finishes. Wait until it has finished, or resume it."
        )
    path = store.file(run.id, result.predictions_file)
    try:
        return unpack_predictions(path)
    except ValueError as error:
        raise StoreError(
            f"The predictions of the run {run.id} in {path} cannot be read: {error}. Train "
            "the design again to get new ones."
        ) from error
