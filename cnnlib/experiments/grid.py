"""Grid experiments: combinations of settings, queued as ordinary runs, and their results."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from cnnlib.compare.differences import setting_text
from cnnlib.errors import RecipeError
from cnnlib.experiments.search_space import Combination, combinations, combine
from cnnlib.experiments.study import submit_study
from cnnlib.records.compare import Effect
from cnnlib.records.run import Run, RunRequest
from cnnlib.runs import studies
from cnnlib.runs.studies import DONE, LIVE, Study, StudyStep
from cnnlib.units import plural

if TYPE_CHECKING:
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
        """The settings as text: ``K 32, L 8``."""
        return ", ".join(f"{name} {setting_text(value)}" for name, value in self.settings.items())


@dataclass(frozen=True)
class ExperimentState:
    """The state of an experiment.

    Args:
        kind: "grid" or "search".
        state: "live", "done" or "stopped".
        trials: The trials so far, in the order in which they were queued.
        invalid: Combinations that are no valid design, with the reason.
        asked: Total number of runs, the future ones included.
        eta_seconds: Remaining time at the pace of the runs that have ended; None before the first.
        problem: The reason why it ended early; "" without a problem.
        owner: The person who may stop it, in class mode.
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
    problem: str = ""
    owner: str = ""

    @property
    def runs(self) -> list[Run]:
        """All its runs so far."""
        return [run for trial in self.trials for run in trial.runs]

    @property
    def best(self) -> Trial | None:
        """The best trial so far."""
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
    """Queue every valid combination with a number of seeds; return the experiment's id.

    Raises:
        RecipeError: No combination is valid, or they are too many.
    """
    proposals = combinations(base, varied)
    valid = [each for each in proposals if each.request is not None]
    if not valid:
        raise RecipeError(
            f"No combination is a valid design ({plural(len(proposals), 'combination')} tried). An "
            f"experiment needs at least one. Change the values. The first reason: "
            f"{proposals[0].reason}"
        )
    if seeds < 1 or len(valid) * seeds > MOST_RUNS:
        raise RecipeError(
            f"{plural(len(valid), 'combination')} with {plural(seeds, 'seed')} each are "
            f"{plural(len(valid) * seeds, 'run')}. An experiment has 1 to {MOST_RUNS:,} runs. "
            "Change the number of values or of seeds."
        )
    body = {
        "base": base.to_dict(),
        "seeds": seeds,
        "name": name,
        "trials": [dict(each.settings) for each in valid],
        "invalid": [
            {"settings": dict(each.settings), "reason": each.reason}
            for each in proposals
            if each.request is None
        ],
    }
    return submit_study(store, "grid", body)


def next_step(study: Study) -> StudyStep:
    """Queue all runs at once; the grid is done when all have ended."""
    base, seeds = RunRequest.from_dict(study.body["base"]), study.body["seeds"]
    if study.progress["runs"]:
        over = all(not run.is_live for run in study.runs.values())
        return StudyStep(state=DONE if over else LIVE)
    submit = {}
    for seed in range(seeds):  # all combinations with one seed before any has two
        for number, settings in enumerate(study.body["trials"]):
            submit[f"{number}.{seed}"] = trial_request(study.id, base, settings, seed)
    return StudyStep(submit=submit)


def trial_request(
    study_id: str, base: RunRequest, settings: Mapping[str, Any], seed: int
) -> RunRequest:
    """Build the request for one combination and seed, named after the settings that vary."""
    combination: Combination = combine(base, settings)
    assert combination.request is not None
    title = Trial(settings).title
    name = f"{base.name or base.preset}: {title}" if base.name or base.preset else title
    return replace(
        combination.request, seed=base.seed + seed, group=study_id, name=name[:120], preset=""
    )


def experiment_state(store: RunStore, study_id: str) -> ExperimentState:
    """Read the present state of an experiment.

    Raises:
        StoreError: There is no such experiment.
    """
    return read_experiment(studies.find(store, study_id))


def read_experiment(study: Study) -> ExperimentState:
    """Return the state of an experiment from its study."""
    trial_settings = study.body.get("trials") or study.progress.get("trials", [])
    trials = tuple(_trial(study, number, each) for number, each in enumerate(trial_settings))
    invalid = study.body.get("invalid") or study.progress.get("invalid", [])
    ended = [run for run in study.runs.values() if not run.is_live]
    run_count = study.body.get("count") or len(trial_settings) * study.body["seeds"]
    return ExperimentState(
        id=study.id,
        kind=study.kind,
        name=study.body.get("name", ""),
        state=study.state,
        trials=trials,
        invalid=tuple(Trial(each["settings"], reason=each["reason"]) for each in invalid),
        asked=run_count,
        ended=len(ended),
        eta_seconds=_eta(study, ended, run_count),
        created=study.created,
        problem=study.progress.get("trouble", ""),
        owner=study.owner,
    )


def effects(trials: Sequence[Trial]) -> list[Effect]:
    """Compute the effect of each setting: the range of its values' mean scores, largest first.

    These are main effects: averages over the other settings, without interactions.
    """
    result = []
    known = [trial for trial in trials if trial.score is not None]
    for name in dict.fromkeys(name for trial in known for name in trial.settings):
        scores: dict[str, list[float]] = defaultdict(list)
        for trial in known:
            scores[setting_text(trial.settings.get(name))].append(trial.score or 0.0)
        means = {value: fmean(each) for value, each in scores.items()}
        spread = max(means.values()) - min(means.values())
        result.append(Effect(name, means, spread))
    return sorted(result, key=lambda effect: -effect.spread)


def best_so_far(trials: Sequence[Trial]) -> list[float]:
    """Return the best score up to each trial that has one."""
    curve: list[float] = []
    for trial in trials:
        if trial.score is not None:
            curve.append(max([trial.score, *curve[-1:]]))
    return curve


def _trial(study: Study, number: int, settings: Mapping[str, Any]) -> Trial:
    """Return a trial with its runs; the score needs the results of all seeds."""
    runs = tuple(
        study.runs[place]
        for seed in range(study.body["seeds"])
        if (place := f"{number}.{seed}") in study.runs
    )
    scores = [run_score(run) for run in runs]
    known = [score for score in scores if score is not None]
    is_complete = known and len(known) == study.body["seeds"]
    return Trial(settings, runs, fmean(known) if is_complete else None)


def run_score(run: Run) -> float | None:
    """Return the best validation accuracy; 0 if diverged, None if live or without a validation."""
    if run.is_live:
        return None
    if run.state == "diverged":
        return 0.0
    return run.summary.get("best_val_accuracy")


def _eta(study: Study, ended: Sequence[Run], run_count: int) -> float | None:
    """Estimate the seconds until all runs have ended, at the pace so far."""
    done = [run.ended for run in ended if run.ended]
    if not study.is_live or not done:
        return None
    seconds = max(0.0, max(done) - study.created) / len(done) * (run_count - len(done))
    return max(0.0, seconds - (time.time() - max(done)))
