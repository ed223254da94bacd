"""The store, a saved step of a run with its network, and the facts about a run as flat JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnlib.cli.diverged import warn_of_useless
from cnnlib.cli.output import print_note
from cnnlib.cli.parser import PROGRAM
from cnnlib.errors import StoreError
from cnnlib.records.folders import Folders

if TYPE_CHECKING:
    from cnnlib.nets.model import Network
    from cnnlib.records.events import WeightsSaved
    from cnnlib.records.run import Run
    from cnnlib.runs import RunStore


# The help of --step.
DEFAULT_STEP = "default: the best epoch that was restored, else the last saved step"


def run_at_step(
    run_id: str, step: int | None = None, *, to_continue: bool = False
) -> tuple[RunStore, Run, WeightsSaved]:
    """Return the store, a run, and the saved weights of a step; warn of a run that diverged.

    Args:
        step: None is the one that early stopping restored, or else the last saved one.
        to_continue: Require a checkpoint, from which training can continue; None is then the last
            checkpoint.

    Raises:
        StoreError: There is no such run, or the step is not on disk.
    """
    from cnnlib.runs.saved_steps import KEPT, saved_weights

    store = existing_store(run_id)
    run = store.run(run_id)
    if not to_continue:
        warn_of_useless(run)
    kinds = ("checkpoint",) if to_continue else KEPT
    return store, run, saved_weights(store, run_id, step, kinds)


def trained_net(store: RunStore, run: Run, saved: WeightsSaved) -> Network:
    """Build the run's network with saved weights, on the CPU, in evaluation mode.

    Raises:
        ProbeError: The file is damaged or missing.
    """
    from cnnlib.probe.weights import network, read_arrays

    return network(run.request.spec, read_arrays(store.weights_file(run.id, saved)))


def open_store() -> RunStore:
    """Open the store of the folders in the environment; create it where it is missing."""
    from cnnlib.runs import RunStore

    return RunStore()


def has_store() -> bool:
    """Whether the store exists."""
    folders = Folders.from_environment()
    return bool(folders.database) or (folders.runs / "cnnlab.db").exists()


def existing_store(run_id: str) -> RunStore:
    """Open the store that should hold a run.

    Raises:
        StoreError: There is no store.
    """
    if not has_store():
        raise StoreError(
            f"There is no run {run_id[:40]!r}: the folder {Folders.from_environment().runs} "
            "contains no runs yet. Train one, or set CNNLAB_RUNS to the folder with your runs."
        )
    return open_store()


def print_unless_served(store: RunStore, what: str, command: str) -> None:
    """Print that nothing trains what waits, where no worker process is running.

    Args:
        what: What nothing will start, such as "this run".
        command: What trains it in this terminal.
    """
    if not store.workers.serve_runs():
        print_note(
            f"No worker process is running, so nothing will start {what}. To train here: "
            f"'{command}'. Or start the app, whose workers do it: '{PROGRAM} app'."
        )


def run_facts(run: Run) -> dict[str, Any]:
    """The facts in a run's own row, without reading its epochs."""
    request, summary = run.request, run.summary
    return {
        "run_id": run.id,
        "state": run.state,
        "reason": run.reason,
        **{name: getattr(request, name) for name in _OF_REQUEST},
        **{name: run.plan_cost.get(name) for name in ("params", "macs")},
        "epochs": run.epoch,
        "step": run.step,
        "total_steps": run.total_steps,
        "first_train_loss": summary.get("first_train_loss"),
        "last_train_loss": summary.get("last_train_loss"),
        "val_accuracy": summary.get("last_val_accuracy"),
        "val_step": run.val_step,
        "weights_epoch": summary.get("weights_epoch", run.epoch if run.val_step is None else None),
        "best_val_accuracy": summary.get("best_val_accuracy"),
        "best_val_epoch": summary.get("best_val_epoch"),
        "test_accuracy": summary.get("test_accuracy"),
        "seconds": run.train_seconds,
        "images_per_second": summary.get("images_per_second"),
        "created": run.created,
        "started": run.started,
        "ended": run.ended,
    }


_OF_REQUEST = ("name", "preset", "dataset", "seed", "group")
_OF_EPOCHS = (
    *("train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_accuracy", "seconds"),
)
_OF_SUMMARY = ("test_loss", "latency", "forecast", "promised", "peak_memory_bytes")


def all_run_facts(store: RunStore, run: Run) -> dict[str, Any]:
    """All facts about a run except its steps."""
    from cnnlib.diagnosis.report import run_report

    epochs = store.epochs(run.id)
    report = run_report(store, run.id)
    return run_facts(run) | {
        **{f"epoch_{name}": [getattr(each, name) for each in epochs] for name in _OF_EPOCHS},
        **{name: run.summary.get(name) for name in _OF_SUMMARY},
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
