"""Weights of a saved step: read as numpy arrays, or as the network itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open

from cnnlib.errors import ProbeError
from cnnlib.runs import RunStore
from cnnlib.runs.weight_files import KEPT, saved_weights

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.design.spec import CNNSpec
    from cnnlib.nets.model import Network
    from cnnlib.records.events import WeightsSaved
    from cnnlib.records.folders import Folders
    from cnnlib.records.run import Run

_NET, _OPTIMIZER = "net/", "optimizer/"
_NO_NUMPY_TYPE = (TypeError, AttributeError)  # what reading numbers of 8 bits or a bfloat16 raises
Weights = Mapping[str, np.ndarray]


def moments(saved: Sequence[WeightsSaved]) -> dict[int, WeightsSaved]:
    """The steps at which one can look inside, in order; the smaller file where there are two."""
    found: dict[int, WeightsSaved] = {}
    for each in sorted(saved, key=lambda each: (each.step, each.size_bytes)):
        found.setdefault(each.step, each)
    return found


def run_at(folders: Folders, run_id: str, step: int | None = None) -> tuple[Run, int, Weights]:
    """A run, a step of it that lies on disk (None is the last one), and its weights there.

    Raises:
        StoreError: There is no such run, or the step is not on disk.
        ProbeError: The file is damaged.
    """
    with closing(RunStore(folders)) as store:
        run = store.run(run_id)
        saved = saved_weights(store, run_id, step, (*KEPT, "latest"))
    return run, saved.step, read_arrays(folders.run(run_id) / saved.file)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """A network's ``state_dict`` from a snapshot or a checkpoint, without torch.

    Raises:
        ProbeError: The file is not there or damaged.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            names = [name for name in file.keys() if not name.startswith(_OPTIMIZER)]
            return {name.removeprefix(_NET): file.get_tensor(name) for name in names}
    except (OSError, SafetensorError, *_NO_NUMPY_TYPE) as error:
        raise ProbeError(
            f"{path.name} cannot be read ({str(error)[:300]}). It was deleted, thinned "
            "out or damaged. "
            "Choose another saved step of the run."
        ) from error


def network(spec: CNNSpec, weights: Weights) -> Network:
    """The network of a spec with these weights, on the CPU, in evaluation mode.

    Raises:
        ProbeError: They are the weights of another design.
    """
    import torch

    from cnnlib.nets.model import build_model

    net = build_model(spec, seed=0)
    try:
        net.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    except RuntimeError as error:
        raise ProbeError(
            f"The saved weights do not fit the design of their run ({str(error)[:300]}). "
            "The file was exchanged; choose another step."
        ) from error
    return net.eval()
