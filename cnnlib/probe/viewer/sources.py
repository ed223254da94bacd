"""Networks and pictures of the viewer, cached by file and version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import numpy as np
import torch
from cachetools import LRUCache, cached

from cnnlib.data.batches import Normaliser
from cnnlib.data.prepared import Prepared, load_prepared
from cnnlib.data.split import stratified_order, train_validation_split
from cnnlib.design.cost import cost
from cnnlib.design.plan import Plan, plan
from cnnlib.errors import ProbeError, SpecError
from cnnlib.nets.model import Network, build_model, load_fitting
from cnnlib.probe.weights import network, read_arrays, read_step_arrays
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.folders import Folders
from cnnlib.records.maps import NetworkSource, SplitSource
from cnnlib.units import format_size

_TYPICAL, _HARD = 10, 6  # pictures of the strip
# Of a network that anybody may ask for: a viewer that ran out of memory would end for all.
MOST_TRAINING_BYTES = 1_000_000_000  # of a step with one picture
MOST_MACS = 5_000_000_000  # of a forward pass of one picture
NETWORK_BYTES = 300_000_000  # of the networks in each of the two caches


@dataclass(frozen=True, eq=False)
class StepNetwork:
    """A network in evaluation mode, and the step of its weights; 0 for an untrained one."""

    net: Network
    step: int


def _bytes_of(net: Network) -> int:
    return sum(each.nbytes for each in net.state_dict().values())


@cached(LRUCache(NETWORK_BYTES, getsizeof=lambda found: _bytes_of(found.net)), lock=Lock())
def network_of(source: NetworkSource) -> StepNetwork:
    """Build a network; tensors that the file does not have in the same shape are fresh.

    Raises:
        SpecError: The design cannot be planned, or is too large to be computed here.
        ProbeError: The file was deleted or damaged.
    """
    planned = plan(source.spec)
    _check_size(planned)
    net = build_model(planned, seed=source.seed)
    step = 0
    if source.weights is not None:
        step, arrays = read_step_arrays(source.weights)
        load_fitting(net, {name: torch.from_numpy(value) for name, value in arrays.items()})
    return StepNetwork(net.eval(), step)


def _check_size(planned: Plan) -> None:
    costs = cost(planned, batch_size=1)
    if costs.training_bytes > MOST_TRAINING_BYTES or costs.macs > MOST_MACS:
        raise SpecError(
            f"A step of this network takes {format_size(costs.training_bytes)} and "
            f"{costs.macs / 1e9:.3g} billion multiplications for one picture. Feature maps are "
            f"shown up to {format_size(MOST_TRAINING_BYTES)} and {MOST_MACS / 1e9:.3g} billion. "
            "Choose fewer channels, fewer layers or more pooling."
        )


@cached(LRUCache(NETWORK_BYTES, getsizeof=_bytes_of), lock=Lock())
def saved_network_of(source: NetworkSource) -> Network:
    """Build the network of a saved step in evaluation mode; all tensors of the file must fit.

    Raises:
        ProbeError: There is no file, or it was deleted, damaged or replaced.
    """
    if source.weights is None:
        raise ProbeError("This network was never trained, so it has no saved step. Choose a run.")
    return network(source.spec, read_arrays(source.weights))


def normalised(info: DatasetInfo, pictures: np.ndarray) -> torch.Tensor:
    """Return pictures (N x C x H x W, uint8) as the input of a network (float32)."""
    return Normaliser(info, "cpu")(torch.from_numpy(np.array(pictures)))


@dataclass(frozen=True, eq=False)
class Validation:
    """A validation split.

    Args:
        indices: Of its pictures in the training pictures of the dataset.
        strip: Positions in ``indices``: some typical pictures, then some hard ones.
    """

    prepared: Prepared
    indices: np.ndarray
    strip: tuple[int, ...]

    def picture(self, position: int) -> tuple[np.ndarray, int]:
        """Return a picture (C x H x W, uint8) and its label.

        Raises:
            ProbeError: There is no such picture.
        """
        if not 0 <= position < len(self.indices):
            raise ProbeError(
                f"Picture {position} is not in the validation split, which has the pictures 0 to "
                f"{len(self.indices) - 1}. Choose one of them."
            )
        index = self.indices[position]
        return np.array(self.prepared.train_images[index]), int(self.prepared.train_labels[index])

    def normalise(self, pictures: np.ndarray) -> torch.Tensor:
        """Return pictures (N x C x H x W, uint8) as the input of a network."""
        return normalised(self.prepared.info, pictures)


@lru_cache(maxsize=6)
def validation_of(source: SplitSource) -> Validation:
    """Open a dataset and divide it.

    Raises:
        DataError: It is not prepared.
    """
    prepared = load_prepared(source.dataset, Folders.from_environment())
    _, indices = train_validation_split(
        prepared.train_labels,
        source.validation,
        source.split_seed,
        own=prepared.info.validation_count,
    )
    return Validation(prepared, indices, _strip_of(prepared, indices))


def _strip_of(prepared: Prepared, indices: np.ndarray) -> tuple[int, ...]:
    """Choose typical pictures (stratified) and hard ones: closer to the mean of another class."""
    if not len(indices):
        return ()
    labels = np.asarray(prepared.train_labels)[indices]
    order, _ = stratified_order(labels, seed=0)
    typical = [int(position) for position in order[:_TYPICAL]]
    candidates = [int(position) for position in order[:2000]]
    chosen = indices[candidates]
    pictures = prepared.train_images[chosen].reshape(len(chosen), -1).astype(np.float32)
    hard = np.argsort(-_hardness(pictures, labels[candidates]), kind="stable")
    others = [candidates[place] for place in hard if candidates[place] not in typical]
    return (*typical, *others[:_HARD])


def _hardness(pictures: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Distance to the mean of the own class, less that to the nearest mean of another one."""
    classes = np.unique(labels)
    means = np.stack([pictures[labels == each].mean(axis=0) for each in classes])
    squares = (pictures**2).sum(axis=1, keepdims=True) + (means**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares - 2 * pictures @ means.T, 0))
    rows, own = np.arange(len(labels)), np.searchsorted(classes, labels)
    to_own = distances[rows, own].copy()
    distances[rows, own] = np.inf
    return to_own - distances.min(axis=1) if len(classes) > 1 else to_own


def strip_pictures(validation: Validation, positions: Sequence[int]) -> np.ndarray:
    """Return pictures of the split: N x C x H x W, uint8."""
    return np.stack([validation.picture(position)[0] for position in positions])
