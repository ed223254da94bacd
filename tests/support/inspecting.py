"""Helpers for tests of Inspect: finished runs with saved weights, and the opened page."""

import json
from inspect import signature
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from apps import AppTest
from example_runs import steps, submit_claimed, the_end
from sample_data import copied_digits

from cnnlib.design.spec import CNNSpec
from cnnlib.nets.model import build_model
from cnnlib.records.events import RunEnd, SplitResult, Started, WeightsSaved
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.runs import RunStore
from cnnlib.train.checkpoint import write_weights
from cnnlib.ui.common.urls import CONVOLUTION, INSPECT, LAB

MACHINE = {"processor": "abacus", "device": "cpu", "threads": 1, "versions": {}}
MAIN = LAB.parent.parent / "cnnlib" / "ui" / "server" / "main.py"
PLAIN = CNNSpec(channels=(4, 6), norm="batch", hidden_dims=(12,), hidden_dropout=0.5)
RESIDUAL = CNNSpec(
    channels=(4, 4, 4, 4), block="residual", norm="batch", pool_every=2, head="gap", dropout=0.1
)


def snapshot_name(step: int) -> str:
    """The name of a file of weights, as a run writes it."""
    return f"snapshot-{step:08d}.safetensors"


def a_saved_run(
    store: RunStore,
    spec: CNNSpec = PLAIN,
    saved_steps: tuple[int, ...] = (0, 5),
    end: RunEnd | None = None,
) -> str:
    """Add a finished run on the digits, with saved weights of some steps."""
    worker_id = store.workers.register()
    prepared = copied_digits()
    run_id = submit_claimed(store, RunRequest(spec, Recipe(epochs=1), "digits"), worker_id)
    folder = store.folders.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    saved = []
    for step in saved_steps:
        name = snapshot_name(step)
        size = write_weights(folder / name, build_model(spec, seed=step), step)
        saved.append(WeightsSaved(step, name, "snapshot", size))
    begin = Started(5, 5, prepared.info.fingerprint, {}, MACHINE)
    store.record_events(run_id, worker_id, [begin, *steps(1, 5), *saved, end or the_end(step=5)])
    store.workers.unregister(worker_id)
    return run_id


def a_run_with_even_errors(store: RunStore, spec: CNNSpec = PLAIN) -> str:
    """Add a finished run whose predictions spread evenly over the ten digits."""
    labels = np.array(copied_digits().test_labels)
    return _a_run_with_predictions(store, spec, (labels + np.arange(len(labels))) % 10)


def a_run_with_errors_of_a_class(store: RunStore, spec: CNNSpec = PLAIN) -> str:
    """Add a finished run that predicts 1 for every 0, and is right on all other digits."""
    return _a_run_with_predictions(store, spec, np.maximum(copied_digits().test_labels, 1))


def _a_run_with_predictions(store: RunStore, spec: CNNSpec, predicted: np.ndarray) -> str:
    labels = np.array(copied_digits().test_labels)
    share = np.full((len(labels), 10), 0.02, np.float16)
    share[np.arange(len(labels)), predicted] = 0.82
    result = SplitResult(2.0, 0.1, len(labels), (), (), "p.npz")
    run_id = a_saved_run(store, spec, end=RunEnd("finished", step=5, test=result))
    values = {"labels": labels.astype(np.uint8), "predicted": predicted.astype(np.uint8)}
    np.savez_compressed(store.folders.run(run_id) / "p.npz", **values, probabilities=share)
    return run_id


def with_pad(monkeypatch: pytest.MonkeyPatch, drawn: np.ndarray | None = None) -> None:
    """Replace the canvas by one with these pixels (H x W x 4, uint8); None before a stroke."""
    # The first import has to happen within Streamlit, which registers the canvas's files then.
    AppTest.from_string("import streamlit_drawable_canvas", default_timeout=60).run()
    from streamlit_drawable_canvas import st_canvas

    canvas_signature = signature(st_canvas)

    def canvas(**options):
        canvas_signature.bind(**options)  # raises for an unknown option, as the canvas would
        return SimpleNamespace(image_data=drawn)

    monkeypatch.setattr("streamlit_drawable_canvas.st_canvas", canvas)


def a_stroke() -> np.ndarray:
    """A pad with one thick white line from top to bottom."""
    pad = np.zeros((168, 168, 4), np.uint8)
    pad[..., 3] = 255
    pad[30:140, 78:90] = 255
    return pad


def open_inspect(page: Path = INSPECT, **query: str) -> AppTest:
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.run()
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page(str(page)).run()
    assert not app.exception, app.exception
    return app


def open_lesson() -> AppTest:
    """The convolution lesson by its old address."""
    return open_inspect(CONVOLUTION)


def address(app: AppTest) -> dict[str, str]:
    """The parameters that the page put into its address."""
    sent = [json.loads(each.proto.json) for each in app.get("bidi_component")[1:]]  # 0: the menu's
    [found] = [data for data in sent if "script" not in data]
    return found


def page_text(app: AppTest) -> str:
    """All titles, texts and messages of the page, a line each."""
    every = [*app.title, *app.markdown, *app.caption, *app.error, *app.warning, *app.info]
    return "\n".join(str(each.value) for each in every)
