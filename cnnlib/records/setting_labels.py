"""The settings of a run in words, declared once: forms, tables, figures and sentences read them."""

from __future__ import annotations

from cnnlib.design.field_labels import FIELD_LABELS
from cnnlib.records.recipe import CHOICES
from cnnlib.vocabulary.layers import ACTIVATIONS, BLOCKS, INITIALISATIONS, NORMS, POOLINGS

SETTING_LABELS = {
    **FIELD_LABELS,
    # A recipe and its augmentation.
    "epochs": "Epochs",
    "batch_size": "Batch size",
    "optimizer": "Optimiser",
    "lr": "Learning rate",
    "momentum": "Momentum",
    "weight_decay": "Weight decay",
    "decay_norm_and_bias": "Decay of norm and bias",
    "schedule": "Schedule",
    "step_epochs": "Epochs per step",
    "step_factor": "Factor per step",
    "warmup": "Warm-up (fraction)",
    "label_smoothing": "Label smoothing",
    "clip_grad_norm": "Gradient clipping",
    "patience": "Patience",
    "restore_best": "End with the best epoch",
    "max_batches": "Most steps",
    "test_each_epoch": "Measure the test split after each epoch",
    "class_balance": "Unequal classes",
    "shift": "Shift (pixels)",
    "cutout": "Cutout (pixels)",
    "flip": "Mirror pictures",
    # The rest of a request.
    "dataset": "Dataset",
    "split_seed": "Seed of the validation split",
    "validation": "Share of the validation split",
    "train_limit": "Training pictures",
    "precision": "Precision",
    # Letters of the course texts, which an experiment can vary.
    "K": "Filters per convolution (K)",
    "L": "Convolutions (L, together with K)",
    "P": "Convolutions between poolings (P)",
}
_VALUES = {
    **CHOICES,
    "activation": ACTIVATIONS,
    "block": BLOCKS,
    "init": INITIALISATIONS,
    "norm": NORMS,
    "pooling": POOLINGS,
}


def setting_label(name: str) -> str:
    """Return the label of a setting, or its name where it is one of another version."""
    return SETTING_LABELS.get(name, name)


def value_label(name: str, text: str) -> str:
    """Return the label of a value that is a name, such as an optimiser's; others as they are."""
    known = _VALUES.get(name, {}).get(text)
    return known.label if known else text
