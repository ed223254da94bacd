"""Which pictures a run trains on and which it validates on: stratified, and fixed by seeds."""

from __future__ import annotations

import numpy as np

from cnnlib.errors import RecipeError


def train_validation_split(
    labels: np.ndarray,
    validation: float,
    split_seed: int,
    train_limit: int | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Divide the training pictures of a dataset into training and validation split.

    The same on every machine and with every version of numpy.

    Args:
        labels: N, integers: the class of each picture.
        validation: Fraction of all pictures that is kept for validation, rounded; or a number of
            pictures where it is 1 or more; 0 keeps none.
        split_seed: Decides which pictures are kept for validation.
        train_limit: Keep only this many of the others for training, stratified; None is all.
        seed: Decides which pictures ``train_limit`` keeps. A larger limit keeps those of a smaller
            one and more.

    Returns:
        Indices (int64, ascending) of the training and of the validation split.

    Raises:
        RecipeError: More pictures are asked for than there are.
    """
    labels = np.asarray(labels)
    order, is_last = stratified_order(labels, split_seed)
    may_validate = order[~is_last]  # every class keeps a picture to train on
    count = _validation_count(validation, len(labels), len(may_validate))
    is_validation = np.zeros(len(labels), dtype=bool)
    is_validation[may_validate[:count]] = True
    train = np.flatnonzero(~is_validation)
    if train_limit is not None:
        train = _limited(train, labels, train_limit, seed, count)
    return train, np.flatnonzero(is_validation)


def stratified_order(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random order whose every beginning holds the classes in their proportions.

    The r-th picture of a class of n (in random order, from 0) stands at (r + 1/2) / n, and pictures
    are taken as they stand: seats are given to parties so by Webster's method (Sainte-Lague). Where
    several stand at one place, chance decides.

    Returns:
        The order (N indices), and for each of its entries whether it is the last of its class.
    """
    keys = np.random.PCG64(seed).random_raw(len(labels))  # a stream that numpy keeps stable
    classes, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    shuffled = np.lexsort((keys, numbers))  # class by class, each in random order
    first = np.concatenate(([0], np.cumsum(counts)[:-1])).astype(np.int64)[: len(classes)]
    rank = np.empty(len(labels), dtype=np.int64)
    rank[shuffled] = np.arange(len(labels)) - np.repeat(first, counts)
    size = counts[numbers] if len(labels) else numbers
    order = np.lexsort((keys, (rank + 0.5) / size))
    return order, (rank == size - 1)[order]


def _validation_count(validation: float, pictures: int, available: int) -> int:
    if validation < 0 or not np.isfinite(validation):
        raise RecipeError(
            f"validation={validation!r} is neither a fraction from 0 to 1 nor a number of "
            "pictures. Write 0.1 for a tenth, or 1000 for a thousand pictures."
        )
    if validation >= 1 and validation != int(validation):
        raise RecipeError(
            f"validation={validation!r} is above 1, and so a number of pictures, but not a whole "
            "one. Write a fraction below 1, or a whole number."
        )
    if validation >= 1 and validation > available:
        raise RecipeError(
            f"validation={int(validation):,} pictures are asked for, but of {pictures:,} training "
            f"pictures at most {available:,} can be kept for validation (every class keeps one to "
            "train on). Ask for fewer."
        )
    if validation >= 1:
        return int(validation)
    wanted = round(validation * pictures) or (1 if validation > 0 else 0)
    return min(wanted, available)


def _limited(
    train: np.ndarray, labels: np.ndarray, train_limit: int, seed: int, validation: int
) -> np.ndarray:
    if not 1 <= train_limit <= len(train):
        raise RecipeError(
            f"train_limit={train_limit:,}, but the training split has {len(train):,} pictures "
            f"(and {validation:,} are kept for validation). Choose a limit from 1 to "
            f"{len(train):,}."
        )
    order, _ = stratified_order(labels[train], seed)
    return np.sort(train[order[:train_limit]])
