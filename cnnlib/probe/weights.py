"""The weights of a saved step, as numpy arrays or as a network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open

from cnnlib.errors import ProbeError
from cnnlib.runs import RunStore
from cnnlib.runs.saved_steps import KEPT, saved_weights

if TYPE_CHECKING:
    from cnnlib.design.spec import CNNSpec
    from cnnlib.nets.model import Network
    from cnnlib.records.events import WeightsSaved
    from cnnlib.records.folders import Folders
    from cnnlib.records.run import Run

_NET, _OPTIMIZER = "net/", "optimizer/"
_NO_NUMPY_TYPE = (TypeError, AttributeError)  # raised for dtypes without numpy type, as bfloat16
Weights = Mapping[str, np.ndarray]


def weights_by_step(saved: Sequence[WeightsSaved]) -> dict[int, WeightsSaved]:
    """Return the saved weights by step, in order; of two files of a step, the smaller one."""
    by_step: dict[int, WeightsSaved] = {}
    for each in sorted(saved, key=lambda each: (each.step, each.size_bytes)):
        by_step.setdefault(each.step, each)
    return by_step


def run_at(folders: Folders, run_id: str, step: int | None = None) -> tuple[Run, int, Weights]:
    """Read a run, a saved step, and the weights at that step.

    Args:
        step: None is the one that early stopping restored, or else the last.

    Raises:
        StoreError: There is no such run, or the step was not saved.
        ProbeError: The file is damaged.
    """
    with closing(RunStore(folders)) as store:
        run = store.run(run_id)
        saved = saved_weights(store, run_id, step, (*KEPT, "latest"))
        path = store.weights_file(run_id, saved)
    return run, saved.step, read_arrays(path)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read a network's ``state_dict`` from a snapshot or a checkpoint, without torch.

    Raises:
        ProbeError: The file is missing or damaged.
    """
    return read_step_arrays(path)[1]


def read_step_arrays(path: Path) -> tuple[int, dict[str, np.ndarray]]:
    """Read the step of a file and its arrays, as `read_arrays`; both of one version of the file.

    Raises:
        ProbeError: The file is missing or damaged.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            step = json.loads((file.metadata() or {}).get("cnnlib", "{}")).get("step", 0)
            names = [name for name in file.keys() if not name.startswith(_OPTIMIZER)]
            return step, {name.removeprefix(_NET): file.get_tensor(name) for name in names}
    except (OSError, ValueError, SafetensorError, *_NO_NUMPY_TYPE) as error:
        raise ProbeError(
            f"The weights file {path.name} cannot be read ({str(error)[:300]}). It was deleted or "
            "damaged. Choose another saved step of the run."
        ) from error


def network(spec: CNNSpec, weights: Weights) -> Network:
    """Build the network of a spec with these weights, on the CPU, in evaluation mode.

    Raises:
        ProbeError: The weights do not match the spec.
    """
    import torch

    from cnnlib.nets.model import build_model

    net = build_model(spec, seed=0)
    try:
        net.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    except RuntimeError as error:
        raise ProbeError(
            f"The saved weights do not fit the design of their run ({str(error)[:300]}), so the "
            "file was replaced by another one. Choose another saved step."
        ) from error
    return net.eval()
