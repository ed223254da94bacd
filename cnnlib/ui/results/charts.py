"""Charts of the selected rows: curves, cost, settings, classes, pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.compare.charts import accuracy_against, class_scores, curves, labels, settings
from cnnlib.compare.differences import differing_settings, right_and_wrong
from cnnlib.data.catalogue import dataset_info
from cnnlib.errors import CnnlibError
from cnnlib.figures.compare import class_figure, cost_figure, curves_figure, settings_figure
from cnnlib.records.setting_labels import setting_label
from cnnlib.ui.common.components import live_chart, strip_html
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.shared import folders, prepared, run_store
from cnnlib.ui.results.difference_view import difference_view
from cnnlib.ui.results.duel_form import Side

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamlit.delta_generator import DeltaGenerator

    from cnnlib.compare.charts import Cost, EpochMetric
    from cnnlib.compare.rows import Row

MOST_LIVE = 12  # runs in the chart of single curves
MOST_PICTURES = 24


def charts(rows: Sequence[Row]) -> None:
    """Show the menu of charts and draw only the selected one."""
    views: dict[str, Callable[[Sequence[Row]], None]] = {
        "Curves": _live_curves,
        "Mean over seeds": _mean_curves,
        "Accuracy against cost": _costs,
        "Settings": _settings,
        "Accuracy per class": _classes,
    }
    if len(rows) == 2:
        views["Disagreements"] = _pictures
    several = len(rows) > 1 and any(len(row.runs) > 1 for row in rows)
    default = "Mean over seeds" if several else "Curves"
    selected = st.segmented_control(
        "Show", list(views), default=default, key="results_view", label_visibility="collapsed"
    )
    views.get(selected or default, _live_curves)(rows)


def _live_curves(rows: Sequence[Row]) -> None:
    runs = [run for row in rows for run in row.runs]
    if len(runs) > MOST_LIVE:
        st.caption(f"Shows the first {MOST_LIVE} of {len(runs)} runs.")
    colours = {run.id: number for number, row in enumerate(rows) for run in row.runs}
    live_chart(
        runs[:MOST_LIVE],
        key="results_live",
        status=False,
        colours=colours if len(rows) > 1 else None,
    )


def _mean_curves(rows: Sequence[Row]) -> None:
    st.caption("Line: mean over seeds. Band: from the lowest to the highest seed.")
    left, right = st.columns(2)
    panels: tuple[tuple[DeltaGenerator, EpochMetric, str], ...] = (
        (left, "val_accuracy", "Validation accuracy"),
        (right, "train_loss", "Training loss"),
    )
    for panel, metric, title in panels:
        panel.plotly_chart(curves_figure(curves(rows, metric), title), key=f"results_mean_{metric}")


_COST_LABELS: dict[Cost, str] = {
    "params": "Parameters",
    "macs": "MACs",
    "seconds": "Training time",
}
_COST_HELP = (
    "Parameters: trainable weights and biases. MACs: multiply-accumulate operations for one "
    "picture. Training time: mean over seeds."
)


def _costs(rows: Sequence[Row]) -> None:
    selected = st.segmented_control(
        "Cost",
        list(_COST_LABELS),
        default="params",
        format_func=_COST_LABELS.__getitem__,
        key="results_cost",
        help=_COST_HELP,
    )
    cost: Cost = selected or "params"
    if cost == "seconds" and len({machine for row in rows for machine in row.machines}) > 1:
        st.caption(
            "The selected rows ran on different machines, so their times cannot be compared. "
            "Select rows from one machine."
        )
        return
    st.plotly_chart(cost_figure(accuracy_against(rows, cost), cost), key="results_cost_chart")


def _settings(rows: Sequence[Row]) -> None:
    import pandas as pd

    table = differing_settings(rows)
    if not table:
        st.caption(
            "The selected rows have the same settings."
            if len(rows) > 1
            else "Select two or more rows to see in which settings they differ."
        )
        return
    st.dataframe(
        pd.DataFrame(
            list(table.values()), index=list(map(setting_label, table)), columns=labels(rows)
        ),
        key="results_differences",
    )
    lines = [
        replace(line, values={setting_label(name): value for name, value in line.values.items()})
        for line in settings(rows)
    ]
    st.plotly_chart(settings_figure(lines), key="results_settings")
    if len(rows) == 2 and rows[0].request.spec != rows[1].request.spec:
        a, b = (
            Side(name, row.request.spec, recipe=row.request.recipe)
            for row, name in zip(rows, labels(rows), strict=True)
        )
        difference_view(a, b)


def _classes(rows: Sequence[Row]) -> None:
    if len({row.request.dataset for row in rows}) > 1:
        st.caption(
            "The selected rows were trained on different datasets. Select rows with the same one."
        )
        return
    store, scores = run_store(), []
    for place, (row, name) in enumerate(zip(rows, labels(rows), strict=True)):
        results = [result for run in row.runs if (result := store.result(run.id)) is not None]
        if results:
            scores.append(class_scores(row, name, results, place))
    try:
        classes: Sequence[str] = dataset_info(rows[0].request.dataset, folders()).classes
    except CnnlibError:  # the dataset is missing: number the classes instead
        classes = ()
    if scores and len(classes) != len(scores[0].accuracy):
        classes = [str(number) for number in range(len(scores[0].accuracy))]
    st.plotly_chart(class_figure(scores, classes), key="results_classes")


def _pictures(rows: Sequence[Row]) -> None:
    """Show test pictures that one row's first seed gets right and the other row's wrong."""
    names = labels(rows)
    which = st.segmented_control(
        "Direction",
        [0, 1],
        default=0,
        format_func=lambda side: escape_markdown(f"{names[side]} correct, {names[1 - side]} wrong"),
        key="results_side",
        label_visibility="collapsed",
    )
    side = which or 0
    right, wrong = rows[side].runs[0], rows[1 - side].runs[0]
    try:
        found = right_and_wrong(run_store(), right, wrong)
        data = prepared(right.request.dataset, right.fingerprint)
        if data.info.fingerprint != right.fingerprint:
            st.caption(
                "The dataset has changed since these runs were trained, so their pictures cannot "
                "be shown. Train both designs again."
            )
            return
    except CnnlibError as error:
        st.caption(escape_markdown(error))
        return
    st.caption(
        f"{len(found.indices):,} of {found.count:,} test pictures; the reverse holds for "
        f"{found.count_other_way:,}. Only the first seed of each row is compared. Under each "
        f"picture: true class → class predicted by {escape_markdown(names[1 - side])}."
    )
    shown = found.indices[:MOST_PICTURES]
    captions = [
        f"{data.info.classes[label]} → {data.info.classes[answer]}"
        for label, answer in zip(found.labels, found.answers, strict=True)
    ]
    st.html(strip_html([data.test_images[place] for place in shown], captions[: len(shown)]))
