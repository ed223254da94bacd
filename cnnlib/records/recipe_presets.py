"""Predefined recipes: defaults for any design and dataset, and those of the course texts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.design.presets import preset
from cnnlib.design.spec import CNNSpec
from cnnlib.records.recipe import Augmentation, Recipe
from cnnlib.vocabulary.layers import NONE


@dataclass(frozen=True)
class NamedRecipe:
    """A recipe with a title, for menus.

    Args:
        title: A few words for a menu.
        source: Its origin or purpose, in one sentence.
    """

    title: str
    source: str
    recipe: Recipe


_TEXTS = "From the course texts"
_CIFAR_FAST = Recipe(
    epochs=10,
    batch_size=128,
    optimizer="adamw",
    lr=0.01,
    weight_decay=0.05,
    schedule="one_cycle",
    label_smoothing=0.1,
    augmentation=Augmentation(flip=True, shift=4),
)
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
        "One-cycle AdamW for `tiny99`: a small network needs more epochs.",
        Recipe(epochs=15, batch_size=128, optimizer="adamw", lr=0.02, schedule="one_cycle"),
    ),
    "cifar-fast": NamedRecipe(
        "CIFAR-10 in ten epochs",
        "One-cycle AdamW on mirrored and shifted pictures, for `cifar_fast`.",
        _CIFAR_FAST,
    ),
    "cifar-muon": NamedRecipe(
        "CIFAR-10 in ten epochs, with Muon",
        "As the recipe for `cifar_fast`, but with Muon instead of AdamW: higher accuracy.",
        replace(_CIFAR_FAST, optimizer="muon", lr=0.04),
    ),
}

# Tuned recipes of presets, for the image size and the classes of the preset.
_TUNED = {"mnist_fast": "fast99", "tiny99": "tiny99", "cifar_fast": "cifar-fast"}

# Pictures over all epochs of a run on a small dataset. Measured with two seeds: more epochs gave no
# clear gain on 300 and 1,000 pictures of MNIST, 400 and 1,000 of CIFAR-10, and the digits.
_PICTURES_SEEN = 30_000
_MOST_EPOCHS, _FEWEST_EPOCHS = 30, 3
# Networks that need more operations per picture than this see fewer pictures.
_LIGHT_MACS = 20_000_000
_MANY_PICTURES = 10_000


def default_preset(in_size: tuple[int, int, int]) -> str:
    """Name of the preset with the best accuracy for its training time, for pictures of a size.

    Args:
        in_size: Channels, height, width.
    """
    return "mnist_fast" if in_size[0] == 1 else "cifar_fast"


def default_recipe(spec: CNNSpec, dataset: str, train_count: int) -> Recipe:
    """The default recipe of a design and dataset: AdamW on a one-cycle schedule.

    On a large dataset, a preset with a tuned recipe gets that one.

    Args:
        dataset: Name of the dataset; CIFAR's pictures are mirrored and shifted, others are not.
        train_count: Pictures in the training split; few pictures lead to many epochs.

    Raises:
        SpecError: The design is not valid.
    """
    is_small = train_count < _MANY_PICTURES
    for name, tuned in _TUNED.items():
        if not is_small and spec == preset(name).spec:
            return RECIPES[tuned].recipe
    is_natural = "cifar" in dataset
    return Recipe(
        epochs=_small_epochs(spec, train_count) if is_small else 10 if is_natural else 3,
        batch_size=32 if is_small else 128,
        optimizer="adamw",
        lr=_default_lr(spec, is_small),
        weight_decay=0.01,
        schedule="one_cycle",
        augmentation=Augmentation(flip=True, shift=4) if is_natural else Augmentation(),
    )


def _small_epochs(spec: CNNSpec, train_count: int) -> int:
    """Epochs on a small dataset; fewer for heavy networks, to limit the training time."""
    macs = cost(plan(spec)).macs
    seen = _PICTURES_SEEN * min(1.0, (_LIGHT_MACS / max(1, macs)) ** 0.5)
    return max(_FEWEST_EPOCHS, min(_MOST_EPOCHS, round(seen / max(1, train_count))))


def _default_lr(spec: CNNSpec, is_small: bool) -> float:
    """The default learning rate: higher with batch norm, lower for small batches."""
    if spec.norm == NONE:
        return 0.002
    return 0.005 if is_small else 0.01
