"""Recipes that the lab offers: one for any design and dataset, and those of the course texts."""

from __future__ import annotations

from dataclasses import dataclass

from cnnlib.design.presets import preset
from cnnlib.design.spec import CNNSpec
from cnnlib.records.recipe import Augmentation, Recipe


@dataclass(frozen=True)
class NamedRecipe:
    """A recipe that people choose by name.

    Args:
        title: A few words for a menu.
        source: Where it comes from, or what it is for, in one sentence.
    """

    title: str
    source: str
    recipe: Recipe


_TEXTS = "The course texts"
RECIPES: dict[str, NamedRecipe] = {
    "mnist-sgd": NamedRecipe(
        "SGD 0.1, 5 epochs",
        f"{_TEXTS}: MNIST with plain stochastic gradient descent.",
        Recipe(epochs=5, batch_size=128, optimizer="sgd", lr=0.1),
    ),
    "mnist-adam": NamedRecipe(
        "Adam 0.01, 5 epochs",
        f"{_TEXTS}: MNIST with Adam, to compare an MLP with two convolutional networks.",
        Recipe(epochs=5, batch_size=64, optimizer="adam", lr=0.01),
    ),
    "cifar-sgd": NamedRecipe(
        "SGD 0.003, 1 epoch",
        f"{_TEXTS}: a first pass over CIFAR-10 with plain stochastic gradient descent.",
        Recipe(epochs=1, batch_size=64, optimizer="sgd", lr=0.003),
    ),
    "cifar-nesterov": NamedRecipe(
        "Nesterov 0.9 at 0.0005, 1 epoch",
        f"{_TEXTS}: a first pass over CIFAR-10 with Nesterov momentum.",
        Recipe(epochs=1, batch_size=64, optimizer="nesterov", lr=0.0005, momentum=0.9),
    ),
    "fast99": NamedRecipe(
        "99 % on MNIST in one epoch",
        "One-cycle AdamW with label smoothing, for `mnist_fast`: 99 % in seconds.",
        Recipe(
            epochs=1,
            batch_size=128,
            optimizer="adamw",
            lr=0.015,
            schedule="one_cycle",
            label_smoothing=0.1,
        ),
    ),
    "tiny99": NamedRecipe(
        "99 % on MNIST with few parameters",
        "One-cycle AdamW, long enough for `tiny99`: a small network needs more passes.",
        Recipe(epochs=15, batch_size=128, optimizer="adamw", lr=0.02, schedule="one_cycle"),
    ),
    "cifar-fast": NamedRecipe(
        "CIFAR-10 in ten epochs",
        "One-cycle AdamW on mirrored and shifted pictures, for `cifar_fast`.",
        Recipe(
            epochs=10,
            batch_size=128,
            optimizer="adamw",
            lr=0.01,
            weight_decay=0.05,
            schedule="one_cycle",
            label_smoothing=0.1,
            augmentation=Augmentation(flip=True, shift=4),
        ),
    ),
}

# Presets that the lab tuned a recipe for, at the image size and the classes they were tuned on.
_TUNED = {"mnist_fast": "fast99", "tiny99": "tiny99", "cifar_fast": "cifar-fast"}

# Training pictures that a run should see, so that small datasets are passed over often enough to
# learn something.
_PICTURES_SEEN = 110_000
_MOST_EPOCHS = 80


def offered_recipe(spec: CNNSpec, dataset: str, train_count: int) -> Recipe:
    """A recipe that works at the first press of Train: AdamW on a one-cycle schedule.

    A preset that the lab tuned a recipe for gets that one.

    Args:
        dataset: Its name; natural pictures are mirrored and shifted, digits are not.
        train_count: Pictures in the training split; small datasets get more epochs.
    """
    for name, recipe in _TUNED.items():
        if train_count >= 10_000 and spec == preset(name).spec:
            return RECIPES[recipe].recipe
    epochs = 3 if train_count >= 10_000 else -(-_PICTURES_SEEN // max(1, train_count))
    return Recipe(
        epochs=max(3, min(_MOST_EPOCHS, epochs)),
        batch_size=128 if train_count >= 10_000 else 32,
        optimizer="adamw",
        lr=0.005 if spec.norm != "none" else 0.002,
        weight_decay=0.01,
        schedule="one_cycle",
        augmentation=_offered_augmentation(dataset),
    )


def _offered_augmentation(dataset: str) -> Augmentation:
    if dataset.removeprefix("folder:").startswith("cifar"):
        return Augmentation(flip=True, shift=4)
    return Augmentation()
