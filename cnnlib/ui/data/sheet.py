"""The contact sheet of a prepared dataset: a row for each class, its odd pictures first."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from cnnlib.data.image_folder.split_names import SPLITS, TRAIN, VALIDATION
from cnnlib.data.statistics import class_counts
from cnnlib.design.presets import preset
from cnnlib.probe.odd import best_run
from cnnlib.records.recipe_presets import default_preset, default_recipe
from cnnlib.records.run import RunRequest
from cnnlib.train.submit import submit_runs
from cnnlib.ui.common.components import data_uri
from cnnlib.ui.common.format import count, escape_markdown
from cnnlib.ui.common.job_status import job_button
from cnnlib.ui.common.permissions import attempt
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import TRAIN as TRAIN_PAGE
from cnnlib.units import listed, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cnnlib.data.prepared import Prepared
    from cnnlib.data.statistics import ClassCount
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.run import Run

PER_PAGE = 60
PER_ROW = 22  # pictures of each class where all classes are shown
CLASSES_PER_PAGE = 10
_ALL = "All classes"
_KINDS = {"label": "likely wrong label", "duplicate": "duplicate", "outlier": "outlier"}
_ODD_HELP = (
    "Likely wrong labels: confident learning (Northcutt et al., JAIR 2021) on the network's "
    "probabilities. It has trained on most of these pictures, so it may have learned some wrong "
    "labels by heart and miss them. Outliers: the pictures of each class with the largest distance "
    "to their 5th nearest neighbour (Ramaswamy et al., SIGMOD 2000) in the features before the "
    "network's last layer; the farthest are shown, also where nothing is wrong with them. "
    "Duplicates: pictures that are equal in every pixel, in both splits or with two labels."
)
Odd = dict[int, "Mapping[str, Any]"]  # index in a split -> what is odd about the picture


def contact_sheet(data: Prepared) -> None:
    """Show the odd pictures, or how to find them, and the classes as rows of pictures."""
    found = odd_section(data)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        split = st.segmented_control(
            "Split",
            [split for split in SPLITS if split != VALIDATION or data.info.validation_count],
            default=TRAIN,
            required=True,
            key="data_split",
            help="A network learns from the train split. A validation split is measured after each "
            "epoch, the test split at the end.",
        )
        selected = st.selectbox("Class", [_ALL, *data.info.classes], key="data_class", width=200)
        labels = data.split_arrays(split)[1]
        odd: Odd = {}
        for each in found:
            if each["split"] == split:
                odd.setdefault(each["index"], each)
        classes, indices = range(len(data.info.classes)), np.arange(0)
        if selected == _ALL:
            pages = -(-len(classes) // CLASSES_PER_PAGE)
        else:
            label = data.info.classes.index(selected)
            indices = odd_first(np.flatnonzero(labels == label), odd)
            pages = max(1, -(-len(indices) // PER_PAGE))
        page = 1
        if pages > 1:
            page = st.number_input(
                f"Page (of {count(pages)})", 1, pages, key="data_page", width=130
            )
    if selected != _ALL:
        shown = indices[(page - 1) * PER_PAGE : page * PER_PAGE]
        if not len(shown):
            st.caption("This split has no pictures of this class.")
        else:
            st.html(f'<div class="sheet">{tiles_html(data, split, shown, odd)}</div>')
        return
    counts = class_counts(data)
    largest = max(each.train for each in counts) or 1
    rows = [
        _row_html(
            data, split, counts[label], largest, odd_first(labels == label, odd)[:PER_ROW], odd
        )
        for label in classes[(page - 1) * CLASSES_PER_PAGE : page * CLASSES_PER_PAGE]
    ]
    st.html(f'<div class="sheet">{"".join(rows)}</div>')


def odd_first(chosen: np.ndarray, odd: Odd) -> np.ndarray:
    """Return indices, those of odd pictures first, as they were found.

    Args:
        chosen: Indices, or a mask.
    """
    indices = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
    known = set(indices.tolist())
    first = [index for index in odd if index in known]
    return np.array([*first, *indices[~np.isin(indices, first)]], int)


def _row_html(
    data: Prepared,
    split: str,
    counts: ClassCount,
    largest: int,
    shown: np.ndarray,
    odd: Odd,
) -> str:
    parts = [f"{counts.train:,} train"]
    parts += [f"{counts.validation:,} validation"] if data.info.validation_count else []
    parts += [f"{counts.test:,} test"]
    share = 100 * counts.train / largest
    return (
        f"<section><h2>{escape(counts.name)}</h2><p>{' · '.join(parts)}</p>"
        f'<i class="share" title="Training pictures"><i style="width:{share:.1f}%"></i></i>'
        f"{tiles_html(data, split, shown[:PER_ROW], odd)}</section>"
    )


def tiles_html(data: Prepared, split: str, indices: Iterable[int], odd: Odd) -> str:
    """Build pictures with their names as tooltips; odd ones have a frame and a word below."""
    images, labels = data.split_arrays(split)
    tiles = []
    for index in map(int, indices):
        name = f"{data.info.classes[labels[index]]}, number {index}"
        kind, below = "", ""
        if index in odd:
            name = f"{name}: {odd[index]['sentence']}"
            kind = word = odd[index]["kind"]
            if kind == "label":  # the class that it may have
                word = f"{data.info.classes[odd[index]['suggested']]}?"
            below = f"<figcaption>{escape(word)}</figcaption>"
        name = escape(name)
        tiles.append(
            f'<figure data-kind="{kind}"><img src="{data_uri(np.asarray(images[index]))}" '
            f'alt="{name}" title="{name}">{below}</figure>'
        )
    return f'<div class="tiles">{"".join(tiles)}</div>'


# -- what is odd -----------------------------------------------------------------------------------


def odd_section(data: Prepared) -> Sequence[Mapping[str, Any]]:
    """Show what is odd, or a button that looks for it; return the odd pictures."""
    info = data.info
    run = best_run(run_store(), info)
    args = {"dataset": info.name, "fingerprint": info.fingerprint}
    job = run_store().jobs.latest("odd", args)
    result = job.result if job is not None and job.state == "done" else None
    if result is not None:
        st.markdown(escape_markdown(describe_odd(result)), help=_ODD_HELP)
        if result["run"]:
            st.caption(
                "Below each picture is the class that it may have, by confident learning "
                "(Northcutt et al. 2021), or what else is odd. They are candidates: look at each."
            )
    if result is None or not result["run"]:  # more is found with a network
        _offer(data, run, args)
    return result["pictures"] if result is not None else []


def _offer(data: Prepared, run: Run | None, args: dict[str, Any]) -> None:
    """Show the button that finds the odd pictures; without a network, one that trains it."""
    if run is not None:
        st.caption(
            "Likely wrong labels, duplicates and outliers come first once they are found. The "
            f"network {escape_markdown(run.title)} reads all pictures for that."
        )
    else:
        st.caption(
            "Likely wrong labels and outliers need a network that was trained on this dataset, and "
            "there is none yet. Duplicates can be found without one."
        )
    with st.container(horizontal=True):
        if run is None:
            st.button(
                "Train a network on it",
                icon=":material/play_arrow:",
                key="data_odd_train",
                type="primary",
                on_click=attempt,
                args=(_train_first, data),
            )
        job_button(
            "odd",
            args | {"run": run.id if run else ""},
            "Find the odd pictures" if run else "Find duplicates",
            key="data_odd",
            icon=":material/search:",
        )


def default_request(info: DatasetInfo) -> RunRequest:
    """Build the request of a run with the default design and recipe for a dataset."""
    name = default_preset(info.in_size)
    spec = preset(name).adapt(info.in_size, len(info.classes))
    recipe = default_recipe(spec, info.name, info.train_count)
    return RunRequest(spec=spec, recipe=recipe, dataset=info.name, preset=name)


def _train_first(data: Prepared) -> None:
    """Queue a run of the default design; the page then opens it."""
    [run_id] = submit_runs(run_store(), default_request(data.info))
    st.session_state["data_odd_run"] = run_id


def open_training() -> None:
    """Open the run that a button of this page has queued, if there is one."""
    if run_id := st.session_state.pop("data_odd_run", ""):
        st.switch_page(TRAIN_PAGE, query_params={"run": run_id})


def describe_odd(result: Mapping[str, Any]) -> str:
    """Say how many pictures are odd in which way, and what that means."""
    counts = result["counts"]
    kinds = [plural(counts[kind], name) for kind, name in _KINDS.items()]
    if not result["run"]:
        kinds = kinds[1:2]
    network = f" The network: {result['title']}." if result["run"] else ""
    across = any(
        each["kind"] == "duplicate" and each["split"] == "test" for each in result["pictures"]
    )
    too_high = " With test pictures in the training split, the test accuracy is too high."
    return f"Odd pictures: {listed(kinds)}.{network}{too_high if across else ''}"
