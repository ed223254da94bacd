"""Grid experiments: combinations of settings, queued as ordinary runs, and their results."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from cnnlib.compare.differences import setting_text
from cnnlib.compare.seeds import best_of
from cnnlib.errors import RecipeError
from cnnlib.experiments.search_space import Combination, combinations, combine
from cnnlib.experiments.study import check_trains, shared_mode, submit_study
from cnnlib.records.compare import Effect
from cnnlib.records.run import Run, RunRequest
from cnnlib.records.setting_labels import setting_label, value_label
from cnnlib.runs import studies
from cnnlib.runs.studies import DONE, INCOMPLETE, Study, StudyStep
from cnnlib.units import format_points, percent, plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cnnlib.runs.store import RunStore

KINDS = ("grid", "search")
_FIRST = "0.0"  # place of the first run: its number and its seed
MOST_RUNS = 1000


@dataclass(frozen=True)
class Trial:
    """One combination of an experiment, with the runs of its seeds.

    Args:
        score: Mean validation accuracy of its seeds, once all have finished; a run that diverged
            scores 0, and one that was broken off has no score.
        states: The state of each run; "deleted" where it is gone.
    """

    settings: Mapping[str, Any]
    runs: tuple[Run, ...] = ()
    score: float | None = None
    reason: str = ""
    states: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The settings as text: ``Learning rate 0.01, Optimiser AdamW``."""
        return ", ".join(
            f"{setting_label(name)} {value_label(name, setting_text(value))}"
            for name, value in self.settings.items()
        )


@dataclass(frozen=True)
class ExperimentState:
    """The state of an experiment.

    Args:
        kind: "grid" or "search".
        state: "live", "done", "stopped" or "incomplete".
        trials: The trials so far, in the order in which they were queued.
        invalid: Combinations that are no valid design, with the reason.
        asked: Total number of runs, the future ones included.
        measured: Runs with a result: those that finished or diverged.
        pruned: Runs that a search stopped early, which have no score.
        counts: Runs without a result that have ended, by state: "lost", "stopped", "interrupted",
            "failed", "deleted", and "not started" where the experiment is not live.
        eta_seconds: Remaining time at the pace of the runs with a result; None before the first.
        problem: The reason why it ended early; "" without a problem.
        owner: The person who may stop it, in class mode.
        pictures: Of the validation split; 0 before the first result.
    """

    id: str
    kind: str
    name: str
    state: str
    trials: tuple[Trial, ...]
    invalid: tuple[Trial, ...]
    asked: int
    measured: int
    pruned: int
    counts: Mapping[str, int]
    eta_seconds: float | None
    created: float
    problem: str = ""
    owner: str = ""
    pictures: int = 0

    @property
    def progress(self) -> str:
        """The number of runs with a result: ``5 of 8 runs have a result``, and those pruned."""
        has = "has" if 1 in (self.measured, self.asked) else "have"
        text = f"{self.measured} of {plural(self.asked, 'run')} {has} a result"
        states = Counter(state for trial in self.trials for state in trial.states)
        if states["diverged"]:
            text += f" ({states['diverged']} diverged)"
        if self.pruned:
            was = "was" if self.pruned == 1 else "were"
            text += f"; {self.pruned} {was} pruned (stopped early by the search)"
        return text

    @property
    def missing(self) -> str:
        """The runs that ended without a result as a sentence; "" where there is none."""
        if not self.counts:
            return ""
        total = sum(self.counts.values())
        apart = ", ".join(f"{count} {state}" for state, count in self.counts.items())
        verb = "has no result and is" if total == 1 else "have no result and are"
        return f"{plural(total, 'run')} {verb} not scored: {apart}."

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
        RecipeError: No combination is valid, none is trained, or they are too many.
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
    planned = [each.request for each in valid if each.request is not None] * seeds
    check_trains([request.recipe for request in planned], "experiment")
    return submit_study(store, "grid", body, planned, planned)


def next_step(study: Study) -> StudyStep:
    """Queue all runs, the first alone where it has to choose the mode; done with all results."""
    base, seeds = RunRequest.from_dict(study.body["base"]), study.body["seeds"]
    mode = shared_mode(study, base)
    submit = {
        place: trial_request(study.id, base, settings, seed, mode)
        for seed in range(seeds)  # all combinations with one seed before any has two
        for number, settings in enumerate(study.body["trials"])
        if (place := f"{number}.{seed}") not in study.progress["runs"]
        and (mode is not None or place == _FIRST)
    }
    if submit or study.live_places:
        return StudyStep(submit=submit)
    is_complete = mode is not None and not study.broken_off and not study.deleted
    return StudyStep(state=DONE if is_complete else INCOMPLETE)


def trial_request(
    study_id: str,
    base: RunRequest,
    settings: Mapping[str, Any],
    seed: int,
    mode: str | None,
) -> RunRequest:
    """Build the request for one combination and seed, named after the settings that vary.

    Args:
        mode: The execution mode of the study; None lets the run choose it.
    """
    combination: Combination = combine(base, settings)
    assert combination.request is not None
    title = Trial(settings).title
    name = f"{base.name or base.preset}: {title}" if base.name or base.preset else title
    return replace(
        combination.request,
        seed=base.seed + seed,
        group=study_id,
        name=name[:120],
        preset="",
        mode=mode or base.mode,
    )


def experiment_state(store: RunStore, study_id: str) -> ExperimentState:
    """Read the present state of an experiment.

    Raises:
        StoreError: There is no such experiment; the id may be that of a duel.
    """
    return read_experiment(studies.find(store, study_id, "experiment"))


def read_experiment(study: Study) -> ExperimentState:
    """Return the state of an experiment from its study."""
    trial_settings = study.body.get("trials") or study.progress.get("trials", [])
    trials = tuple(_trial(study, number, each) for number, each in enumerate(trial_settings))
    invalid = study.body.get("invalid") or study.progress.get("invalid", [])
    measured = [run for run in study.runs.values() if run.state in ("finished", "diverged")]
    pruned = [run for place, run in study.runs.items() if study.is_pruned(place)]
    run_count = study.body.get("count") or len(trial_settings) * study.body["seeds"]
    counts = _missing_counts(study, run_count)
    return ExperimentState(
        id=study.id,
        kind=study.kind,
        name=study.body.get("name", ""),
        state=_state(study, counts),
        trials=trials,
        invalid=tuple(Trial(each["settings"], reason=each["reason"]) for each in invalid),
        asked=run_count,
        measured=len(measured),
        pruned=len(pruned),
        counts=counts,
        eta_seconds=_eta(study, [*measured, *pruned], run_count),
        created=study.created,
        problem=study.progress.get("trouble", ""),
        owner=study.owner,
        pictures=study.pictures.get("validation", 0),
    )


def _state(study: Study, counts: Mapping[str, int]) -> str:
    """Return the state of an experiment; one of an earlier version may be done with runs missing.

    Args:
        counts: Its runs that ended without a result.
    """
    if study.is_live:
        return study.state
    if not counts:
        return DONE
    return INCOMPLETE if study.state == DONE else study.state


def effects(trials: Sequence[Trial]) -> list[Effect]:
    """Compute the effect of each setting: the range of its values' mean scores, largest first.

    These are main effects: averages over the other settings, without interactions. Only matched
    combinations count, so that all values of a setting are averaged over the same values of the
    others; where none match, the effect has no spread, and comes last. A setting with scores for
    a single value is left out.
    """
    known = [trial for trial in trials if trial.score is not None]
    names = dict.fromkeys(name for trial in known for name in trial.settings)
    tried = len({trial.title for trial in trials})
    spread = seed_spread(known)
    found = [
        replace(effect, reach=_reach(effect, spread)) if spread else effect
        for name in names
        if (effect := _effect(name, known, tried))
    ]
    return sorted(found, key=lambda effect: 1.0 if effect.spread is None else -effect.spread)


@dataclass(frozen=True)
class SeedSpread:
    """The standard deviation over seeds that the combinations of an experiment share.

    Args:
        freedom: Degrees of freedom of the estimate.
        seeds: Runs of each combination.
    """

    sd: float
    freedom: int
    seeds: int


def seed_spread(trials: Sequence[Trial]) -> SeedSpread | None:
    """Estimate the spread over seeds from within the trials; None where they have one seed."""
    results = [
        [score for run in trial.runs if (score := run_score(run)) is not None] for trial in trials
    ]
    freedom = sum(len(each) - 1 for each in results if each)
    if freedom <= 0:
        return None
    squares = sum((score - fmean(each)) ** 2 for each in results for score in each)
    return SeedSpread((squares / freedom) ** 0.5, freedom, max(map(len, results)))


def _reach(effect: Effect, spread: SeedSpread) -> float | None:
    """Return half the width of the interval of a mean, by Student's t."""
    if not effect.matched:
        return None
    from scipy.special import stdtrit  # SciPy takes long to import

    runs = spread.seeds * effect.matched // len(effect.means)
    return float(stdtrit(spread.freedom, 0.975)) * spread.sd / runs**0.5


def luck_of_best(trials: Sequence[Trial]) -> float | None:
    """Return how far the best of equally good combinations stands above them by chance.

    Returns:
        A fraction; None where no combination has two seeds.
    """
    known = [trial for trial in trials if trial.score is not None]
    spread = seed_spread(known)
    return best_of([spread.sd / spread.seeds**0.5] * len(known)) if spread else None


def _effect(name: str, known: Sequence[Trial], tried: int) -> Effect | None:
    """Compute the effect of one setting; None where it has scores for fewer than two values."""
    # Scores by the values of the other settings, then by the value of this one. A search may try
    # a combination several times.
    blocks: dict[tuple[str, ...], dict[str, list[float]]] = {}
    values: dict[str, None] = {}
    for trial in known:
        texts = {
            each: value_label(each, setting_text(value)) for each, value in trial.settings.items()
        }
        value = texts.pop(name)
        values[value] = None
        scores = blocks.setdefault(tuple(texts.values()), {}).setdefault(value, [])
        scores.append(trial.score or 0.0)
    if len(values) < 2:
        return None
    matched = [block for block in blocks.values() if len(block) == len(values)]
    if not matched:
        return Effect(name, {}, None, 0, tried)
    means = {value: fmean(fmean(block[value]) for block in matched) for value in values}
    spread = max(means.values()) - min(means.values())
    return Effect(name, means, spread, len(matched) * len(values), tried)


def effects_note(state: ExperimentState, found: Sequence[Effect]) -> str:
    """Write which combinations the effects are over, where that is not all of them; else ""."""
    chance = _chance_sentence(state) if found else ""
    if all(effect.matched == effect.tried for effect in found):
        return chance
    missing, runs = state.asked - state.measured - state.pruned, plural(state.asked, "run")
    sentences = []
    if state.pruned:
        was = "was pruned and has" if 1 in (state.pruned, state.asked) else "were pruned and have"
        sentences.append(f"{state.pruned:,} of {runs} {was} no score.")
    if missing:
        has = "has" if 1 in (missing, state.asked) else "have"
        sentences.append(f"{missing:,} of {runs} {has} no result.")
    counts = [
        f"{setting_label(effect.setting)} over {effect.matched:,} of "
        f"{plural(effect.tried, 'combination')}"
        for effect in found
        if effect.spread is not None
    ]
    if counts:
        sentences.append(
            f"Effects compare only combinations that differ in one setting: {', '.join(counts)}."
        )
    sentences += [
        f"The effect of {setting_label(effect.setting)} is not known: no combinations with a "
        "result have all its values and are equal in the other settings."
        for effect in found
        if effect.spread is None
    ]
    return " ".join([*sentences, chance]).strip()


def _chance_sentence(state: ExperimentState) -> str:
    """Write that the spread over seeds is not known, and the share of one picture."""
    if seed_spread([trial for trial in state.trials if trial.score is not None]):
        return ""
    step = f" One validation picture is {format_points(1 / state.pictures)} points."
    return (
        "Each combination has one seed, so it is not known how much of the differences is chance."
        f"{step if state.pictures else ''}"
    )


def effects_sentence(found: Sequence[Effect]) -> str:
    """Write which setting makes the largest difference, and the others; "" without an effect."""
    known = [
        (setting_label(each.setting), each.spread) for each in found if each.spread is not None
    ]
    if not known:
        return ""
    (largest, spread), *others = known
    text = f"{largest} makes the largest difference: up to {format_points(spread)} points"
    rest = ", ".join(f"{label} {format_points(each)}" for label, each in others)
    return f"{text}; {rest}." if rest else f"{text}."


def best_sentence(state: ExperimentState) -> str:
    """Write which combination is the best so far, and how much of that is luck; "" without one."""
    if state.best is None or state.best.score is None:
        return ""
    scores = [trial.score for trial in state.trials if trial.score is not None]
    count = len(scores)
    so_far = "" if state.state == "done" else " so far"
    start = (
        f"Best of {plural(count, 'combination')}{so_far}: {state.best.title}, with "
        f"{percent(state.best.score)} validation accuracy"
    )
    luck = luck_of_best(state.trials)
    if count < 2:
        return f"{start}."
    if luck is None:
        return f"{start}. The best of several is partly luck: train it with fresh seeds."
    height = state.best.score - fmean(scores)
    return (
        f"{start}, {format_points(height)} points above the average. The best of {count} equally "
        f"good combinations would be about {format_points(luck)} points above it by chance (from "
        "the spread over seeds)."
    )


def best_so_far(trials: Sequence[Trial]) -> list[float]:
    """Return the best score up to each trial that has one."""
    curve: list[float] = []
    for trial in trials:
        if trial.score is not None:
            curve.append(max([trial.score, *curve[-1:]]))
    return curve


def _trial(study: Study, number: int, settings: Mapping[str, Any]) -> Trial:
    """Return a trial with its runs; the score needs the results of all seeds."""
    places = [f"{number}.{seed}" for seed in range(study.body["seeds"])]
    queued = [place for place in places if place in study.progress["runs"]]
    runs = tuple(study.runs[place] for place in queued if place in study.runs)
    known = [score for run in runs if (score := run_score(run)) is not None]
    is_complete = known and len(known) == study.body["seeds"]
    states = tuple(_place_state(study, place) for place in queued)
    return Trial(settings, runs, fmean(known) if is_complete else None, states=states)


def _place_state(study: Study, place: str) -> str:
    """Return the state of a run of a study, where "pruned" and "deleted" are states, too."""
    if place not in study.runs:
        return "deleted"
    return "pruned" if study.is_pruned(place) else study.runs[place].state


def _missing_counts(study: Study, run_count: int) -> dict[str, int]:
    """Count the runs that ended without a result, by state; not those of a live study to come."""
    counts = Counter(_place_state(study, place) for place in study.broken_off)
    counts["deleted"] = len(study.deleted)
    if not study.is_live:
        counts["not started"] = run_count - len(study.progress["runs"])
    return {state: count for state, count in counts.items() if count > 0}


def run_score(run: Run) -> float | None:
    """Return the validation accuracy of a finished run's weights; 0 if it diverged, else None.

    The weights are those that the run ends with: of the last epoch, or of the epoch that early
    stopping restored. A run that was broken off has no score.
    """
    if run.state == "diverged":
        return 0.0
    return run.summary.get("last_val_accuracy") if run.state == "finished" else None


def _eta(study: Study, ended: Sequence[Run], run_count: int) -> float | None:
    """Estimate the seconds until all runs have ended, at the pace so far."""
    done = [run.ended for run in ended if run.ended]
    if not study.is_live or not done:
        return None
    seconds = max(0.0, max(done) - study.created) / len(done) * (run_count - len(done))
    return max(0.0, seconds - (time.time() - max(done)))
