"""Searches: Optuna proposes settings, at random first, then near the best ones.

Proposals come from Optuna's tree-structured Parzen estimator (Bergstra et al. 2011); Optuna's
study is rebuilt from all past trials at each step, so that any process can continue it. As many
trials run as train at once; those without a result count as bad ones nearby. A run is
pruned, that is, stopped early, by Hyperband (Li et al. 2018): it goes on after 1, 3, 9, ... epochs
only if it is among the best third of the trials that have come as far; brackets of trials begin
with more epochs, for settings that are slow at first. The estimator takes a pruned trial as worse
than any finished one; it ignores trials that were broken off.
"""

from __future__ import annotations

import math
from bisect import bisect, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeGuard
from zlib import crc32

from cnnlib.design.checks import shown
from cnnlib.errors import RecipeError
from cnnlib.experiments.grid import read_experiment, run_score, trial_request
from cnnlib.experiments.refine import finer_space
from cnnlib.experiments.search_space import check_settings, combine
from cnnlib.experiments.study import check_trains, safe_mode, shared_mode, submit_study
from cnnlib.records.run import RunRequest
from cnnlib.runs import studies
from cnnlib.runs.capacity import default_runs
from cnnlib.runs.studies import DONE, INCOMPLETE, STOPPED, Study, StudyStep

if TYPE_CHECKING:
    import optuna

    from cnnlib.runs.store import RunStore

MOST_TRIALS = 500
STARTUP_TRIALS = 8  # random trials before the estimator's proposals
_MOST_INVALID = 50  # invalid proposals in a row
_THIRD = 3  # Hyperband's reduction factor: one trial in three goes on
_LARGEST_END = 1e12  # maximum absolute value of the end of a range


def start_search(
    store: RunStore,
    base: RunRequest,
    space: Mapping[str, Mapping[str, Any]],
    *,
    trials: int,
    name: str = "",
    prune: bool = True,
) -> str:
    """Start a search and return its id.

    Args:
        space: By setting: ``{"low": ..., "high": ..., "log": bool}`` (whole numbers where both ends
            are), or ``{"choices": [...]}``.

    Raises:
        RecipeError: An unknown setting, an invalid range, too many trials, or no training.
    """
    check_settings(space)
    if not space:
        raise RecipeError(
            "The search has no settings to vary. It needs at least one setting with a range or "
            "values. Write, for example: lr = 1e-4..1e-1:log"
        )
    if not 1 <= trials <= MOST_TRIALS:
        raise RecipeError(
            f"The number of trials is {trials}. A search has 1 to {MOST_TRIALS} trials. Choose a "
            "number in this range."
        )
    for setting, values in space.items():
        _distribution(setting, values)
    if not {"epochs", "max_batches"} & set(space):
        check_trains([base.recipe], "experiment")
    body = {"base": base.to_dict(), "space": {n: dict(v) for n, v in space.items()}, "seeds": 1}
    body |= {"count": trials, "name": name, "trials": [], "prune": prune}
    return submit_study(store, "search", body, [base] * trials)


def start_finer_search(store: RunStore, study_id: str) -> str:
    """Start a search around the best trial of an experiment (see `finer_space`); return its id.

    It has as many trials as the experiment had combinations.

    Raises:
        RecipeError: The experiment has no result yet.
        StoreError: There is no such experiment.
    """
    study = studies.find(store, study_id, "experiment")
    state = read_experiment(study)
    space = finer_space(state, study.body.get("space", {}))
    base = RunRequest.from_dict(study.body["base"])
    name = f"finer: {state.name or ', '.join(space)}"[:120]
    return start_search(store, base, space, trials=max(2, len(state.trials)), name=name)


def next_step(study: Study) -> StudyStep:
    """Queue as many trials as train at once, and stop those that Hyperband prunes (if `prune`)."""
    settings = list(study.progress.get("trials", []))
    base = RunRequest.from_dict(study.body["base"])
    mode = shared_mode(study, base)
    at_once = 1 if mode is None else default_runs()
    live = study.live_places
    if study.body["prune"]:
        pruned = study.progress.get("pruned", [])
        stop = tuple(place for place in _weak_places(study, settings, base) if place not in pruned)
        if stop:
            return StudyStep(stop=stop, command="prune", keep={"pruned": [*pruned, *stop]})
    for number, proposed in enumerate(settings):  # a deleted run of a search that was resumed
        if (place := f"{number}.0") not in study.progress["runs"]:
            return StudyStep(submit={place: _request(study, base, proposed, mode)})
    wanted = min(at_once - len(live), study.body["count"] - len(settings))
    if wanted > 0:
        return _propose(study, settings, wanted, mode)
    if live:
        return StudyStep()
    return StudyStep(state=INCOMPLETE if study.broken_off or study.deleted else DONE)


def _request(
    study: Study, base: RunRequest, settings: Mapping[str, Any], mode: str | None
) -> RunRequest:
    """Build the request of a trial; a proposed design may forbid the memory format of the mode."""
    request = trial_request(study.id, base, settings, 0, mode)
    return replace(request, mode=safe_mode(request.mode, request))


def _propose(
    study: Study, settings: list[dict[str, Any]], wanted: int, mode: str | None
) -> StudyStep:
    """Queue the next proposals that are valid designs; invalid ones are recorded."""
    base = RunRequest.from_dict(study.body["base"])
    invalid = list(study.progress.get("invalid", []))
    sampler = _optuna_study(study, settings, len(invalid))
    spaces = {name: _distribution(name, values) for name, values in study.body["space"].items()}
    submit: dict[str, RunRequest] = {}
    for _ in range(_MOST_INVALID):
        trial = sampler.ask(spaces)
        params = trial.params
        proposed = {name: _value_of_index(study, name, value) for name, value in params.items()}
        combination = combine(base, proposed)
        if combination.request is None:
            invalid.append({"settings": proposed, "reason": combination.reason})
            sampler.tell(trial, 0.0)
            continue
        submit[f"{len(settings)}.0"] = _request(study, base, proposed, mode)
        settings.append(proposed)
        if len(submit) == wanted:
            break
    keep = {"trials": settings, "invalid": invalid}
    if submit or study.live_places:
        return StudyStep(submit=submit, keep=keep)
    if settings:
        return StudyStep(state=DONE, keep=keep)
    sentence = (
        f"The search ended, because none of {len(invalid)} proposals is a valid design. Choose "
        f"other ranges. The reason for the last proposal: {combination.reason}"
    )
    return StudyStep(state=STOPPED, keep=keep | {"trouble": sentence})


def _optuna_study(study: Study, settings: list[dict[str, Any]], invalid: int) -> optuna.study.Study:
    """Build Optuna's study from the finished, the pruned and the running trials."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seed = RunRequest.from_dict(study.body["base"]).seed + len(settings) + invalid
    sampler = optuna.samplers.TPESampler(
        seed=seed, n_startup_trials=STARTUP_TRIALS, constant_liar=True
    )
    optuna_study = optuna.create_study(direction="maximize", sampler=sampler)
    spaces = {name: _distribution(name, values) for name, values in study.body["space"].items()}
    for number, proposed in enumerate(settings):
        result = _trial_result(study, f"{number}.0")
        if result is None:
            continue
        params = {name: _index_of_value(study, name, value) for name, value in proposed.items()}
        optuna_study.add_trial(
            optuna.trial.create_trial(params=params, distributions=spaces, **result)
        )
    return optuna_study


def _trial_result(study: Study, place: str) -> dict[str, Any] | None:
    """Return a trial's result as Optuna takes it; None where it has none."""
    from optuna.trial import TrialState

    run = study.runs.get(place)
    if run is None:
        return None
    if run.is_live:
        return {"state": TrialState.RUNNING}
    if study.is_pruned(place):
        curve = {
            epoch.epoch: epoch.val_accuracy
            for epoch in study.epochs[place]
            if epoch.val_accuracy is not None
        }
        return {"state": TrialState.PRUNED, "intermediate_values": curve}
    score = run_score(run)
    return None if score is None else {"value": score}


def _distribution(setting: str, values: Mapping[str, Any]) -> Any:
    """Build Optuna's distribution of a setting; choices are drawn by index: they may be lists.

    Raises:
        RecipeError: The range is invalid.
    """
    from optuna import distributions

    if choices := values.get("choices"):
        return distributions.CategoricalDistribution(list(range(len(choices))))
    low, high, log = values.get("low"), values.get("high"), bool(values.get("log"))
    if not (_is_number(low) and _is_number(high)) or low >= high or (log and low <= 0):
        raise RecipeError(
            f"The range of {setting} is {shown(low)} to {shown(high)}. A range needs two numbers, "
            "the smaller one first; a logarithmic range needs numbers above 0. Write LOW..HIGH, "
            "LOW..HIGH:log, or values separated by commas."
        )
    if isinstance(low, int) and isinstance(high, int):
        return distributions.IntDistribution(low, high, log=log)
    return distributions.FloatDistribution(float(low), float(high), log=log)


def _is_number(value: Any) -> TypeGuard[int | float]:
    """Return whether an end of a range is a number within `_LARGEST_END`."""
    return type(value) in (int, float) and abs(value) <= _LARGEST_END


def _value_of_index(study: Study, setting: str, value: Any) -> Any:
    """Return the choice at an index; the value itself for a range."""
    choices = study.body["space"][setting].get("choices")
    return choices[value] if choices else value


def _index_of_value(study: Study, setting: str, value: Any) -> Any:
    """Return the index of a choice; the value itself for a range."""
    choices = study.body["space"][setting].get("choices")
    return choices.index(value) if choices else value


def _weak_places(
    study: Study, settings: Sequence[Mapping[str, Any]], base: RunRequest
) -> list[str]:
    """Return the live runs that Hyperband stops, by their validation accuracy after each epoch."""
    live = [place for place in study.live_places if study.epochs.get(place)]
    if not live:
        return []
    last = [int(each.get("epochs", base.recipe.epochs)) for each in settings]
    curves = [
        {
            each.epoch: each.val_accuracy
            for each in study.epochs.get(f"{number}.0", ())
            if each.val_accuracy is not None and each.epoch < end
        }
        for number, end in enumerate(last)
    ]
    weak = {f"{number}.0" for number in hyperband(curves, max(1, *last), study.id)}
    return [place for place in live if place in weak]


def hyperband(curves: Sequence[Mapping[int, float]], most: int, name: str) -> set[int]:
    """Return the numbers of the trials that Hyperband stops, as Optuna's pruner does.

    A trial of bracket b is compared after 3^b, 3^(b+1), ... epochs with those of its bracket that
    have come as far. Optuna reads all trials anew for each comparison.

    Args:
        curves: Of each trial, its score after each epoch.
        most: Epochs of the longest trial.
        name: Decides with the number of a trial in which bracket it is.
    """
    brackets = math.floor(math.log(most, _THIRD)) + 1
    shares = [math.ceil(brackets * _THIRD**s / (s + 1)) for s in reversed(range(brackets))]
    bounds = list(accumulate(shares))
    arrived: dict[tuple[int, int], list[float]] = defaultdict(list)  # sorted, by bracket and rung
    rungs = [0] * len(curves)
    weak = set()
    # All trials after one epoch, then all after two.
    reports = sorted((epoch, number) for number, curve in enumerate(curves) for epoch in curve)
    for epoch, number in reports:
        score = curves[number][epoch]
        bracket = bisect(bounds, crc32(f"{name}_{number}".encode()) % bounds[-1])
        while epoch >= _THIRD ** (bracket + rungs[number]):
            beside = arrived[bracket, rungs[number]]
            insort(beside, score)
            rungs[number] += 1
            if score < beside[-max(1, len(beside) // _THIRD)]:
                weak.add(number)
                break
    return weak
