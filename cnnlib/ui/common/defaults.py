"""Default dataset and preset, depending on the datasets on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.data.catalogue import dataset_info

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.folders import Folders

# The best known first. Nothing is downloaded without a request; digits are always on the machine.
_DATASETS = ("mnist", "fashion-mnist", "cifar10", "digits")


def starter_datasets(folders: Folders) -> list[DatasetInfo]:
    """Return the candidates for the default dataset; faster than reading the whole catalogue."""
    return [dataset_info(name, folders) for name in _DATASETS]


def default_dataset(infos: Iterable[DatasetInfo]) -> DatasetInfo:
    """Return the best known of the datasets that are on this machine."""
    available = {info.name: info for info in infos if info.state != "download"}
    return next(available[name] for name in _DATASETS if name in available)


def default_preset(dataset: str) -> str:
    """Return the name of the preset with the best accuracy for its training time on a dataset."""
    return "mnist_fast" if dataset in ("mnist", "fashion-mnist", "digits") else "cifar_fast"
