"""Designs to compare the Lab's network with, and the duel that compares them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

from cnnlib.design.presets import adapt, presets
from cnnlib.errors import SpecError
from cnnlib.experiments.duel import Duel, start_duel

if TYPE_CHECKING:
    from cnnlib.design.spec import CNNSpec
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.runs.store import RunStore
    from cnnlib.ui.lab.state import LabState

MOST_RUNS = 5  # of the dataset, newest first
MOST_SEARCHED = 50


def rivals(state: LabState, store: RunStore) -> dict[str, tuple[str, CNNSpec]]:
    """List other designs by key, each with its name: the one before, those of runs, presets."""
    return dict(_list(state, store))


def _list(state: LabState, store: RunStore) -> Generator[tuple[str, tuple[str, CNNSpec]]]:
    if state.past:
        yield "before", ("Design before the last change", state.past[-1])
    own = store.runs(limit=MOST_SEARCHED, dataset=state.dataset)
    others = [run for run in own if run.request.spec != state.spec]
    for run in others[:MOST_RUNS]:
        yield f"run {run.id}", (run.title, run.request.spec)
    for preset in presets():
        yield f"preset {preset.name}", (preset.title, preset.spec)


def start_comparison(
    state: LabState, key: str, epochs: int, info: DatasetInfo, store: RunStore
) -> str:
    """Start a duel of the Lab's design against another one, with clean runs; return its id.

    Args:
        key: Of `rivals`.
        epochs: Epochs of the sketch, begun ones included.

    Raises:
        SpecError: There is no such design, or it does not fit the pictures.
        LimitError: The runs exceed the limits of one person.
    """
    if key not in (known := rivals(state, store)):
        raise SpecError("The design to compare with is no longer there. Choose another one.")
    name, spec = known[key]
    request = replace(state.clean_request(epochs), name="")
    rival = replace(request, spec=adapt(spec, info.in_size, len(info.classes)))
    return start_duel(store, Duel(request, rival, "Design of the Lab", name))
