"""The prepared dataset of a run, and the pixels that one value depends on; without torch."""

from __future__ import annotations

import numpy as np

from cnnlib.data.prepared import Prepared, load_prepared
from cnnlib.design.cost import Field, receptive_fields
from cnnlib.design.plan import Plan
from cnnlib.errors import DataError, ProbeError
from cnnlib.probe.graph import SUM, step_named
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.folders import Folders
from cnnlib.records.run import Run


def run_pictures(run: Run, folders: Folders) -> Prepared:
    """Load the prepared dataset of a run.

    Raises:
        DataError: It is missing, or has changed since the training.
    """
    prepared = load_prepared(run.request.dataset, folders)
    check_unchanged(run, prepared.info)
    return prepared


def check_unchanged(run: Run, info: DatasetInfo) -> None:
    """Check that a dataset has not changed since the run's training.

    Raises:
        DataError: It has changed.
    """
    if run.fingerprint and info.fingerprint != run.fingerprint:
        raise DataError(
            f"The dataset {run.request.dataset} has changed since this run was trained on it. A "
            "run can only be inspected with the pictures that it was trained on. Restore the "
            "earlier dataset, or choose a newer run."
        )


def receptive_field(plan: Plan, name: str) -> Field:
    """Return the receptive field of a layer with feature maps.

    Raises:
        ProbeError: The layer has no maps.
    """
    step = step_named(plan, name)
    if len(step.out_shape) != 3 or step.kind == "global_avg_pool":
        raise ProbeError(
            f"{name} has no feature maps: each of its values depends on the whole picture. "
            "Choose a layer with feature maps."
        )
    return receptive_fields(plan)[step.name.removesuffix(f".{SUM}")]


def crop_patch(prepared: Prepared, field: Field, entry: list[float]) -> np.ndarray:
    """Crop the patch of one entry of `cnnlib.probe.patches.strongest_patches`: C x s x s, uint8."""
    picture = prepared.test_images[int(entry[0])]
    _, height, width = picture.shape
    size = min(field.size, height, width)
    top = patch_corner(field, int(entry[1]), size, height)
    left = patch_corner(field, int(entry[2]), size, width)
    return np.array(picture[:, top : top + size, left : left + size])


def patch_corner(field: Field, place: int, size: int, side: int) -> int:
    """Return the start of a square of ``size`` pixels at a value, clipped to the picture.

    Args:
        place: Row or column of the value.
        side: Height or width of the picture.
    """
    middle = place * field.jump - field.before + (field.size - size) // 2
    return max(0, min(side - size, middle))
