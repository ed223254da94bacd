"""What a run will take, in a line, before anybody presses Train."""

from __future__ import annotations

from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.run import RunRequest
from cnnlib.train.execution.forecast import Basis, Forecast, forecast
from cnnlib.ui.common.shared import folders
from cnnlib.units import size_words, time_words

_BASES: dict[Basis, str] = {
    "this design": "Measured here, with this design.",
    "other designs": "Reckoned from other designs that ran here.",
    "a guess": "A guess: nothing has been timed on this machine yet.",
}


def forecast_line(request: RunRequest, info: DatasetInfo, seeds: int) -> str:
    """Time and memory in one line; "" where the dataset's size is not known yet."""
    if not info.train_count:
        return ""
    return describe(forecast(request, info, folders()), request.recipe.epochs, seeds)


def describe(found: Forecast, epochs: int, seeds: int) -> str:
    """``About 12 s an epoch, 36 s in all, 180 MB. Measured here, with this design.``"""
    parts = [f"{time_words(_about(found.seconds_per_epoch))} an epoch"] if epochs > 1 else []
    parts.append(f"{time_words(_about(found.seconds * seeds))} in all")
    parts.append(f"{size_words(found.peak_memory_bytes)} for network and pictures")
    return f"About {', '.join(parts)}. {_BASES[found.basis]}"


def _about(seconds: float) -> float:
    """Two digits: a forecast is no better than that."""
    return float(f"{seconds:.2g}")
