"""Files of weights and checkpoints: safetensors with a JSON header, never pickle.

A snapshot holds a network's ``state_dict``. A checkpoint holds the ``state_dict`` under ``net/``,
the optimiser's state under ``optimizer/``, and the run's progress and circumstances as JSON in the
file's header. Each file is written under a temporary name and then renamed, so it is never partial.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from cnnlib.design.checks import Check, check_fields
from cnnlib.errors import CnnlibError, TrainError
from cnnlib.records.events import Setting
from cnnlib.records.files import replacing
from cnnlib.records.recipe import Recipe
from cnnlib.records.record import Record, checks

if TYPE_CHECKING:
    from cnnlib.train.optimizers import Optimizer

_NET, _OPTIMIZER = "net/", "optimizer/"


@dataclass(frozen=True)
class Circumstances:
    """Properties of a run that a bitwise continuation must share.

    Args:
        mode: Name of the execution mode.
        device: "cpu", "cuda" or "mps".
        fingerprint: Hash of the dataset's content.
    """

    recipe: Recipe
    mode: str
    device: str
    fingerprint: str

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Circumstances:
        """Build a record from the output of ``dataclasses.asdict``."""
        return cls(**{**values, "recipe": Recipe.from_dict(values["recipe"])})


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a bitwise continuation needs.

    States of random generators are not included: the random numbers of a step are a function of
    the seed and the step (`cnnlib.train.randomness`).

    Args:
        weights: The network's ``state_dict``.
        optimizer: The optimiser's state, by name.
    """

    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    progress: Progress
    circumstances: Circumstances


def write_weights(path: Path, net: nn.Module, step: int) -> int:
    """Write a network's weights; return the size in bytes."""
    return write_state(path, net.state_dict(), step)


def write_state(path: Path, weights: Mapping[str, Tensor], step: int) -> int:
    """Write a network's ``state_dict``; return the size in bytes."""
    return _write(path, _to_storable(weights), {"step": step})


def write_checkpoint(
    path: Path,
    net: nn.Module,
    optimizer: Optimizer,
    progress: Progress,
    circumstances: Circumstances,
) -> int:
    """Write a checkpoint; return the size in bytes."""
    state = _to_storable(optimizer.state_tensors())
    tensors = {_NET + name: value for name, value in _to_storable(net.state_dict()).items()}
    tensors |= {_OPTIMIZER + name: value for name, value in state.items()}
    header = {
        "step": progress.step,
        "progress": progress.to_dict(),
        "circumstances": asdict(circumstances),
    }
    return _write(path, tensors, header)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the network's ``state_dict`` from a snapshot or a checkpoint, on the CPU.

    Raises:
        TrainError: The file is missing or damaged.
    """
    tensors, _ = _read(path, skip=_OPTIMIZER)
    return {name.removeprefix(_NET): value for name, value in tensors.items()}


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint file, on the CPU.

    Raises:
        TrainError: The file is missing, damaged, or holds only weights.
    """
    tensors, header = _read(path)
    if "progress" not in header:
        raise TrainError(
            f"{path.name} contains only weights, but training can continue only from a checkpoint. "
            "Choose a step with a checkpoint, or start from the weights alone."
        )
    try:
        return Checkpoint(
            weights=_select_prefix(_NET, tensors),
            optimizer=_select_prefix(_OPTIMIZER, tensors),
            progress=Progress.from_dict(header["progress"]),
            circumstances=Circumstances.from_dict(header["circumstances"]),
        )
    except (CnnlibError, KeyError, TypeError) as error:
        raise _unreadable(path, error) from error


def is_finite(path: Path) -> bool:
    """Return whether every weight in a file is finite."""
    return all(bool(torch.isfinite(value).all()) for value in read_weights(path).values())


def _to_storable(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors as safetensors requires them: row-major, not shared, on the CPU."""
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}


def _select_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, without the prefix."""
    selected = {name: value for name, value in tensors.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): value for name, value in selected.items()}


def _write(path: Path, tensors: dict[str, Tensor], header: Mapping[str, Any]) -> int:
    content = save(tensors, metadata={"cnnlib": json.dumps(header)})
    with replacing(path) as file:
        file.write_bytes(content)
    return len(content)


def _read(path: Path, skip: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("cnnlib", "{}"))
            names = [name for name in file.keys() if not (skip and name.startswith(skip))]
            tensors = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(header, dict):
        raise _unreadable(path, "its header is not a JSON object")
    return tensors, header


def _unreadable(path: Path, reason: object) -> TrainError:
    return TrainError(
        f"{path.name} cannot be read ({str(reason)[:300]}). It was deleted or "
        "damaged. Choose another saved step of the run."
    )


_COUNTS = ("step", "epoch", "position", "images", "correct", "epochs_since_best")
_count, _finite = checks.integer(0, 10**15), checks.number(-1e300, 1e300)
_CHECKS: dict[str, Check] = {
    **dict.fromkeys(_COUNTS, _count),
    **dict.fromkeys(("train_seconds", "epoch_began", "loss_sum"), _finite),
    "best_val_loss": checks.optional(_finite),
    "best_step": checks.optional(_count),
    "settings": checks.instance(dict),
}


@dataclass
class Progress(Record):
    """Counters and sums of a running run; updated by the loop, stored in checkpoints as JSON.

    Args:
        step: Updates done.
        epoch: Epochs finished.
        position: Pictures of the current epoch that were trained on.
        images: Pictures trained on since the start of the run.
        train_seconds: Time spent training.
        epoch_began: The value of train_seconds at the start of the current epoch.
        loss_sum: Sum over the epoch's pictures so far of their batch's mean loss.
        correct: Pictures of the epoch so far that were classified correctly in training.
        best_val_loss: Lowest validation loss of any epoch so far.
        epochs_since_best: Epochs finished since then.
        best_step: The step at the end of that epoch; None before the first.
        settings: Learning rate, momentum and weight decay that were changed during the run.
    """

    step: int = 0
    epoch: int = 0
    position: int = 0
    images: int = 0
    train_seconds: float = 0.0
    epoch_began: float = 0.0
    loss_sum: float = 0.0
    correct: int = 0
    best_val_loss: float | None = None
    epochs_since_best: int = 0
    best_step: int | None = None
    settings: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check all values, as a checkpoint file may come from an untrusted source."""
        check_fields(self, _CHECKS)
        for name, value in self.settings.items():
            checks.choice(get_args(Setting))("setting", name)
            checks.number(0, 1e12)(name, value)

    def end_epoch(self, val_loss: float | None) -> None:
        """Count the epoch and reset the sums for the next one."""
        self.epoch += 1
        self.position, self.correct = 0, 0
        self.loss_sum, self.epoch_began = 0.0, self.train_seconds
        self.epochs_since_best += 1
        if val_loss is not None and (self.best_val_loss is None or val_loss < self.best_val_loss):
            self.best_val_loss, self.epochs_since_best = val_loss, 0
            self.best_step = self.step
