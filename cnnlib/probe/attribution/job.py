"""The job that computes an attribution map and its sanity checks, for large networks."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cnnlib.data.batches import Normaliser
from cnnlib.probe.attribution.methods import METHODS, explain
from cnnlib.probe.attribution.sanity_checks import deletion, randomised_weights
from cnnlib.probe.pictures import run_pictures
from cnnlib.probe.weights import network, run_at
from cnnlib.records.job import Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from cnnlib.records.folders import Folders


def explain_answer(
    args: Mapping[str, Any], folders: Folders
) -> Generator[Progress, None, dict[str, Any]]:
    """Run the job ``explain``: ``{"run", "step", "method", "target", "pixels": base64 of uint8}``.

    Returns:
        The result as JSON values, for `cnnlib.probe.attribution.result.read_explanation`.

    Raises:
        CnnlibError: The run, its weights or its dataset are missing, or the method does not apply.
    """
    run, _, trained = run_at(folders, args["run"], args["step"])
    net = network(run.request.spec, trained)
    info = run_pictures(run, folders).info
    pixels = np.frombuffer(base64.b64decode(args["pixels"]), np.uint8).reshape(info.in_size)
    image = Normaliser(info, "cpu")(torch.from_numpy(pixels.copy())[None]).numpy()[0]
    yield Progress(0.0, "computing the attribution map")
    attribution = explain(net, image, args["target"], args["method"])
    yield Progress(0.4, "computing the map with random weights")
    weights = randomised_weights(METHODS[args["method"]], net, image, args["target"])
    yield Progress(0.8, "deleting pixels")
    curve = deletion(net, image, args["target"], attribution)
    return {
        "shape": list(attribution.shape),
        "map": base64.b64encode(attribution.astype("<f4").tobytes()).decode(),
        "weights": asdict(weights),
        "curve": {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in asdict(curve).items()
        },
    }
