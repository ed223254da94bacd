"""Everything that pages and commands read of runs; and a run with something of everything."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from example_runs import a_request, an_epoch, started, steps, the_end

from cnnlib.compare.charts import class_scores, settings
from cnnlib.compare.columns import COLUMNS, columns
from cnnlib.compare.results_table import ResultsTable
from cnnlib.compare.rows import Row, best_of_sentence
from cnnlib.design.plan import plan
from cnnlib.diagnosis.report import run_report
from cnnlib.figures.compare import class_figure, settings_figure
from cnnlib.nets.model import build_model
from cnnlib.records.events import Intervention, WeightsSaved
from cnnlib.report.page import to_html
from cnnlib.report.text import to_csv, to_latex, to_markdown
from cnnlib.runs.polling import metrics_since
from cnnlib.train.checkpoint import write_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.runs import RunStore


def a_told_run(store: RunStore, name: str = "", fingerprint: str = "f00d", **fields) -> str:
    """A finished run with steps, epochs, weights, an intervention, predictions and a result."""
    request = a_request(name=name, **fields)
    worker_id = store.workers.register()
    run_id = store.submit(request)
    store.claim(worker_id, run_id)
    folder = store.folders.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    net = build_model(plan(request.spec), seed=0)
    saved = []
    for step in (0, 20):
        file = f"snapshot-{step:08}.safetensors"
        size = write_weights(folder / file, net, step)
        saved.append(WeightsSaved(step, file, "snapshot", size))
    np.savez(folder / "test.npz", predicted=np.zeros(4, np.int16), true=np.ones(4, np.int16))
    change = Intervention(3, "set", "lr", 0.01)
    begun = replace(started(), fingerprint=fingerprint)
    told = [begun, *steps(1, 20), an_epoch(1, 10), an_epoch(2, 20), change, *saved]
    store.record_events(run_id, worker_id, [*told, replace(the_end(), reason="")])
    store.workers.unregister(worker_id)
    return run_id


def read_everything(store: RunStore, run_ids: Sequence[str]) -> None:
    """Read runs as every page and command does; an error is a find."""
    for run_id in run_ids:
        run = store.run(run_id)
        plan(run.request.spec)
        assert isinstance(run.title, str)
        json.dumps(metrics_since(store, run_id), allow_nan=False)
        store.steps_after(run_id), store.epochs(run_id), store.interventions(run_id)
        store.saved_weights(run_id), store.position(run_id)
        json.dumps(run_report(store, run_id))
        if (result := store.result(run_id)) is not None:
            class_figure([class_scores(Row(run_id, (run,)), run.title, [result])], ["a", "b"])
    rows = ResultsTable(store).rows()
    best_of_sentence(rows)
    settings_figure(settings(rows))
    assert ResultsTable(store).rows(search="test>1 params<=0") is not None
    shown = columns([*COLUMNS, "seconds_to_50"])
    for write in (to_csv, to_markdown, to_latex, to_html):
        write(rows, shown).encode()
