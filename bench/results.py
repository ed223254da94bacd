"""Reproduce the course texts' results: ``python -m bench.results`` writes ``docs/results.md``.

Each row is trained once and kept in the run store, so that a second call trains only missing runs.
Needs MNIST and the CIFAR-10 pictures (``folder:cifar10-jpeg``) in ``CNNLAB_DATA``.
``--only mnist`` trains one part; ``--kept`` trains nothing and writes the stored results.
"""

from __future__ import annotations

import argparse
import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from bench.comparisons import sections
from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.design.presets import preset
from cnnlib.design.spec import CNNSpec
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.recipe_presets import RECIPES
from cnnlib.runs import RunStore
from cnnlib.train.api import History, fit, load_run

if TYPE_CHECKING:
    from collections.abc import Generator

    from cnnlib.records.run import Run

PAGE = Path(__file__).parents[1] / "docs" / "results.md"
CIFAR = "folder:cifar10-jpeg"


@dataclass(frozen=True)
class Trial:
    """One design with its recipe, over some seeds.

    Args:
        title: The name of its runs and of its row.
        goal: The lowest acceptable accuracy on ``split``, as a fraction.
    """

    part: str
    title: str
    design: str | CNNSpec
    dataset: str
    recipe: Recipe
    goal: float
    split: str = "test"
    seeds: int = 1
    validation: float = 0.1
    train_limit: int | None = None


@dataclass(frozen=True)
class Outcome:
    """One run and its history."""

    run: Run
    history: History

    @property
    def first_loss(self) -> float:
        return self.history.epochs[0].train_loss

    @property
    def last_loss(self) -> float:
        return self.history.epochs[-1].train_loss

    def accuracy(self, split: str) -> float:
        """The accuracy at the end of the run, as a fraction."""
        last = self.history.epochs[-1]
        accuracies = {
            "test": self.history.test.accuracy,
            "validation": last.val_accuracy,
            "training": last.train_accuracy,
        }
        return accuracies[split]


def _trials() -> list[Trial]:
    """The trials of all results of the texts, followed by those of the lab's own presets."""
    mnist = RECIPES["mnist-sgd"].recipe
    adam = RECIPES["mnist-adam"].recipe
    one_convolution = CNNSpec(in_size=(3, 32, 32), channels=(32,), hidden_dims=(100,))
    memorise = Recipe(epochs=25, batch_size=10, optimizer="adam", lr=1e-3)
    return [
        Trial("mnist", "mlp_deep, SGD 0.1", "mlp_deep", "mnist", mnist, 0.96),
        Trial("mnist", "lenet5, SGD 0.1", "lenet5", "mnist", mnist, 0.98),
        Trial("mnist", "cnn3, SGD 0.1", "cnn3", "mnist", mnist, 0.985),
        Trial("adam", "conv_maxpool, Adam 0.01", "conv_maxpool", "mnist", adam, 0.0, seeds=3),
        Trial("adam", "conv_batchnorm, Adam 0.01", "conv_batchnorm", "mnist", adam, 0.0, seeds=3),
        Trial("adam", "mlp, Adam 0.01", "mlp", "mnist", adam, 0.0, seeds=3),
        Trial(
            "cifar",
            "three_layer, SGD 0.003",
            "three_layer",
            CIFAR,
            RECIPES["cifar-sgd"].recipe,
            0.43,
            "validation",
            validation=1000,
        ),
        Trial(
            "cifar",
            "three_layer_wide, Nesterov 0.0005",
            "three_layer_wide",
            CIFAR,
            RECIPES["cifar-nesterov"].recipe,
            0.45,
            "validation",
            validation=1000,
        ),
        Trial(
            "cifar",
            "50 pictures memorised by one convolution",
            one_convolution,
            CIFAR,
            memorise,
            0.9,
            "training",
            validation=1000,
            train_limit=50,
        ),
        Trial(
            "lab",
            "cifar_fast",
            "cifar_fast",
            CIFAR,
            RECIPES["cifar-fast"].recipe,
            0.70,
            "validation",
        ),
        Trial("lab", "tiny99", "tiny99", "mnist", RECIPES["tiny99"].recipe, 0.99, seeds=3),
        Trial("race", "mnist_fast", "mnist_fast", "mnist", RECIPES["fast99"].recipe, 0.99, seeds=5),
    ]


def outcomes(trial: Trial, folders: Folders, *, kept_only: bool) -> Generator[Outcome]:
    """Yield the trial's runs; runs that the store lacks are trained, or left out."""
    for seed in range(trial.seeds):
        stored = _find_stored(trial, seed, folders)
        if stored or not kept_only:
            yield stored or _trained(trial, seed, folders)


def _find_stored(trial: Trial, seed: int, folders: Folders) -> Outcome | None:
    with closing(RunStore(folders)) as store:
        for run in store.runs(states=("finished",)):
            if _matches(trial, run) and run.request.seed == seed:
                return Outcome(run, load_run(run.id, folders=folders).history)
    return None


def _matches(trial: Trial, run: Run) -> bool:
    """Whether the run equals one of the trial; it may belong to something else, such as a duel."""
    request, by_name = run.request, isinstance(trial.design, str)
    same_design = (request.preset if by_name else request.spec) == trial.design
    return (
        same_design
        and not run.intervened
        and request.origin is None
        and (
            (request.dataset, request.recipe, request.validation, request.train_limit)
            == (trial.dataset, trial.recipe, trial.validation, trial.train_limit)
        )
    )


def _trained(trial: Trial, seed: int, folders: Folders) -> Outcome:
    print(f"training {trial.title}, seed {seed}", flush=True)
    loaded = fit(
        trial.design,
        trial.dataset,
        trial.recipe,
        seed=seed,
        name=trial.title,
        validation=trial.validation,
        train_limit=trial.train_limit,
        folders=folders,
    )
    return Outcome(loaded.run, loaded.history)


def _goal_rows(results: dict[Trial, list[Outcome]], part: str) -> list[str]:
    """Table rows of goal and measured accuracy, one per trial; the mean over several seeds."""
    rows = ["| design and recipe | seeds | goal | measured | split | parameters |"]
    rows.append("|---|---:|---:|---:|---|---:|")
    for trial, found in results.items():
        if trial.part != part or not found:
            continue
        value = mean(outcome.accuracy(trial.split) for outcome in found)
        rows.append(
            f"| {trial.title} | {len(found)} | {trial.goal:.1%} | {value:.2%} | {trial.split} "
            f"| {found[0].run.plan_cost['params']:,} |"
        )
    return rows


def _training_time(results: dict[Trial, list[Outcome]]) -> list[str]:
    """The training time of `cifar_fast`, whose goal is set for ten epochs."""
    return [
        f"The {trial.recipe.epochs} epochs of {trial.title} took "
        f"{outcome.run.train_seconds / 60:.1f} minutes of training time."
        for trial, found in results.items()
        if trial.title == "cifar_fast"
        for outcome in found
    ]


def _texts_rows(results: dict[Trial, list[Outcome]]) -> list[str]:
    """The texts' own table, with one row per seed."""
    rows = ["| model | seed | epoch 1 training loss | epoch 5 training loss "]
    rows[0] += "| epoch 5 test accuracy | parameters |"
    rows.append("|---|---:|---:|---:|---:|---:|")
    for trial, found in results.items():
        if trial.part == "adam":
            rows += [
                f"| {trial.design} | {outcome.run.request.seed} | {outcome.first_loss:.4f} "
                f"| {outcome.last_loss:.4f} | {outcome.accuracy('test'):.2%} "
                f"| {cost(plan(preset(trial.design).spec)).params:,} |"
                for outcome in found
            ]
    return rows


def _chance_level_runs(results: dict[Trial, list[Outcome]]) -> list[str]:
    """A paragraph on the runs of the texts' table that stayed at chance level; [] without any."""
    found = [
        f"{trial.design} with seed {outcome.run.request.seed}"
        for trial, outcomes in results.items()
        if trial.part == "adam"
        for outcome in outcomes
        if outcome.accuracy("test") < 0.15
    ]
    if not found:
        return []
    return [
        "",
        f"These runs learned nothing and guess: {', '.join(found)}. Adam's first steps at this "
        "learning rate are so large that some initial weights do not recover from them. A plain "
        "loop with "
        "`torch.optim.Adam` on the same batches fails with the same seeds at the same steps.",
    ]


def page(results: dict[Trial, list[Outcome]], comparisons: list[str]) -> str:
    """The Markdown page; missing trials are listed, and have no table."""
    runs = [outcome.run for found in results.values() for outcome in found]
    machines = sorted(
        {f"{run.machine.processor}, torch {run.machine.versions['torch']}" for run in runs}
    )
    missing = [trial.title for trial, found in results.items() if len(found) < trial.seeds]
    parts = [
        ("MNIST, 5 epochs, batch 128, SGD 0.1", "mnist"),
        ("CIFAR-10, from the JPEG pictures", "cifar"),
        ("The lab's own presets (CIFAR-10 from the JPEG pictures)", "lab"),
        ("99 % on MNIST with the recipe that the app suggests first", "race"),
    ]
    lines = [
        "# Results",
        "",
        "Trained by `python -m bench.results`; no number is copied from a text. "
        f"Machine: {'; '.join(machines) or 'none yet'}.",
        "",
        "The validation split is a part of the training pictures; the test split is evaluated "
        "once, at the end. With several seeds, the numbers are means over the seeds. The "
        "[glossary](glossary.md) defines the terms.",
    ]
    if missing:
        lines += ["", f"Not trained yet, or not with all seeds: {'; '.join(missing)}."]
    for title, part in parts:
        if any(found for trial, found in results.items() if trial.part == part):
            lines += ["", f"## {title}", "", *_goal_rows(results, part)]
        if part == "lab":
            lines += ["", *_training_time(results)]
    if any(found for trial, found in results.items() if trial.part == "adam"):
        title = "## MNIST, 5 epochs, batch 64, Adam 0.01: the texts' own table"
        lines += ["", title, "", *_texts_rows(results), *_chance_level_runs(results)]
    return "\n".join([*lines, *comparisons, ""])


def main() -> None:
    """Train missing runs, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="one part: mnist, adam, cifar, lab or race")
    parser.add_argument("--kept", action="store_true", help="train nothing, write what is there")
    options = parser.parse_args()
    os.environ.setdefault("CNNLAB_RUNS", "runs/results")
    folders = Folders.from_environment()
    results = {}
    for trial in _trials():
        if options.only in ("", trial.part):
            results[trial] = list(outcomes(trial, folders, kept_only=options.kept))
            print("\n".join(_goal_rows({trial: results[trial]}, trial.part)[2:]), flush=True)
    if not options.only:
        comparisons = sections(folders, kept_only=options.kept)
        PAGE.write_text(page(results, comparisons), encoding="utf-8")


if __name__ == "__main__":
    main()
