"""Experiments: a grid over settings, queued as ordinary runs; what it found."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from cnnlib.compare.differences import words
from cnnlib.errors import RecipeError
from cnnlib.experiments.search_space import Combination, combinations, combine
from cnnlib.experiments.study import DONE, LIVE, Study, StudyStep, find_study, submit_study
from cnnlib.records.compare import Effect
from cnnlib.records.run import Run, RunRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cnnlib.runs.store import RunStore

KINDS = ("grid", "search")
MOST_RUNS = 1000


@dataclass(frozen=True)
class Trial:
    """One combination of an experiment, with the runs of its seeds.

    Args:
        score: Mean of the best validation accuracies of its seeds, once all have ended; a run that
            diverged scores 0.
    """

    settings: Mapping[str, Any]
    runs: tuple[Run, ...] = ()
    score: float | None = None
    reason: str = ""

    @property
    def title(self) -> str:
        """``K 32, L 8``."""
        return ", ".join(f"{name} {words(value)}" for name, value in self.settings.items())


@dataclass(frozen=True)
class ExperimentState:
    """How an experiment stands.

    Args:
        kind: "grid" or "search".
        state: "live", "done" or "stopped".
        trials: Those that were asked for, in the order of asking.
        invalid: Combinations that are no valid design, with the reason.
        asked: Runs that there will be in all.
        eta_seconds: Forecast from the runs that have ended; None while there is none.
        trouble: Why it ended early; "" where nothing was wrong.
        owner: Who may stop it, in class mode.
    """

    id: str
    kind: str
    name: str
    state: str
    trials: tuple[Trial, ...]
    invalid: tuple[Trial, ...]
    asked: int
    ended: int
    eta_seconds: float | None
    created: float
    trouble: str = ""
    owner: str = ""

    @property
    def best(self) -> Trial | None:
        """The best that was found so far."""
        known = [trial for trial in self.trials if trial.score is not None]
        return max(known, key=lambda trial: trial.score or 0.0, default=None)


def start_grid(
    store: RunStore,
    base: RunRequest,
    varied: Mapping[str, Sequence[Any]],
    *,
    seeds: int = 1,
    name: str = "",
) -> str:
    """Queue every valid combination, each with so many seeds; returns the experiment's id.

    Raises:
        RecipeError: No combination is valid, or they are too many.
    """
    found = combinations(base, varied)
    valid = [each for each in found if each.request is not None]
    if not valid:
        raise RecipeError(
            f"None of the {len(found)} combinations is a valid design. The first: {found[0].reason}"
        )
    if seeds < 1 or len(valid) * seeds > MOST_RUNS:
        raise RecipeError(
            f"{len(valid)} combinations with {seeds} seeds are {len(valid) * seeds:,} runs, but it "
            f"takes from 1 to {MOST_RUNS:,}. Choose fewer."
        )
    body = {
        "base": base.to_dict(),
        "seeds": seeds,
        "name": name,
        "trials": [dict(each.settings) for each in valid],
        "invalid": [
            {"settings": dict(each.settings), "reason": each.reason}
            for each in found
            if each.request is None
        ],
    }
    return submit_study(store, "grid", body)


def next_step(plan: Study) -> StudyStep:
    """A grid asks for everything at once, and is done when all has ended."""
    base, seeds = RunRequest.from_dict(plan.body["base"]), plan.body["seeds"]
    if plan.progress["runs"]:
        over = all(not run.is_live for run in plan.runs.values())
        return StudyStep(state=DONE if over else LIVE)
    submit = {}
    for seed in range(seeds):  # all combinations with one seed before any has two
        for number, settings in enumerate(plan.body["trials"]):
            submit[f"{number}.{seed}"] = trial_request(plan.id, base, settings, seed)
    return StudyStep(submit=submit)


def trial_request(
    plan_id: str, base: RunRequest, settings: Mapping[str, Any], seed: int
) -> RunRequest:
    """The run of one combination and seed, named after what it varies."""
    combination: Combination = combine(base, settings)
    assert combination.request is not None
    title = Trial(settings).title
    name = f"{base.name or base.preset}: {title}" if base.name or base.preset else title
    return replace(
        combination.request, seed=base.seed + seed, group=plan_id, name=name[:120], preset=""
    )


def experiment_state(store: RunStore, plan_id: str) -> ExperimentState:
    """How an experiment stands now.

    Raises:
        StoreError: There is none.
    """
    return read_experiment(find_study(store, plan_id))


def read_experiment(plan: Study) -> ExperimentState:
    """How an experiment stands, from its plan."""
    asked_settings = plan.body.get("trials") or plan.progress.get("trials", [])
    trials = tuple(_trial(plan, number, each) for number, each in enumerate(asked_settings))
    invalid = plan.body.get("invalid") or plan.progress.get("invalid", [])
    ended = [run for run in plan.runs.values() if not run.is_live]
    asked = plan.body.get("count") or len(asked_settings) * plan.body["seeds"]
    return ExperimentState(
        id=plan.id,
        kind=plan.kind,
        name=plan.body.get("name", ""),
        state=plan.state,
        trials=trials,
        invalid=tuple(Trial(each["settings"], reason=each["reason"]) for each in invalid),
        asked=asked,
        ended=len(ended),
        eta_seconds=_eta(plan, ended, asked),
        created=plan.created,
        trouble=plan.progress.get("trouble", ""),
        owner=plan.owner,
    )


def effects(trials: Sequence[Trial]) -> list[Effect]:
    """Which setting mattered: how far the mean score moves over the values of each, largest first.

    It is a main effect: other settings are averaged over, and no interaction is seen.
    """
    found = []
    known = [trial for trial in trials if trial.score is not None]
    for name in dict.fromkeys(name for trial in known for name in trial.settings):
        scores: dict[str, list[float]] = defaultdict(list)
        for trial in known:
            scores[words(trial.settings.get(name))].append(trial.score or 0.0)
        means = {value: fmean(each) for value, each in scores.items()}
        spread = max(means.values()) - min(means.values())
        found.append(Effect(name, means, spread))
    return sorted(found, key=lambda effect: -effect.spread)


def best_so_far(trials: Sequence[Trial]) -> list[float]:
    """The best score up to each trial that has one."""
    curve: list[float] = []
    for trial in trials:
        if trial.score is not None:
            curve.append(max([trial.score, *curve[-1:]]))
    return curve


def _trial(plan: Study, number: int, settings: Mapping[str, Any]) -> Trial:
    runs = tuple(
        plan.runs[place]
        for seed in range(plan.body["seeds"])
        if (place := f"{number}.{seed}") in plan.runs
    )
    scores = [run_score(run) for run in runs]
    known = [score for score in scores if score is not None]
    whole = known and len(known) == plan.body["seeds"]
    return Trial(settings, runs, fmean(known) if whole else None)


def run_score(run: Run) -> float | None:
    """The best validation accuracy of a run that has ended; 0 if it diverged, None if it failed."""
    if run.is_live:
        return None
    if run.state == "diverged":
        return 0.0
    return run.summary.get("best_val_accuracy")


def _eta(plan: Study, ended: Sequence[Run], asked: int) -> float | None:
    """Seconds until all have ended, if the rest comes as fast as what came."""
    done = [run.ended for run in ended if run.ended]
    if not plan.is_live or not done:
        return None
    seconds = max(0.0, max(done) - plan.created) / len(done) * (asked - len(done))
    return max(0.0, seconds - (time.time() - max(done)))
