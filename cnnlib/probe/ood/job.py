"""The job that measures a run's out-of-distribution detector; its file is in the run's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnlib.data.prepared import is_prepared, load_prepared
from cnnlib.probe.ood.detector_file import ood_file, write_ood_detector
from cnnlib.probe.ood.distance import measure_ood_detector
from cnnlib.probe.pictures import run_pictures
from cnnlib.probe.weights import network, run_at

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    import numpy as np

    from cnnlib.records.folders import Folders
    from cnnlib.records.job import Progress

_OOD_DATASETS = {"mnist": "fashion-mnist", "digits": "fashion-mnist", "fashion-mnist": "mnist"}


def measure_ood(
    args: Mapping[str, Any], folders: Folders
) -> Generator[Progress, None, Mapping[str, Any]]:
    """Measure and store the detector of a run, at the default step of `run_at`: ``{"run": ...}``.

    Returns:
        ``{"false_alarms": ..., "missed": {kind: share}}``.

    Raises:
        CnnlibError: The run, its weights or its dataset are missing.
    """
    run, step, weights = run_at(folders, args["run"])
    net = network(run.request.spec, weights)
    prepared = run_pictures(run, folders)
    detector = yield from measure_ood_detector(net, prepared, _others(run.request.dataset, folders))
    write_ood_detector(ood_file(folders.run(run.id), step), detector)
    missed = {kind: rate.missed for kind, rate in detector.error_rates.items()}
    return {"false_alarms": detector.false_alarms, "missed": missed}


def _others(dataset: str, folders: Folders) -> dict[str, np.ndarray]:
    """Load the pictures of a dataset with other classes, if there is a prepared copy."""
    other = _OOD_DATASETS.get(dataset, "")
    if not other or not is_prepared(other, folders):
        return {}
    prepared = load_prepared(other, folders)
    return {prepared.info.title: prepared.test_images}
