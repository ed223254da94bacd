"""What differs between two designs: costs, settings and layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.compare.differences import design_difference
from cnnlib.figures.labels import kind_label, settings_label, shape_text
from cnnlib.records.setting_labels import setting_label
from cnnlib.ui.common.format import escape_markdown, pixels
from cnnlib.units import format_size, short_count
from cnnlib.vocabulary.training import OPTIMIZERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cnnlib.design.layers import Leaf
    from cnnlib.records.compare import LayerChange
    from cnnlib.records.recipe import Recipe
    from cnnlib.ui.results.duel_form import Side


_COSTS: dict[str, tuple[str, Callable[[float], str], str]] = {
    "params": ("Parameters", short_count, "Trainable weights and biases."),
    "macs": ("MACs per picture", short_count, "Multiply-accumulate operations for one picture."),
    "training_bytes": ("Memory, training step", format_size, ""),
    "receptive_field": (
        "Receptive field",
        pixels,
        "Side of the square of input pixels that one value of the last feature map depends on. "
        "Where it is larger than the picture, it is the size on a picture without edges.",
    ),
}
_MOST_ROWS = 20  # a longer table scrolls
_SCROLLED_PIXELS = 720


def difference_view(a: Side, b: Side) -> None:
    """Show the changes from A to B: costs, settings and layers."""
    assert a.recipe is not None and b.recipe is not None  # only a menu has sides without
    difference = design_difference(a.spec, b.spec, (a.recipe, b.recipe))
    with st.container(horizontal=True):
        for name, (before, after) in difference.costs.items():
            title, format_cost, help = _COSTS[name]
            if name == "training_bytes":
                help = _describe_steps(a.recipe, b.recipe)
            ratio = _describe_ratio(after / before) if before else ""
            st.metric(
                title,
                f"{format_cost(before)} → {format_cost(after)}",
                ratio if after != before else "same as A",
                delta_color="off",
                delta_arrow="off",
                help=help,
            )
    if not difference.settings:
        st.caption("The two designs have the same settings.")
        return
    settings = ", ".join(
        f"{setting_label(name)}: {old} → {new}" for name, (old, new) in difference.settings.items()
    )
    st.caption(escape_markdown(f"Settings that differ: {settings}."))
    _layer_table(a, b, difference.layers)


def _describe_steps(a: Recipe, b: Recipe) -> str:
    """Describe with which batch size and optimiser the memory of a step is meant."""
    step_a, step_b = (
        f"a batch of {recipe.batch_size} pictures with {OPTIMIZERS[recipe.optimizer].label}"
        for recipe in (a, b)
    )
    steps = step_a if step_a == step_b else f"A: {step_a}; B: {step_b}"
    return (
        "All tensors that are in memory at the moment of a training step at which most are, from "
        f"the recipe: {steps}."
    )


def _describe_ratio(ratio: float) -> str:
    """Format ``7.1 × A``, ``1.05 × A`` or ``0.013 × A``."""
    if ratio < 0.1:
        return f"{ratio:.2g} × A"
    return f"{ratio:.2f} × A" if ratio < 2 else f"{ratio:,.1f} × A"


def _layer_table(a: Side, b: Side, changes: Sequence[LayerChange]) -> None:
    """Show the layers of both designs side by side, in a table that scrolls where it is wide."""
    import pandas as pd

    show_equal = st.toggle("Show equal layers", key="compare_equal")
    rows = [
        [
            _CHANGE_LABELS[change.what],
            _describe_layer(change.before),
            _describe_layer(change.after),
            _signed(change.params),
            _signed(change.macs),
        ]
        for change in changes
        if show_equal or change.what != "same"
    ]
    headings = [
        "Change",
        f"A: {escape_markdown(a.name)}",
        f"B: {escape_markdown(b.name)}",
        "Parameters",
        "MACs",
    ]
    st.caption("Parameters and MACs: B minus A.")
    with st.container(key="compare_layers"):
        st.table(
            pd.DataFrame(rows, columns=headings),
            border="horizontal",
            height=_SCROLLED_PIXELS if len(rows) > _MOST_ROWS else "content",
            alt="Layers of both designs",
        )


def _signed(change: int) -> str:
    return f"{change:+,}".replace("-", "−") if change else "0"


_CHANGE_LABELS = {"same": "same", "changed": "changed", "added": "added", "removed": "removed"}


def _describe_layer(layer: Leaf | None) -> str:
    if layer is None:
        return ""
    settings = settings_label(layer)
    return (
        f"{kind_label(layer)}{', ' + settings if settings else ''} → {shape_text(layer.out_shape)}"
    )
