"""The menu of the Draw page: trained runs, with their saved weights and datasets."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.data.catalogue import dataset_info
from cnnlib.design.presets import preset
from cnnlib.errors import CnnlibError, ProbeError
from cnnlib.probe.weights import weights_by_step
from cnnlib.records.recipe_presets import default_recipe
from cnnlib.records.run import Run, RunRequest
from cnnlib.train.submit import submit_runs
from cnnlib.ui.common.messages import show_not_found, show_warning
from cnnlib.ui.common.pickers.run_menu import best_first, known_accuracy, run_titles
from cnnlib.ui.common.saved_steps import SavedStep, open_dataset
from cnnlib.ui.common.shared import folders, run_store
from cnnlib.ui.common.urls import TRAIN, put_runs_in_address, runs_in_address
from cnnlib.units import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.records.dataset import DatasetInfo

MOST_RUNS = 6  # shown side by side
TAUGHT = "draw_taught"  # the networks to show next: one before, and one after its teaching
_LISTED = 200


@dataclass(frozen=True)
class Classifier:
    """A trained network that classifies drawings.

    Args:
        saved_step: Its weights: those that early stopping restored, else the last saved ones.
        info: The dataset that it was trained on.
    """

    run: Run
    saved_step: SavedStep
    info: DatasetInfo


def trained_runs() -> list[Run]:
    """List the runs with at least one training step, the newest first."""
    return [run for run in run_store().runs(limit=_LISTED) if run.step > 0]


def choose_classifiers(runs: Sequence[Run]) -> list[Classifier]:
    """Show a menu of runs; a warning stands in for each chosen run that cannot be loaded."""
    by_id = {run.id: run for run in runs}
    titles = run_titles(runs, _title)
    if taught := st.session_state.pop(TAUGHT, None):
        st.session_state["draw_runs"] = [run_id for run_id in taught if run_id in by_id]
    if "draw_runs" not in st.session_state:
        requested = runs_in_address()
        found = [run_id for run_id in requested if run_id in by_id]
        for run_id in requested:
            if run_id not in by_id:
                show_not_found("trained run", run_id, "" if found else "Another run is shown.")
        st.session_state["draw_runs"] = found[:MOST_RUNS] or [
            best_first(runs, dataset="mnist")[0].id
        ]
    selected = st.multiselect(
        "Networks",
        list(titles),
        st.session_state["draw_runs"],
        key="draw_runs",
        format_func=titles.__getitem__,
        max_selections=MOST_RUNS,
        placeholder="Choose trained networks",
        help="The numbers are accuracies on the test split, or on the validation split if the test "
        "split was not measured.",
    )
    put_runs_in_address(selected)
    return [classifier for run_id in selected if (classifier := _load_or_warn(by_id[run_id]))]


def show_training_button() -> None:
    """Show a button that trains a first network; for a store without a trained run."""
    st.write(
        "There is no trained network yet. Train one first. Then you can test it with drawings."
    )
    request, info = cnn3_on_mnist()
    if st.button(
        "Train a network with three convolutions on MNIST",
        type="primary",
        icon=":material/play_arrow:",
        key="draw_train",
        help=None if info.state != "download" else info.note,
    ):
        st.switch_page(TRAIN, query_params={"run": submit_runs(run_store(), request)})


def cnn3_on_mnist() -> tuple[RunRequest, DatasetInfo]:
    """Request of the first network: three convolutions on MNIST, as in the course texts."""
    info = dataset_info("mnist", folders())
    spec = preset("cnn3").adapt(info.in_size, len(info.classes))
    recipe = default_recipe(spec, info.name, info.train_count)
    return RunRequest(spec=spec, recipe=recipe, dataset=info.name, preset="cnn3"), info


def load_classifier(run: Run) -> Classifier:
    """Find the weights (restored by early stopping, else the last saved) and dataset of a run.

    Raises:
        CnnlibError: The run has no weights, or its dataset is missing or has changed.
    """
    saved = weights_by_step(run_store().saved_weights(run.id))
    if not saved:
        raise ProbeError(
            f"{run.title} has no saved weights, so it cannot classify a drawing. Let it "
            "train to the end of an epoch, or choose another network."
        )
    step = run.weights_step if run.weights_step in saved else max(saved)
    return Classifier(run, SavedStep.of(run, saved[step]), open_dataset(run).info)


def network_to_teach(classifier: Classifier) -> Classifier:
    """Return the network that teaching starts from: the one that a fine-tuned one began with.

    So a second lesson has all drawings and the pictures of the original dataset. A network whose
    beginning was deleted is taught itself.
    """
    origin = classifier.run.request.origin
    if origin is None or not origin.weights_only:
        return classifier
    with suppress(CnnlibError):
        return network_to_teach(load_classifier(run_store().run(origin.run_id)))
    return classifier


def _load_or_warn(run: Run) -> Classifier | None:
    try:
        return load_classifier(run)
    except CnnlibError as error:
        show_warning(error, ":material/visibility_off:")
        return None


def _title(run: Run) -> str:
    found = known_accuracy(run)
    return f"{run.title} ({percent(found)})" if found else run.title
