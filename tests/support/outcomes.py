"""What a run has produced, without its times: the same for the same request, to the bit."""

from __future__ import annotations

from dataclasses import asdict
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from safetensors import safe_open

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.runs import RunStore

_TIMES = ("seconds", "eval_seconds", "images_per_second", "memory_bytes")
_ALL = 10**6


def outcome(store: RunStore, run_id: str) -> dict[str, Any]:
    """Return the state, the rows, the result, and a hash of the last checkpoint."""
    run = store.run(run_id)
    columns = store.steps_after(run_id, 0, _ALL)
    epochs = [asdict(each) for each in store.epochs(run_id)]
    result = store.result(run_id)
    saved = [each for each in store.saved_weights(run_id) if each.what == "checkpoint"]
    last = max(saved, key=lambda each: each.step)
    return {
        "state": run.state,
        "step": run.step,
        "steps": {name: values for name, values in columns.items() if name not in _TIMES},
        "epochs": [_without_times(each) for each in epochs],
        "result": result and {**asdict(result), "predictions_file": ""},
        "checkpoint": (last.step, _hash_of(store.weights_file(run_id, last))),
    }


def _without_times(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in _TIMES}


def _hash_of(checkpoint: Path) -> str:
    """Return a hash of the tensors of a file, in the order of their names."""
    hashed = sha256()
    with safe_open(checkpoint, "numpy") as file:
        for name in sorted(file.keys()):
            hashed.update(name.encode() + file.get_tensor(name).tobytes())
    return hashed.hexdigest()
