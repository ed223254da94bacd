"""Duels: pairs of runs with the same seed, queued until a boundary decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from cnnlib.compare.differences import recipe_settings
from cnnlib.design.plan import plan
from cnnlib.errors import RecipeError
from cnnlib.experiments.duel_statistics import (
    DEFAULT_MOST_PAIRS,
    DEFAULT_WITHIN,
    check_pairs,
    count_collapsed,
    judge,
    learned_nothing,
    most_unseen,
)
from cnnlib.experiments.group_sequential import FIRST_LOOK, MOST_PAIRS, first_verdict
from cnnlib.experiments.study import check_trains, shared_mode, submit_study
from cnnlib.records.run import Run, RunRequest
from cnnlib.records.setting_labels import setting_label
from cnnlib.runs import studies
from cnnlib.runs.capacity import default_runs
from cnnlib.runs.studies import DONE, INCOMPLETE, STOPPED, Study, StudyStep
from cnnlib.units import format_points, listed, percent, plural

if TYPE_CHECKING:
    from cnnlib.records.compare import Verdict
    from cnnlib.runs.store import RunStore

Split = Literal["validation", "test"]
SPLITS: tuple[Split, ...] = ("validation", "test")
Prediction = Literal["", "a", "same", "b"]
PREDICTIONS: tuple[Prediction, ...] = ("", "a", "same", "b")
_SUMMARY_KEYS = {"validation": "last_val_accuracy", "test": "test_accuracy"}
_FATAL = ("stopped", "diverged", "failed")  # the duel ends, and can be resumed


@dataclass(frozen=True)
class Duel:
    """Two designs, and how they are compared.

    Args:
        a, b: The request of each side; its seed is that of the first pair.
        most_pairs: Maximum number of pairs, fixed before the first pair.
        first_pairs: Number of pairs that are queued at the start.
        within: Differences up to this fraction count as "the same"; 0: none do.
        on: The split that decides.
        prediction: What the person expects: "a" or "b" is better, "same", or "" for nothing.
    """

    a: RunRequest
    b: RunRequest
    name_a: str = "A"
    name_b: str = "B"
    most_pairs: int = DEFAULT_MOST_PAIRS
    first_pairs: int = FIRST_LOOK
    within: float = DEFAULT_WITHIN
    on: Split = "validation"
    prediction: Prediction = ""

    def __post_init__(self) -> None:
        if not 1 <= self.first_pairs <= self.most_pairs:
            raise RecipeError(
                f"first_pairs={self.first_pairs} is not from 1 to most_pairs={self.most_pairs}. A "
                "duel starts with at least one pair and at most its maximum. Change one of the two."
            )
        if not 0 <= self.within < 1:
            raise RecipeError(
                f"within={self.within!r} is not a difference of accuracies. It must be a fraction, "
                "at least 0 and below 1. Choose a number in this range."
            )
        if self.on not in SPLITS:
            raise RecipeError(f"on={self.on!r} is not a split. Choose validation or test.")
        if self.prediction not in PREDICTIONS:
            raise RecipeError(
                f"prediction={self.prediction!r} is not a prediction. It must be a, same or b, or "
                "empty. Choose one of them."
            )
        _check_sides(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the duel as plain JSON values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return values | {"a": self.a.to_dict(), "b": self.b.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Duel:
        """Build a duel from the values of ``to_dict``."""
        sides = {side: RunRequest.from_dict(values[side]) for side in ("a", "b")}
        return cls(**dict(values) | sides)


@dataclass(frozen=True)
class DuelState:
    """The state of a duel.

    Args:
        state: "live", "done", "stopped" or "incomplete".
        pairs: Runs of A and B by pair; None where not queued yet, or deleted.
        sentence: The present verdict as a sentence.
        problem: The reason why it waits or ended early; "" without a problem.
        can_resume: Whether it has ended or waits, and misses runs that can be trained.
        owner: The person who may stop it, in class mode.
    """

    id: str
    duel: Duel
    state: str
    pairs: tuple[tuple[Run | None, Run | None], ...]
    verdict: Verdict
    sentence: str
    problem: str = ""
    can_resume: bool = False
    owner: str = ""

    @property
    def not_counted(self) -> int:
        """The number of pairs that were queued beyond the one with which the verdict fell."""
        return len(self.pairs) - self.verdict.pairs if self.verdict.is_over else 0

    @property
    def runs(self) -> list[Run]:
        """All its runs so far."""
        return [run for pair in self.pairs for run in pair if run is not None]


def start_duel(store: RunStore, duel: Duel) -> str:
    """Start a duel and return its id, which is also the group of its runs.

    Raises:
        RecipeError: Its maximum number of pairs allows no verdict, both sides are the same, or one
            trains for 0 epochs. Earlier versions had such duels.
    """
    check_pairs(duel.most_pairs)
    check_trains([duel.a.recipe], "duel")
    check_trains([duel.b.recipe], "duel")
    _check_distinct(duel)
    first = [duel.a, duel.b] * duel.first_pairs
    return submit_study(store, "duel", duel.to_dict(), first)


def duel_state(store: RunStore, duel_id: str) -> DuelState:
    """Read the present state of a duel.

    Raises:
        StoreError: There is no such duel; the id may be that of an experiment.
    """
    return read_duel(studies.find(store, duel_id, "duel"))


def read_duel(study: Study) -> DuelState:
    """Return the state of a duel from its study."""
    duel = Duel.from_dict(study.body)
    verdict = _verdict(duel, study)
    count = 1 + max((int(place[1:]) for place in study.progress["runs"]), default=-1)
    pairs = tuple((study.runs.get(f"a{n}"), study.runs.get(f"b{n}")) for n in range(count))
    counted = pairs[: verdict.pairs]
    scores = [[duel_score(pair[side], duel.on) or 0.0 for pair in counted] for side in (0, 1)]
    guessing = guessing_sentence(duel, scores)
    sentence = verdict_sentence(verdict, duel.name_a, duel.name_b, guessing)
    is_waiting = bool(study.broken_off or study.deleted or study.state in (STOPPED, INCOMPLETE))
    has_diverged = any(run.state == "diverged" for run in study.runs.values())
    return DuelState(
        *(study.id, duel, study.state, pairs, verdict, sentence, _problem(duel, study, verdict)),
        can_resume=is_waiting and not has_diverged and not verdict.is_over,
        owner=study.owner,
    )


def next_step(study: Study) -> StudyStep:
    """Queue the first pairs at once, then so many that the machine is busy, until it is decided.

    A run that failed or diverged ends the duel when its pair is the next to count. All runs share
    one execution mode; where it is not settled, the first run of A chooses it, and the others are
    queued after that.
    """
    duel = Duel.from_dict(study.body)
    verdict = _verdict(duel, study)
    live = study.live_places
    if verdict.is_over:
        return StudyStep(stop=live, state=DONE)
    if any(study.runs[place].state in _FATAL for place in _due(study, verdict)):
        return StudyStep(stop=live, state=STOPPED)
    if study.deleted:
        return StudyStep(stop=live, state=STOPPED, keep={"trouble": _DELETED})
    mode = shared_mode(study, duel.a)
    if mode is None:
        places = [] if study.progress["runs"] else ["a0"]
    else:
        in_flight = verdict.pairs + 1 + default_runs() // 2
        queued_pairs = min(duel.most_pairs, max(duel.first_pairs, in_flight))
        places = [f"{side}{pair}" for pair in range(queued_pairs) for side in "ab"]
    new = [place for place in places if place not in study.progress["runs"]]
    return StudyStep(submit={place: _request(duel, study.id, place, mode) for place in new})


def _due(study: Study, verdict: Verdict) -> list[str]:
    """Return the places of runs up to the next pair to count; later ones may never count."""
    return sorted(place for place in study.runs if int(place[1:]) <= verdict.pairs)


def recipe_differences(duel: Duel) -> dict[str, tuple[str, str]]:
    """Return the settings in which the recipes of A and B differ: by name, both values as text."""
    a, b = recipe_settings(duel.a.recipe), recipe_settings(duel.b.recipe)
    return {name: (a[name], b[name]) for name in a if a[name] != b[name]}


def recipes_sentence(duel: Duel) -> str:
    """Write whether both designs are trained with one recipe, and in what two recipes differ."""
    differences = recipe_differences(duel)
    if not differences:
        return "Both designs are trained with the same recipe."
    settings = "; ".join(
        f"{setting_label(name).lower()} {a} and {b}" for name, (a, b) in differences.items()
    )
    return (
        f"Each design is trained with a recipe of its own, so the duel compares designs together "
        f"with their recipes. The recipes of {duel.name_a} and {duel.name_b} differ: {settings}."
    )


def _check_sides(duel: Duel) -> None:
    """Check that both sides train on the same pictures in the same order.

    Raises:
        RecipeError: They do not.
    """
    data = ("dataset", "seed", "split_seed", "validation", "train_limit")
    for name in (*data, "device", "mode", "precision"):
        if getattr(duel.a, name) != getattr(duel.b, name):
            raise RecipeError(
                f"The sides of the duel differ in {name}: {getattr(duel.a, name)!r} and "
                f"{getattr(duel.b, name)!r}. A fair duel needs the same value on both sides. "
                "Choose one of the two."
            )
    if duel.on == "validation" and duel.a.validation == 0:
        raise RecipeError(
            "The duel compares accuracy on the validation split, but no pictures are kept for it. "
            "Keep some pictures for validation, or compare on the test split."
        )


def _check_distinct(duel: Duel) -> None:
    """Check that something is compared: that the sides differ in design, recipe or start.

    Raises:
        RecipeError: They are the same, whatever their names.
    """
    a, b = duel.a, duel.b
    if (a.spec.init, a.recipe, a.origin) != (b.spec.init, b.recipe, b.origin):
        return
    if a.spec == b.spec or plan(a.spec).layers == plan(b.spec).layers:
        raise RecipeError(
            "Both sides of the duel have the same design and the same recipe, so any difference "
            "between them is chance. Choose another design for one side, or train this design "
            "with several seeds to see how much its accuracy varies."
        )


def _request(duel: Duel, duel_id: str, place: str, mode: str | None) -> RunRequest:
    """Build the request of one run, such as ``"a0"``: side A, first pair."""
    side, name = (duel.a, duel.name_a) if place[0] == "a" else (duel.b, duel.name_b)
    seed = side.seed + int(place[1:])
    mode = mode or side.mode
    return replace(side, seed=seed, mode=mode, group=duel_id, name=side.name or name)


def _verdict(duel: Duel, study: Study) -> Verdict:
    """Compute the verdict from the complete pairs, up to the first incomplete one."""
    scores: list[tuple[float, float]] = []
    for pair in range(duel.most_pairs):
        a, b = (duel_score(study.runs.get(f"{side}{pair}"), duel.on) for side in "ab")
        if a is None or b is None:
            break
        scores.append((a, b))
    pictures = study.pictures.get(duel.on, 0)
    verdict = judge(
        [b - a for a, b in scores],
        most_pairs=duel.most_pairs,
        within=duel.within,
        resolution=1 / pictures if pictures else 0.0,
    )
    counted = scores[: verdict.pairs]
    classes = duel.a.spec.out_classes
    collapsed = [count_collapsed([pair[side] for pair in counted], classes) for side in (0, 1)]
    return replace(verdict, collapsed=(collapsed[0], collapsed[1]))


def duel_score(run: Run | None, on: str) -> float | None:
    """Return the accuracy of a finished run on a split; None for any other run."""
    return run.summary.get(_SUMMARY_KEYS[on]) if run and run.state == "finished" else None


def _problem(duel: Duel, study: Study, verdict: Verdict) -> str:
    """Return the reason why the duel waits or ended early, the most serious first; "" for none."""
    if study.state == DONE:
        return ""
    if sentence := study.progress.get("trouble"):  # a limit of the owner, or a deleted run
        return sentence
    for state, sentence in _PROBLEMS.items():
        for place in _due(study, verdict):
            if (run := study.runs[place]).state == state:
                name = duel.name_a if place[0] == "a" else duel.name_b
                return sentence.format(run=f"The run of {name} with seed {run.request.seed}")
    return ""


_NO_RESULT = "so its pair has no result."
_RESUME = "Resume the duel to train it to its end."
_DELETED = f"A run of the duel was deleted, {_NO_RESULT} Resume the duel to train it again."
_PROBLEMS = {
    "diverged": f"{{run}} diverged, {_NO_RESULT} Correct the cause, then start a new duel.",
    "failed": f"{{run}} failed, {_NO_RESULT} Correct the cause, then resume the duel.",
    "stopped": f"{{run}} was stopped, {_NO_RESULT} {_RESUME}",
    "lost": f"{{run}} lost its worker process, {_NO_RESULT} {_RESUME}",
    "interrupted": f"{{run}} was interrupted, {_NO_RESULT} {_RESUME}",
}


def verdict_sentence(verdict: Verdict, name_a: str, name_b: str, guessing: str = "") -> str:
    """Write ``B is better by 0.21 points (95 % interval 0.08 to 0.34, 8 paired seeds).``

    Collapsed seeds are named with their share; "equal" is never said without it.

    Args:
        guessing: The `guessing_sentence`, which stands in place of that on collapsed seeds.
    """
    seeds = plural(verdict.pairs, "paired seed")
    collapsed = f" {guessing}" if guessing else _collapsed_sentence(verdict, name_a, name_b)
    if verdict.outcome == "b":
        return (
            f"{name_b} is better by {format_points(verdict.mean)} points "
            f"({_interval(verdict)}, {seeds}).{collapsed}"
        )
    if verdict.outcome == "a":
        return (
            f"{name_a} is better by {format_points(-verdict.mean)} points "
            f"({_interval(verdict, -1)}, {seeds}).{collapsed}"
        )
    if verdict.outcome == "same":
        return (
            f"{name_a} and {name_b} are equal within {format_points(verdict.within)} points "
            f"({name_b} minus {name_a}: {_interval(verdict)}, {seeds}).{collapsed}"
        )
    return _undecided_sentence(verdict, seeds, name_a, name_b) + collapsed


def guessing_sentence(duel: Duel, scores: Sequence[Sequence[float]]) -> str:
    """Write that designs answer no better than guessing; "" where both have learned.

    Args:
        scores: The accuracies of A and of B, fractions.
    """
    classes = duel.a.spec.out_classes
    names = (duel.name_a, duel.name_b)
    guess = [
        (name, max(each))
        for name, each in zip(names, scores, strict=True)
        if learned_nothing(each, classes)
    ]
    if not guess:
        return ""
    who = " and ".join(f"{name} ({percent(best, 1)} at best)" for name, best in guess)
    answers = "answers" if len(guess) == 1 else "answer"
    return (
        f"{who} {answers} hardly better than guessing among {plural(classes, 'class')}, so this "
        "says nothing about what the design can learn. Train longer, or with another learning rate."
    )


def duel_progress(state: DuelState) -> tuple[float, str]:
    """Return the share of its pairs that a live duel has trained, and the pair it is at as text.

    The text is such as ``Pair 3 of at most 20: lenet5 at 60 %, cnn3 waits``.
    """
    done, most = state.verdict.pairs, state.duel.most_pairs
    pair = state.pairs[done] if done < len(state.pairs) else (None, None)
    names = (state.duel.name_a, state.duel.name_b)
    sides = [f"{name} {_progress_words(run)}" for name, run in zip(names, pair, strict=True)]
    share = (done + sum(map(_trained_share, pair)) / 2) / most
    return min(1.0, share), f"Pair {min(done + 1, most)} of at most {most}: {', '.join(sides)}"


def _trained_share(run: Run | None) -> float:
    """Return the share of its steps that a run has done."""
    if run is None:
        return 0.0
    return 1.0 if run.state == "finished" else run.step / max(1, run.total_steps)


def _progress_words(run: Run | None) -> str:
    """Write how far a run is: ``waits``, ``starts``, ``at 60 %``, ``is trained``."""
    if run is None or run.state == "queued":
        return "waits"
    if run.state == "finished":
        return "is trained"
    if not run.is_live:
        return "has no result"
    if not run.step:
        return f"starts ({run.phase})" if run.phase else "starts"
    paused = " (paused)" if run.state == "paused" else ""
    return f"at {percent(_trained_share(run), 0)}{paused}"


def prediction_sentence(duel: Duel, verdict: Verdict) -> str:
    """Write what was predicted, and after the verdict whether that was right; "" without one."""
    better = {"a": f"{duel.name_a} is better", "b": f"{duel.name_b} is better"}
    expected = {"same": "both are equal", **better}.get(duel.prediction, "")
    if not expected:
        return ""
    if verdict.outcome not in ("a", "b", "same"):
        return f"You predicted: {expected}."
    right = "That was right." if verdict.outcome == duel.prediction else "That was not so."
    return f"You predicted: {expected}. {right}"


def forecast_sentence(verdict: Verdict) -> str:
    """Write how many pairs differences of some sizes need at the spread seen, before a verdict.

    With that many pairs, four of five duels find the difference.

    Returns:
        "" without a forecast, or after the verdict.
    """
    if verdict.is_over or not verdict.forecast:
        return ""
    pairs = [
        f"about {each.pairs} for {100 * each.difference:g}"
        if each.pairs is not None and each.pairs <= MOST_PAIRS
        else f"more than {MOST_PAIRS} for {100 * each.difference:g}"
        for each in verdict.forecast
    ]
    return f"Pairs needed to find a difference, in points: {listed(pairs)}."


def _interval(verdict: Verdict, sign: int = 1) -> str:
    """Write the interval in percentage points; `sign` -1 gives that of A minus B."""
    assert verdict.low is not None and verdict.high is not None  # decided verdicts have one
    low, high = map(format_points, sorted((sign * verdict.low, sign * verdict.high)))
    return f"{percent(verdict.level, 0)} interval {low} to {high}"


def _collapsed_sentence(verdict: Verdict, name_a: str, name_b: str) -> str:
    """Write the share of collapsed seeds; "" where none collapsed and nothing is called equal."""
    if verdict.collapsed is None:
        unseen = percent(most_unseen(0, verdict.pairs), 0) if verdict.pairs else ""
        is_same = verdict.outcome == "same"
        return f" A collapse in up to {unseen} of the seeds can go unseen." if is_same else ""
    if any(verdict.collapsed):
        shares = (
            f"{count} of {verdict.pairs} seeds of {name} (at most "
            f"{percent(most_unseen(count, verdict.pairs), 0)} of all its seeds)"
            for count, name in zip(verdict.collapsed, (name_a, name_b), strict=True)
        )
        return f" Collapsed: {' and '.join(shares)}."
    if verdict.outcome != "same":
        return ""
    unseen = percent(most_unseen(0, verdict.pairs), 0)
    return (
        f" No seed collapsed; with {plural(verdict.pairs, 'seed')}, a collapse in up to {unseen} "
        "of the seeds of each design can go unseen."
    )


def _undecided_sentence(verdict: Verdict, seeds: str, name_a: str, name_b: str) -> str:
    """Write the sentence of a duel without a decision."""
    if verdict.pairs == 0:
        return f"{name_a} and {name_b}: no pair has finished yet."
    if verdict.mean == 0 and verdict.sd == 0:
        return _no_difference_sentence(verdict, seeds, name_a, name_b)
    interval = ""
    if verdict.low is not None:
        interval = f" ({name_b} minus {name_a}: {_interval(verdict)} points)"
    if verdict.outcome == "untold":
        return (
            f"{name_a} and {name_b}: undecided after all {seeds}{interval}."
            f"{_more_sentence(verdict)}{_coarse_sentence(verdict)}"
        )
    first = first_verdict(verdict.most_pairs) or 0
    if verdict.pairs < first:
        wait = f" A verdict is possible from pair {first} on."
        return f"{name_a} and {name_b}: undecided after {seeds}.{wait}"
    return (
        f"{name_a} and {name_b}: undecided after {seeds}{interval}."
        f"{_more_sentence(verdict)}{_coarse_sentence(verdict)}"
    )


def _no_difference_sentence(verdict: Verdict, seeds: str, name_a: str, name_b: str) -> str:
    """Write the sentence of an undecided duel in which every pair had equal accuracies."""
    coarse = _coarse_sentence(verdict).removeprefix(" One").removesuffix(".")
    return (
        f"{name_a} and {name_b}: undecided, with the same accuracy of both in all {seeds}"
        f"{'; one' + coarse if coarse else ''}."
    )


def _more_sentence(verdict: Verdict) -> str:
    """Write the estimated number of further pairs, and whether they are allowed."""
    if first_verdict(verdict.most_pairs) is None:
        return (
            f" With {verdict.most_pairs} pairs no verdict is possible: a duel needs at least "
            f"{FIRST_LOOK}. Start a longer duel."
        )
    if not verdict.more_pairs:
        return ""
    more = f" Estimated: {plural(verdict.more_pairs, 'more pair')}"
    total = verdict.pairs + verdict.more_pairs
    if total > MOST_PAIRS:
        return f"{more}, {total} in all, which is more than the {MOST_PAIRS} that a duel may have."
    if verdict.outcome == "untold":
        return f"{more}. Start a longer duel."
    if total > verdict.most_pairs:
        return f"{more}, {total} in all, which is more than the {verdict.most_pairs} of this duel."
    return f"{more}."


def _coarse_sentence(verdict: Verdict) -> str:
    """Write that one picture is more than the margin; "" where it is not."""
    if not 0 < verdict.within < verdict.resolution:
        return ""
    return (
        f" One picture is {format_points(verdict.resolution)} points, so this split is too small "
        f"to find that they are equal within {format_points(verdict.within)} points."
    )
