"""The file of a measured out-of-distribution detector, written and read without torch."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from cnnlib.records.files import replacing
from cnnlib.records.probe import OodDetector, OodErrorRate
from cnnlib.runs.predictions import DAMAGED


def ood_file(step: int) -> str:
    """Return the name of the file with the detector of a step, among those of a run."""
    return f"familiarity-{step}.npz"


def write_ood_detector(path: Path, detector: OodDetector) -> None:
    """Write a detector to a file, atomically."""
    facts = {
        "threshold": detector.threshold,
        "real_count": detector.real_count,
        "false_alarms": detector.false_alarms,
        "junk": {kind: asdict(rate) for kind, rate in detector.error_rates.items()},
    }
    with replacing(path) as file:
        np.savez(
            file,
            known=detector.known,
            quantiles=detector.quantiles,
            facts=np.frombuffer(json.dumps(facts).encode(), np.uint8),
        )


def read_ood_detector(path: Path) -> OodDetector | None:
    """Read a detector; None if the file is damaged."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            facts = json.loads(file["facts"].tobytes())
            rates = {kind: OodErrorRate(**rate) for kind, rate in facts.pop("junk").items()}
            return OodDetector(file["known"], file["quantiles"], **facts, error_rates=rates)
    except DAMAGED:
        return None
