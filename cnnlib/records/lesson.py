"""A lesson: the short run that teaches a network what a person drew."""

from __future__ import annotations

from cnnlib.records.recipe import Augmentation, Recipe
from cnnlib.records.run import Origin, Run, RunRequest

LESSON = Recipe(
    epochs=6,
    batch_size=32,
    optimizer="adamw",
    lr=0.0005,
    weight_decay=0.01,
    schedule="one_cycle",
    augmentation=Augmentation(shift=1),
)


def lesson_request(run: Run, step: int, dataset: str, recipe: Recipe = LESSON) -> RunRequest:
    """A run that goes on from another one's weights, on a lesson.

    Args:
        step: Of the weights.
        dataset: Name of the lesson.
    """
    return RunRequest(
        spec=run.request.spec,
        recipe=recipe,
        dataset=dataset,
        seed=run.request.seed,
        validation=0.0,
        name=f"{run.request.name or run.request.preset or 'own design'}, taught",
        preset=run.request.preset,
        origin=Origin(run.id, step, weights_only=True),
    )
