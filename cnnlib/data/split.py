"""The stratified split into training and validation pictures, determined by seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnnlib.errors import RecipeError
from cnnlib.units import plural

if TYPE_CHECKING:
    from cnnlib.data.prepared import Prepared
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.run import RunRequest

FEW_VALIDATION_PICTURES = 100  # fewer: accuracy moves in steps of more than one point


def train_validation_split(
    labels: np.ndarray,
    validation: float,
    split_seed: int,
    train_limit: int | None = None,
    seed: int = 0,
    *,
    own: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Split the training pictures of a dataset into training and validation.

    The result is the same on every machine and with every version of numpy.

    Args:
        labels: N, integers: the class of each picture.
        validation: Fraction of all pictures for validation, rounded; or a number of pictures if it
            is 1 or more; 0 is none.
        split_seed: Seed of the validation split.
        train_limit: Number of training pictures to keep, stratified; None is all.
        seed: Seed of the pictures that ``train_limit`` keeps. A larger limit keeps a superset of
            those of a smaller one.
        own: The last so many pictures are the dataset's own validation split. It is used as it is,
            unless ``validation`` is 0: then these pictures are trained on like all others.

    Returns:
        Indices (int64, ascending) of the training and of the validation split.

    Raises:
        RecipeError: ``validation`` or ``train_limit`` is out of range.
    """
    labels = np.asarray(labels)
    order, is_last = stratified_order(labels, split_seed)
    candidates = order[~is_last]  # at least one picture of each class is trained on
    count = _validation_count(validation, len(labels), len(candidates))
    is_validation = np.zeros(len(labels), dtype=bool)
    if own and validation:
        count = own
        is_validation[-own:] = True
    else:
        is_validation[candidates[:count]] = True
    train = np.flatnonzero(~is_validation)
    if train_limit is not None:
        train = _limit(train, labels, train_limit, seed, count)
    return train, np.flatnonzero(is_validation)


def run_split(request: RunRequest, prepared: Prepared) -> tuple[np.ndarray, np.ndarray]:
    """Split the training pictures of a run's dataset; see `train_validation_split`.

    Raises:
        RecipeError: The size of the validation split or the limit is out of range.
    """
    return train_validation_split(
        prepared.train_labels,
        request.validation,
        request.split_seed,
        train_limit=request.train_limit,
        seed=request.seed,
        own=prepared.info.validation_count,
    )


def own_split_sentence(info: DatasetInfo) -> str:
    """Say how a dataset's own validation split is used; "" if it has none."""
    if not info.validation_count:
        return ""
    pictures = plural(info.validation_count, "picture")
    return (
        f"{info.name} has its own validation split of {pictures}: any share above 0, and any seed "
        "of the split, uses exactly these. With a share of 0 they are trained on."
    )


def validation_size(info: DatasetInfo, validation: float) -> int:
    """Count the validation pictures of a run on a dataset, without opening its pictures.

    Args:
        validation: As in `train_validation_split`.

    Raises:
        RecipeError: ``validation`` is out of range.
    """
    available = max(0, info.train_count - len(info.classes))
    count = _validation_count(validation, info.train_count, available)
    return info.validation_count if info.validation_count and validation else count


def describe_few_validation(count: int) -> str:
    """Say how coarse accuracy on few validation pictures is; "" for none or for enough.

    Example:
        >>> describe_few_validation(29)[:66]
        'With 29 validation pictures, accuracy moves in steps of 3.4 points'
    """
    if not 0 < count < FEW_VALIDATION_PICTURES:
        return ""
    return (
        f"With {plural(count, 'validation picture')}, accuracy moves in steps of "
        f"{100 / count:.1f} points: a difference of a few pictures may be chance. Compare several "
        "seeds, or validate on a larger share."
    )


def stratified_order(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a random order in which every prefix is stratified.

    The r-th picture of a class of n (in random order, from 0) has the key (r + 1/2) / n, and the
    order sorts by this key (Webster's or Sainte-Lague's method of apportionment). Ties are broken
    at random.

    Returns:
        The order (N indices), and for each of its entries whether it is the last of its class.
    """
    keys = np.random.PCG64(seed).random_raw(len(labels))  # numpy guarantees this stream
    classes, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    shuffled = np.lexsort((keys, numbers))  # sorted by class, in random order within a class
    first = np.concatenate(([0], np.cumsum(counts)[:-1])).astype(np.int64)[: len(classes)]
    rank = np.empty(len(labels), dtype=np.int64)
    rank[shuffled] = np.arange(len(labels)) - np.repeat(first, counts)
    size = counts[numbers] if len(labels) else numbers
    order = np.lexsort((keys, (rank + 0.5) / size))
    return order, (rank == size - 1)[order]


def _validation_count(validation: float, pictures: int, available: int) -> int:
    if validation < 0 or not np.isfinite(validation):
        raise RecipeError(
            f"The size of the validation split, {validation!r}, is neither a fraction from 0 to 1 "
            "nor a number of pictures. Write 0.1 for 10 %, or 1000 for 1,000 pictures."
        )
    if validation >= 1 and validation != int(validation):
        raise RecipeError(
            f"The size of the validation split, {validation!r}, is above 1, so it must be a whole "
            "number of pictures. Write a whole number, or a fraction below 1."
        )
    if validation >= 1 and validation > available:
        raise RecipeError(
            f"The validation split has {plural(int(validation), 'picture')}, but at most "
            f"{available:,} of {plural(pictures, 'training picture')} can be used for it, because "
            "every class needs one picture to train on. Choose a smaller validation split."
        )
    if validation >= 1:
        return int(validation)
    wanted = round(validation * pictures) or (1 if validation > 0 else 0)
    return min(wanted, available)


def _limit(
    train: np.ndarray, labels: np.ndarray, train_limit: int, seed: int, validation: int
) -> np.ndarray:
    if not 1 <= train_limit <= len(train):
        raise RecipeError(
            f"The train limit of {plural(train_limit, 'picture')} is not between 1 and "
            f"{len(train):,}, the size of the training split without its validation pictures "
            f"({validation:,}). Choose a number in this range."
        )
    order, _ = stratified_order(labels[train], seed)
    return np.sort(train[order[:train_limit]])
