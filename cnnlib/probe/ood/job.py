"""Measuring, as a job, what a trained network calls strange; its result lies with the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnlib.data.prepared import is_prepared, load_prepared
from cnnlib.probe.ood.distance import measure_ood_detector, ood_file, write_ood_detector
from cnnlib.probe.pictures import run_pictures
from cnnlib.probe.weights import network, run_at

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    import numpy as np

    from cnnlib.records.folders import Folders
    from cnnlib.records.job import Progress

_JUNK = {"mnist": "fashion-mnist", "digits": "fashion-mnist", "fashion-mnist": "mnist"}


def measure_ood(
    args: Mapping[str, Any], folders: Folders
) -> Generator[Progress, None, Mapping[str, Any]]:
    """Measure a run at its last saved step: ``{"run": ...}``.

    Returns:
        ``{"false_alarms": ..., "missed": {kind: share}}``; the whole lies in the run's folder.

    Raises:
        CnnlibError: The run, its weights or its dataset are not there.
    """
    run, step, weights = run_at(folders, args["run"])
    net = network(run.request.spec, weights)
    prepared = run_pictures(run, folders)
    found = yield from measure_ood_detector(net, prepared, _others(run.request.dataset, folders))
    write_ood_detector(ood_file(folders.run(run.id), step), found)
    missed = {kind: rate.missed for kind, rate in found.junk.items()}
    return {"false_alarms": found.false_alarms, "missed": missed}


def _others(dataset: str, folders: Folders) -> dict[str, np.ndarray]:
    """Pictures of a dataset that shows other things, where a prepared copy is there."""
    other = _JUNK.get(dataset, "")
    if not other or not is_prepared(other, folders):
        return {}
    prepared = load_prepared(other, folders)
    return {prepared.info.title: prepared.test_images}
