"""What a request must fulfil before its first step; each check raises a sentence."""

from __future__ import annotations

from cnnlib.data.batches import DeviceData
from cnnlib.design.plan import Plan
from cnnlib.errors import RecipeError
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.run import RunRequest


def check_fits(request: RunRequest, info: DatasetInfo) -> None:
    """The design takes the dataset's pictures and tells its classes apart."""
    spec = request.spec
    if tuple(spec.in_size) != tuple(info.in_size) or spec.out_classes != len(info.classes):
        raise RecipeError(
            f"The design takes {_size(spec.in_size)} pictures of {spec.out_classes} classes, but "
            f"{info.name} has {_size(info.in_size)} pictures of {len(info.classes)} classes. "
            "Adapt the design to the dataset."
        )


def check_splits(planned: Plan, request: RunRequest, data: DeviceData) -> None:
    """There is something to train on and to watch, and batch norm never sees a single value."""
    count, validation_count = data.train_count, data.validation_count
    if request.recipe.epochs and not count:
        raise RecipeError(
            "The validation split takes every training picture, so that none is left to train on. "
            "Choose a smaller validation split."
        )
    recipe = request.recipe
    if recipe.patience is not None and not validation_count:
        raise RecipeError(
            f"Early stopping (patience={recipe.patience}) watches the validation loss, but no "
            "pictures are kept for validation. Keep some, or leave early stopping out."
        )
    if recipe.epochs == 0 or min(recipe.batch_size, count) > 1:
        return
    for layer in planned.walk():
        if layer.kind == "norm" and layer.norm == "batch" and layer.out_shape[1:] == (1, 1):
            raise RecipeError(
                f"Batch norm in {layer.name} works on 1x1 maps, and cannot normalise batches of "
                "one picture. Use a batch size of 2 or more, or another normalisation."
            )


def _size(size: tuple[int, int, int]) -> str:
    return "x".join(str(side) for side in size)
