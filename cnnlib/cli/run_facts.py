"""Facts about a run as flat JSON, the same in every command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnlib.records.run import Run
    from cnnlib.runs import RunStore


def run_facts(run: Run) -> dict[str, Any]:
    """The facts in a run's own row, without reading its epochs."""
    request, summary = run.request, run.summary
    return {
        "run_id": run.id,
        "state": run.state,
        "reason": run.reason,
        "name": request.name,
        "preset": request.preset,
        "dataset": request.dataset,
        "seed": request.seed,
        "group": request.group,
        "params": run.plan_cost.get("params"),
        "macs": run.plan_cost.get("macs"),
        "epochs": run.epoch,
        "step": run.step,
        "total_steps": run.total_steps,
        "first_train_loss": summary.get("first_train_loss"),
        "last_train_loss": summary.get("last_train_loss"),
        "val_accuracy": summary.get("last_val_accuracy"),
        "best_val_accuracy": summary.get("best_val_accuracy"),
        "test_accuracy": summary.get("test_accuracy"),
        "seconds": run.train_seconds,
        "images_per_second": summary.get("images_per_second"),
        "created": run.created,
        "started": run.started,
        "ended": run.ended,
    }


def all_run_facts(store: RunStore, run: Run) -> dict[str, Any]:
    """All facts about a run except its steps."""
    from cnnlib.diagnosis.report import run_report

    epochs = store.epochs(run.id)
    report = run_report(store, run.id)
    return run_facts(run) | {
        "epoch_train_loss": [epoch.train_loss for epoch in epochs],
        "epoch_train_accuracy": [epoch.train_accuracy for epoch in epochs],
        "epoch_val_loss": [epoch.val_loss for epoch in epochs],
        "epoch_val_accuracy": [epoch.val_accuracy for epoch in epochs],
        "epoch_test_accuracy": [epoch.test_accuracy for epoch in epochs],
        "epoch_seconds": [epoch.seconds for epoch in epochs],
        "test_loss": run.summary.get("test_loss"),
        "latency": run.summary.get("latency"),
        "forecast": run.summary.get("forecast"),
        "promised": run.summary.get("promised"),
        "peak_memory_bytes": run.summary.get("peak_memory_bytes"),
        "troubles": report["troubles"],
        "explained": report["explained"],
        "interventions": store.interventions(run.id),
        "saved": [
            {"step": saved.step, "what": saved.what, "file": saved.file}
            for saved in store.saved_weights(run.id)
        ],
        "chosen": run.chosen,
        "machine": run.machine,
        "fingerprint": run.fingerprint,
        "attempt": run.attempt,
        "request": run.request,
    }
