"""Unequal classes: weights in the loss, or an order that draws all classes equally often."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from cnnlib.records.recipe import Recipe
from cnnlib.train.randomness import derived_seed, epoch_order


def class_weights(labels: Tensor, num_classes: int) -> Tensor:
    """Weights of the classes, inverse to their numbers of training pictures.

    A class of n_c pictures has the weight N / (K * n_c), for N pictures of the K classes that have
    pictures. The mean weight over all pictures is 1, and each class has the same sum of weights.
    This is "balanced" of scikit-learn's ``compute_class_weight`` (King & Zeng 2001).

    Args:
        labels: N, int64: of the training split of the run.

    Returns:
        K, float32, on the device of the labels; 0 for a class without pictures.

    Example:
        >>> class_weights(torch.tensor([0, 0, 0, 1]), 2).tolist()
        [0.6666666865348816, 2.0]
    """
    counts = torch.bincount(labels.cpu(), minlength=num_classes).double()
    present = counts > 0
    weights = counts.sum() / (present.sum() * counts.clamp(min=1))
    return torch.where(present, weights, 0.0).float().to(labels.device)


def balanced_order(labels: Tensor, seed: int, epoch: int) -> Tensor:
    """Draw the pictures of an epoch with replacement, so that all classes are equally likely.

    The probability of a picture is 1 / (K * n_c), as for torch's ``WeightedRandomSampler`` with
    inverse class sizes: pictures of small classes are repeated, some of large ones are left out
    (random oversampling and undersampling; Buda, Maki & Mazurowski 2018, section 3.1).

    Args:
        labels: N, int64: of the training split of the run.

    Returns:
        N positions, int64, on the CPU; a function of labels, seed and epoch.
    """
    labels = labels.cpu()
    probabilities = 1 / torch.bincount(labels).double()[labels]
    generator = torch.Generator().manual_seed(derived_seed(seed, "order", epoch))
    return torch.multinomial(probabilities, len(labels), replacement=True, generator=generator)


def training_order(recipe: Recipe, labels: Tensor, seed: int, epoch: int) -> Tensor:
    """Return the pictures of an epoch in their order: N positions, int64, on the CPU."""
    if recipe.class_balance == "sampling":
        return balanced_order(labels, seed, epoch)
    return epoch_order(len(labels), seed, epoch)


def loss_weights(recipe: Recipe, labels: Tensor, num_classes: int) -> Tensor | None:
    """Return the class weights of the training loss; None for a recipe without them."""
    return class_weights(labels, num_classes) if recipe.class_balance == "weights" else None


def picture_losses(
    logits: Tensor, labels: Tensor, recipe: Recipe, weights: Tensor | None
) -> Tensor:
    """Return the training loss of each picture: N.

    It is the cross-entropy with the recipe's label smoothing, times the weight of the picture's own
    class. (With label smoothing, ``weight`` of torch's ``cross_entropy`` weights each term of the
    smoothed target instead.)
    """
    losses = cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing, reduction="none")
    return losses if weights is None else losses * weights[labels]


def batch_loss(logits: Tensor, labels: Tensor, recipe: Recipe, weights: Tensor | None) -> Tensor:
    """Return the training loss of a batch: the mean of `picture_losses` over its pictures.

    The sum is divided by the number of pictures, and not by the sum of their weights as in torch:
    so its mean over an epoch is the weighted mean over the training split, whatever the batches.
    """
    if weights is None:
        return cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
    return picture_losses(logits, labels, recipe, weights).mean()
