"""Which networks look at a drawing: runs whose weights and pictures are still there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.data.catalogue import dataset_info
from cnnlib.design.presets import preset
from cnnlib.errors import CnnlibError, ProbeError
from cnnlib.probe.weights import moments
from cnnlib.records.recipe_presets import default_recipe
from cnnlib.records.run import Run, RunRequest
from cnnlib.ui.common.format import distinct
from cnnlib.ui.common.messages import show_warning
from cnnlib.ui.common.network_cache import SavedStep, open_dataset
from cnnlib.ui.common.shared import folders, run_store
from cnnlib.ui.common.submit import submit
from cnnlib.ui.common.urls import TRAIN, put_runs_in_address, runs_in_address
from cnnlib.units import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.records.dataset import DatasetInfo

MOST_RUNS = 6  # side by side
_LISTED = 200


@dataclass(frozen=True)
class Reader:
    """A network that looks at drawings.

    Args:
        moment: Its weights.
        info: Of the dataset that it was trained on.
    """

    run: Run
    moment: SavedStep
    info: DatasetInfo


def trained_runs() -> list[Run]:
    """Runs that have something to say, the newest first."""
    return [run for run in run_store().runs(limit=_LISTED) if run.step > 0]


def best_first(runs: Sequence[Run]) -> list[Run]:
    """Finished runs on MNIST by their accuracy, then the others in their order."""
    return sorted(runs, key=lambda run: (not _reads_digits(run), -_accuracy(run)))


def choose_readers(runs: Sequence[Run]) -> list[Reader]:
    """A menu of runs; what cannot look says why, in a sentence."""
    by_id = {run.id: run for run in runs}
    titles = distinct({run.id: _title(run) for run in runs})
    if "draw_runs" not in st.session_state:
        asked = [run_id for run_id in runs_in_address() if run_id in by_id]
        st.session_state["draw_runs"] = asked[:MOST_RUNS] or [best_first(runs)[0].id]
    chosen = st.multiselect(
        "Networks",
        list(by_id),
        key="draw_runs",
        format_func=titles.__getitem__,
        max_selections=MOST_RUNS,
        placeholder="Choose trained networks",
    )
    put_runs_in_address(chosen)
    return [reader for run_id in chosen if (reader := _reader_or_sentence(by_id[run_id]))]


def offer_training() -> None:
    """What stands here before there is a trained network."""
    st.write("A drawing needs a network that looks at it, and none is trained yet.")
    request, info = cnn3_on_mnist()
    if st.button(
        "Train three convolutions on MNIST",
        type="primary",
        icon=":material/play_arrow:",
        key="draw_train",
        help=None if info.state != "download" else info.note,
    ):
        st.switch_page(TRAIN, query_params={"run": submit(request)})


def cnn3_on_mnist() -> tuple[RunRequest, DatasetInfo]:
    """What is trained where nothing is: the course texts' network with three convolutions."""
    info = dataset_info("mnist", folders())
    spec = preset("cnn3").adapt(info.in_size, len(info.classes))
    recipe = default_recipe(spec, info.name, info.train_count)
    return RunRequest(spec=spec, recipe=recipe, dataset=info.name, preset="cnn3"), info


def reader(run: Run) -> Reader:
    """A run with its last weights.

    Raises:
        CnnlibError: It has none, or its dataset is gone or changed.
    """
    there = moments(run_store().saved_weights(run.id))
    if not there:
        raise ProbeError(
            f"{run.title} has kept no weights, so it cannot look at a drawing. Let it train to the "
            "end of an epoch, or choose another."
        )
    return Reader(run, SavedStep.of(run, there[max(there)]), open_dataset(run).info)


def _reader_or_sentence(run: Run) -> Reader | None:
    try:
        return reader(run)
    except CnnlibError as error:
        show_warning(error, ":material/visibility_off:")
        return None


def _reads_digits(run: Run) -> bool:
    return run.request.dataset == "mnist" and run.state == "finished"


def _accuracy(run: Run) -> float:
    return run.summary.get("test_accuracy") or run.summary.get("val_accuracy") or 0.0


def _title(run: Run) -> str:
    return f"{run.title} ({percent(_accuracy(run))})" if _accuracy(run) else run.title
