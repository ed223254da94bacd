"""Write this version's fixtures: ``python -m tests.versions.write 0.2.0`` from the root.

A tiny network learns the digits for two epochs; its store, its parcel, links and designs are kept,
with what the present version says about them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "support"))
RANDOM_DESIGNS = 30
KINDS = ("duel", "grid", "search")


def main(version: str) -> None:
    """Write one folder; it must not be there yet."""
    own = Path(__file__).parent / version
    own.mkdir()
    os.environ |= {"CNNLAB_RUNS": str(own / "runs"), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as data:
        os.environ["CNNLAB_DATA"] = data
        told = {"runs": _run(own), **_designs()}
        told |= _store(own)
    (own / "told.json").write_text(json.dumps(told, separators=(",", ":")) + "\n")
    print(f"{sum(f.stat().st_size for f in own.rglob('*') if f.is_file()):,} bytes in {own}")


def _run(own: Path) -> dict[str, Any]:
    """Train a run to its end; what it told."""
    from cnnlib.data.uploads import remove_dataset
    from cnnlib.design.spec import CNNSpec
    from cnnlib.records.recipe import Recipe
    from cnnlib.runs import RunStore
    from cnnlib.runs.archive.archive import export_runs
    from cnnlib.train.api import fit

    spec = CNNSpec(in_size=(1, 28, 28), channels=(2, 4), norm="batch", head="gap")
    recipe = Recipe(epochs=2, batch_size=64)
    trained = fit(spec, "digits", recipe, name="a first run", train_limit=300)
    remove_dataset("digits")
    run_id = trained.run.id
    with closing(RunStore()) as store:
        export_runs(store, [run_id], own / "runs.zip")
        return {
            run_id: {
                "state": store.run(run_id).state,
                "title": store.run(run_id).title,
                "step": store.run(run_id).step,
                "losses": store.steps_after(run_id)["loss"],
                "val_accuracies": [epoch.val_accuracy for epoch in store.epochs(run_id)],
                "test_accuracy": store.result(run_id).accuracy,
                "saved": [saved.step for saved in store.saved_weights(run_id)],
                "interventions": len(store.interventions(run_id)),
                "sum_of_weights": sum(float(p.detach().sum()) for p in trained.net.parameters()),
            }
        }


def _designs() -> dict[str, Any]:
    """Links and specs of every preset and of random designs; a shelf with two of them."""
    from random_specs import random_specs

    from cnnlib.design.cost import cost
    from cnnlib.design.link import encode
    from cnnlib.design.plan import plan
    from cnnlib.design.presets import preset, presets
    from cnnlib.runs import RunStore
    from cnnlib.runs.saved_designs import SavedDesigns

    specs = [each.spec for each in presets()] + list(random_specs(RANDOM_DESIGNS, seed=1))
    with closing(RunStore()) as store:
        shelf = SavedDesigns(store)
        for name in ("lenet5", "tiny99"):
            shelf.save(f"my {name} <é>", preset(name).spec)
        saved = shelf.designs()
    return {
        "designs": [
            {"link": encode(s), "spec": s.to_dict(), "params": cost(plan(s)).params} for s in specs
        ],
        "shelf": {design.name: design.spec.to_dict() for design in saved},
    }


def _store(own: Path) -> dict[str, Any]:
    """Notes on the run, and no second file beside the database."""
    from cnnlib.compare.annotations import Annotation
    from cnnlib.compare.results_table import ResultsTable
    from cnnlib.runs import RunStore, studies

    with closing(RunStore()) as store:
        desk = ResultsTable(store)
        [row] = desk.rows()
        desk.annotate(row.key, Annotation(name="a noted row", note="kept", tags=("old",)))
        plans = [find.kind for find in studies.find_all(store, KINDS)]
        with store.database.read() as connection:
            connection.exec_driver_sql("SELECT 1")
    import sqlite3

    with closing(sqlite3.connect(own / "runs" / "cnnlab.db")) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("VACUUM")
    return {"row": "a noted row", "plans": plans}


if __name__ == "__main__":
    main(sys.argv[1])
