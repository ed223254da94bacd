"""The Lab page: one screen on which a network is shaped, trained and read at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import streamlit as st

from cnnlib.data.catalogue import dataset_info
from cnnlib.design.columns import planned_design
from cnnlib.design.link import encode
from cnnlib.ui.common.browser_component import Component
from cnnlib.ui.common.messages import fragment
from cnnlib.ui.common.shared import available_datasets, folders, run_store, starter_datasets
from cnnlib.ui.common.urls import (
    LENS_ADDRESS,
    MAPS_ADDRESS,
    PLAN_ADDRESS,
    RUNS_ADDRESS,
    at_root,
)
from cnnlib.ui.lab.rivals import rivals
from cnnlib.ui.lab.session import (
    act_all,
    choose_awaited,
    current_state,
    last_done,
    shown_run,
    write_address,
)
from cnnlib.ui.lab.state import LabState, validation_count
from cnnlib.vocabulary.layers import ACTIVATIONS, BLOCKS, NORMS
from cnnlib.vocabulary.training import OPTIMIZERS

if TYPE_CHECKING:
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.run import Run
    from cnnlib.runs.sketches import Sketch
    from cnnlib.vocabulary.entry import Entry

RECENT = 3


def show() -> None:
    """Show the page."""
    with st.container(key="lab_title"):  # for screen readers; the screen has no room for it
        st.title("Lab", anchor=False)
    infos = available_datasets(starter_datasets(folders()))
    state = current_state(infos)
    if state.awaited:
        fragment(_await_dataset, run_every=1.0)()
    info = dataset_info(state.dataset, folders())
    lab(_data(state, info, infos), key="lab", act=act_all)
    write_address(state, info)


def _await_dataset() -> None:
    """Rerun the page when the awaited dataset is prepared, or its preparation failed."""
    state = current_state(())
    if state.awaited and not choose_awaited(state).awaited:
        st.rerun()


def _data(state: LabState, info: DatasetInfo, infos: list[DatasetInfo]) -> dict[str, Any]:
    """Return what the component shows, as plain JSON values."""
    sketch = shown_run(state)
    recipe = state.recipe
    return {
        "api": {
            "plan": at_root(PLAN_ADDRESS),
            "maps": at_root(MAPS_ADDRESS),
            "lens": at_root(LENS_ADDRESS),
            "runs": at_root(RUNS_ADDRESS),
        },
        "plan": planned_design(
            state.spec, batch_size=recipe.batch_size, optimizer=recipe.optimizer
        ),
        "dataset": {
            "name": info.name,
            "title": info.title,
            "classes": list(info.classes),
            "in_size": list(info.in_size),
            "validation_count": validation_count(info),
        },
        "datasets": [
            {"name": each.name, "title": each.title, "is_here": each.state != "download"}
            for each in _choices(infos, info)
        ],
        "recipe": {
            "lr": recipe.lr,
            "batch_size": recipe.batch_size,
            "optimizer": recipe.optimizer,
        },
        "names": _names(),
        "seed": state.seed,
        "picture": state.picture,
        "run": None if sketch is None else _run(sketch),
        "done": last_done(),
        "past": [encode(spec) for spec in state.past],
        "future": [encode(spec) for spec in state.future],
        "message": state.message or _awaited_sentence(state) or " ".join(info.warnings),
        "subject": state.subject,
        "pages": _pages(state, sketch),
        "recent": _recent(info.name),
        "rivals": [[key, name] for key, (name, _) in rivals(state, run_store()).items()],
    }


def _names() -> dict[str, list[dict[str, Any]]]:
    """Return what can be chosen by name; norms without the word, which stands above the menu."""
    tables: dict[str, Mapping[str, Entry]] = {
        "norms": NORMS,
        "activations": ACTIVATIONS,
        "blocks": BLOCKS,
        "optimizers": OPTIMIZERS,
    }
    found: dict[str, list[dict[str, Any]]] = {
        key: [
            {"value": name, "label": entry.label.removesuffix(" norm")}
            for name, entry in table.items()
        ]
        for key, table in tables.items()
    }
    for each in found["blocks"]:
        each["convs"] = BLOCKS[each["value"]].convs
    return found


def _choices(infos: list[DatasetInfo], info: DatasetInfo) -> list[DatasetInfo]:
    """Return the datasets of the menu; the one in use is among them."""
    return infos if any(each.name == info.name for each in infos) else [*infos, info]


def _run(sketch: Sketch) -> dict[str, Any]:
    run = sketch.run
    note = sketch.note or (run.reason if run.state in ("failed", "diverged", "lost") else "")
    return {
        "id": run.id,
        "state": run.state,
        "note": note,
        "place": sketch.place,
        "changes": _count_changes(run),
    }


def _count_changes(run: Run) -> int:
    """Count the changes of a run's design or recipe, one that its worker has not taken included.

    Before the first step a change is not recorded: there was nothing to change.
    """
    store = run_store()
    taken = sum(each.order == "change" for each in store.interventions(run.id))
    is_waiting = run.step > 0 and store.run(run.id).request != run.request
    return taken + is_waiting


def _awaited_sentence(state: LabState) -> str:
    if not state.awaited:
        return ""
    title = dataset_info(state.awaited, folders()).title
    job = run_store().jobs.latest("prepare", {"name": state.awaited})
    progress = f": {job.text}, {job.progress:.0%}" if job is not None and job.text else ""
    return f"{title} is being prepared{progress}. It opens when it is ready."


def _pages(state: LabState, sketch: Sketch | None) -> dict[str, str]:
    """Return the addresses of other pages, for this design and this run."""
    design = urlencode({"design": encode(state.spec), "dataset": state.dataset})
    run = f"?{urlencode({'run': sketch.run.id})}" if sketch is not None else ""
    return {
        "build": at_root(f"build?{design}"),
        "draw": at_root(f"draw{run}"),
        "inspect": at_root(f"inspect{run}"),
    }


def _recent(dataset: str) -> list[dict[str, Any]]:
    """Return the last finished runs on a dataset, with their accuracy on its test pictures."""
    comparable = run_store().runs(RECENT, ["finished"], dataset=dataset, from_scratch=True)
    return [
        {
            "title": run.title,
            "url": at_root(f"train?{urlencode({'run': run.id})}"),
            "accuracy": run.summary.get("test_accuracy"),
        }
        for run in comparable
    ]


_lab = Component("lab", "lab/lab.bundle.js")


def lab(data: Mapping[str, Any], key: str, act: Callable[[Sequence[Any]], None]) -> None:
    """Show the Lab.

    It is mounted once: a rerun passes new data to what is on the screen.

    Args:
        data: What it shows (see `cnnlib.ui.lab.page`).
        act: Called before the page reruns, with what the person did, ``{"kind": "play", "number":
            7}``; an action comes again as long as ``done`` of the data is below its number.
    """

    def on_action() -> None:
        match (st.session_state.get(key) or {}).get("action"):  # none on a page just left
            case {"actions": [*actions]}:
                act(actions)

    _lab(data, key=key, on_action_change=on_action)
