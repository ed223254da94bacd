"""Requests for the feature maps of a network on one picture, as the Lab page draws them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cnnlib.design.spec import CNNSpec
from cnnlib.records.run import RunRequest


@dataclass(frozen=True)
class NetworkSource:
    """Where the weights of a network come from.

    Args:
        spec: The design.
        seed: Of the fresh weights, for all tensors that the file does not have in this shape.
        weights: A file with weights of a run; None is a network that was never trained.
        written: Modification time of the file, nanoseconds since 1970: distinguishes versions.
    """

    spec: CNNSpec
    seed: int = 0
    weights: Path | None = None
    written: int = 0


@dataclass(frozen=True)
class SplitSource:
    """A validation split.

    Args:
        dataset: Name of a prepared dataset.
        fingerprint: Hash of its content.
        validation, split_seed: As in `RunRequest`.
    """

    dataset: str
    fingerprint: str
    validation: float = 0.1
    split_seed: int = 0


@dataclass(frozen=True)
class MapsRequest:
    """What is shown of a network.

    Args:
        picture: Index in the validation split; not used with pixels.
        pixels: A drawing: C * H * W bytes, uint8; None shows the picture.
        tiles: Most maps of a column.
        open: Columns whose maps are all shown.
        held: Column -> maps that are shown in this order, whatever their strength; none if empty.
        chosen: Column and map whose inputs are shown as links; None shows none.
        strip: Add the predictions for some pictures of the validation split.
    """

    network: NetworkSource
    split: SplitSource
    picture: int = 0
    pixels: bytes | None = None
    tiles: int = 8
    open: frozenset[int] = frozenset()
    held: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    chosen: tuple[int, int] | None = None
    strip: bool = False


@dataclass(frozen=True)
class StepRequest:
    """One update of a run, from its saved weights before and after.

    Args:
        before, after: Files of the run's checkpoints of the steps before and after the update.
        run: What the run was asked to do.
        step: The step after the update.
        chosen: Column and map whose kernels are shown; None shows the batch only.
        source: The input map whose gradient is shown position by position.
    """

    before: Path
    after: Path
    run: RunRequest
    step: int
    chosen: tuple[int, int] | None = None
    source: int = 0
