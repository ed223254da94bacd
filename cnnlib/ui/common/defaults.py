"""What the lab proposes before a person has chosen: it depends on the datasets there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.data.catalogue import dataset_info
from cnnlib.design.presets import preset
from cnnlib.records.recipe_presets import default_recipe
from cnnlib.records.run import RunRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.folders import Folders

# The best known first. Nothing is ever downloaded unasked; digits are always there.
_DATASETS = ("mnist", "fashion-mnist", "cifar10", "digits")


def starters(folders: Folders) -> list[DatasetInfo]:
    """The datasets that one may begin with; quicker to ask for than the whole catalogue."""
    return [dataset_info(name, folders) for name in _DATASETS]


def default_dataset(infos: Iterable[DatasetInfo]) -> DatasetInfo:
    """The dataset to begin with: the best known of those that are on this machine."""
    here = {info.name: info for info in infos if info.state != "download"}
    return next(here[name] for name in _DATASETS if name in here)


def default_preset(dataset: str) -> str:
    """Name of the preset that does best for its time on a dataset."""
    return "mnist_fast" if dataset in ("mnist", "fashion-mnist", "digits") else "cifar_fast"


def default_request(info: DatasetInfo) -> RunRequest:
    """What one press trains on a dataset, with nothing else chosen."""
    name = default_preset(info.name)
    spec = preset(name).adapt(info.in_size, len(info.classes))
    recipe = default_recipe(spec, info.name, info.train_count)
    return RunRequest(spec=spec, recipe=recipe, dataset=info.name, preset=name)
