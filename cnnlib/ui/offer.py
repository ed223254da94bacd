"""What the lab proposes before a person has chosen: it depends on the datasets there are."""

from __future__ import annotations

from cnnlib.data.catalogue import dataset_info
from cnnlib.design.presets import preset
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.folders import Folders
from cnnlib.records.offers import offered_recipe
from cnnlib.records.run import RunRequest

# The best known first. Nothing is ever downloaded unasked; digits are always there.
_DATASETS = ("mnist", "fashion-mnist", "cifar10", "digits")


def offered_dataset(folders: Folders) -> DatasetInfo:
    """The dataset to begin with: the best known of those that are on this machine."""
    infos = (dataset_info(name, folders) for name in _DATASETS)
    return next(info for info in infos if info.state != "download")


def offered_preset(info: DatasetInfo) -> str:
    """Name of the preset that does best for its time on pictures of that kind."""
    return "tiny99" if info.in_size[0] == 1 else "cifar_fast"


def offered_request(info: DatasetInfo) -> RunRequest:
    """What one press trains on a dataset, with nothing else chosen."""
    name = offered_preset(info)
    spec = preset(name).adapt(info.in_size, len(info.classes))
    recipe = offered_recipe(spec, info.name, info.train_count)
    return RunRequest(spec=spec, recipe=recipe, dataset=info.name, preset=name)
