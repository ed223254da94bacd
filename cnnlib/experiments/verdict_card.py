"""The verdict card of a duel: who is better, by how much, at what price, and how sure this is."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any

from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.experiments.duel import (
    Duel,
    DuelState,
    duel_score,
    guessing_sentence,
    read_duel,
    recipes_sentence,
)
from cnnlib.experiments.duel_statistics import most_unseen
from cnnlib.experiments.group_sequential import BETTER
from cnnlib.records.compare import Speed, Verdict
from cnnlib.records.record import Record
from cnnlib.runs import studies
from cnnlib.units import format_points, percent, plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.events import EpochEnd
    from cnnlib.records.run import Run
    from cnnlib.runs.store import RunStore
    from cnnlib.runs.studies import Study


@dataclass(frozen=True)
class PairScore(Record):
    """The accuracies of A and B with one seed, on the split that is compared; fractions."""

    seed: int
    a: float
    b: float


@dataclass(frozen=True)
class CardSide(Record):
    """One design of a duel, with its price.

    Args:
        params, macs: Of the design; the latter for one picture.
        speed: Measured when the card was made; None where it was not.
        accuracy: Mean on the split that is compared, over the pairs that count; None before one.
        test_accuracy: Mean on the test split, over the same runs.
        train_seconds: Mean time of a training.
        last_gain: Growth of the mean validation accuracy in the last epoch; None where it is not
            known.
        collapsed: Seeds that collapsed, among the pairs that count.
    """

    name: str
    params: int
    macs: int
    speed: Speed | None = None
    accuracy: float | None = None
    test_accuracy: float | None = None
    train_seconds: float | None = None
    last_gain: float | None = None
    collapsed: int = 0


@dataclass(frozen=True)
class CardData(Record):
    """The pictures of a duel.

    Args:
        dataset: Its name; title: that in the catalogue, or the name.
        train, validation, test: Pictures in each split; None where it is not known.
        on: The split whose accuracies are compared.
    """

    dataset: str
    title: str
    on: str
    train: int | None = None
    validation: int | None = None
    test: int | None = None

    @property
    def compared(self) -> int | None:
        """Pictures in the split that is compared."""
        return self.validation if self.on == "validation" else self.test


@dataclass(frozen=True)
class VerdictCard:
    """The result of a duel as one record.

    Args:
        state: "live", "done", "stopped" or "incomplete".
        headline: The verdict in a few words; sentence: with its interval.
        pairs: The pairs that count.
        certainty: What is promised, and what is not.
        would_change: What would change the verdict, a sentence each.
        recipes: Whether the designs share a recipe, and in what their recipes differ.
        modes, machines, versions: Of the runs that count.
        created: When the duel was started, seconds since 1970.
    """

    duel_id: str
    state: str
    duel: Duel
    verdict: Verdict
    headline: str
    sentence: str
    pairs: tuple[PairScore, ...]
    a: CardSide
    b: CardSide
    data: CardData
    certainty: tuple[str, ...]
    would_change: tuple[str, ...]
    recipes: str
    modes: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    created: float = 0.0

    @property
    def winner(self) -> CardSide | None:
        """The better design; None without one."""
        return {"a": self.a, "b": self.b}.get(self.verdict.outcome)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval of the difference in the direction of `direction`; None before there is one.

        Fractions, as is `difference`.
        """
        low, high = self.verdict.low, self.verdict.high
        if low is None or high is None:
            return None
        return (-high, -low) if self.verdict.outcome == "a" else (low, high)

    @property
    def difference(self) -> float:
        """The mean difference in the direction of `direction`."""
        return -self.verdict.mean if self.verdict.outcome == "a" else self.verdict.mean

    @property
    def direction(self) -> str:
        """The difference in words: the better design minus the other, or B minus A."""
        names = self.b.name, self.a.name
        better, other = reversed(names) if self.verdict.outcome == "a" else names
        return f"{better} minus {other}"

    def to_dict(self) -> dict[str, Any]:
        """The card as plain JSON values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        records = ("duel", "verdict", "a", "b", "data")
        return values | {
            **{name: getattr(self, name).to_dict() for name in records},
            "pairs": [pair.to_dict() for pair in self.pairs],
            "versions": dict(self.versions),
            "winner": self.winner.name if self.winner else None,
        }


@dataclass(frozen=True)
class DuelRuns:
    """The runs of a duel that count, for charts: by side, in the order of the pairs.

    Args:
        epochs: Of each run, without confusion counts.
    """

    runs: tuple[tuple[Run, ...], tuple[Run, ...]]
    epochs: tuple[tuple[Sequence[EpochEnd], ...], tuple[Sequence[EpochEnd], ...]]


def verdict_card(
    store: RunStore,
    duel_id: str,
    *,
    info: DatasetInfo | None = None,
    speeds: Sequence[Speed] = (),
) -> tuple[VerdictCard, DuelRuns]:
    """Make the verdict card of a duel in its present state, and return the runs behind it.

    Args:
        info: Of its dataset, for the number of training pictures; None where it is missing or has
            changed.
        speeds: Of A and of B, measured just now on this machine; empty for none.

    Raises:
        StoreError: There is no such duel.
    """
    study = studies.find(store, duel_id, "duel")
    return card_of(study, read_duel(study), info=info, speeds=speeds)


def card_of(
    study: Study,
    state: DuelState,
    *,
    info: DatasetInfo | None = None,
    speeds: Sequence[Speed] = (),
) -> tuple[VerdictCard, DuelRuns]:
    """Make the card of a duel that has been read (see `verdict_card`)."""
    counted = _counted(study, state)
    data = _data(study, state.duel, info)
    measured = tuple(speeds) or (None, None)
    a, b = (_side(state, counted, side, measured[side]) for side in (0, 1))
    pairs = _pair_scores(state, counted)
    runs = [run for side in counted.runs for run in side]
    machines = [run.machine for run in runs if run.machine]
    card = VerdictCard(
        state.id,
        state.state,
        state.duel,
        state.verdict,
        headline(state.verdict, a.name, b.name),
        state.sentence,
        pairs,
        *(a, b, data),
        certainty=_certainty(
            state.verdict,
            *(a, b),
            guessing_sentence(state.duel, [[each.a for each in pairs], [each.b for each in pairs]]),
        ),
        would_change=_would_change(state, a, b, data),
        recipes=recipes_sentence(state.duel),
        modes=tuple(sorted({run.mode for run in runs if run.mode})),
        machines=tuple(sorted({each.processor for each in machines})),
        versions={name: text for each in machines for name, text in each.versions.items()},
        created=study.created,
    )
    return card, counted


def headline(verdict: Verdict, name_a: str, name_b: str) -> str:
    """Write the verdict in a few words: ``B is better than A by 0.84 points``."""
    match verdict.outcome:
        case "a":
            return f"{name_a} is better than {name_b} by {format_points(-verdict.mean)} points"
        case "b":
            return f"{name_b} is better than {name_a} by {format_points(verdict.mean)} points"
        case "same":
            margin = format_points(verdict.within)
            return f"No difference larger than {margin} points between {name_a} and {name_b}"
    if not verdict.pairs:
        return f"{name_a} and {name_b}: no pair has finished yet"
    pairs = plural(verdict.pairs, "pair")
    after = f"all {pairs}" if verdict.outcome == "untold" else pairs
    return f"{name_a} and {name_b}: undecided after {after}"


def _counted(study: Study, state: DuelState) -> DuelRuns:
    """Return the runs of the pairs that count, which are complete."""
    places = [[f"{side}{pair}" for pair in range(state.verdict.pairs)] for side in "ab"]
    runs_a, runs_b = (tuple(study.runs[place] for place in side) for side in places)
    epochs_a, epochs_b = (tuple(study.epochs[place] for place in side) for side in places)
    return DuelRuns((runs_a, runs_b), (epochs_a, epochs_b))


def _pair_scores(state: DuelState, counted: DuelRuns) -> tuple[PairScore, ...]:
    """Return the accuracies of the pairs that count."""
    scores = []
    for run_a, run_b in zip(*counted.runs, strict=True):
        a, b = duel_score(run_a, state.duel.on), duel_score(run_b, state.duel.on)
        assert a is not None and b is not None  # such pairs do not count
        scores.append(PairScore(run_a.request.seed, a, b))
    return tuple(scores)


def _side(state: DuelState, counted: DuelRuns, side: int, speed: Speed | None) -> CardSide:
    """Return the facts of A (0) or of B (1)."""
    request, name = (
        (state.duel.a, state.duel.name_a) if side == 0 else (state.duel.b, state.duel.name_b)
    )
    runs, price = counted.runs[side], cost(plan(request.spec))
    collapsed = state.verdict.collapsed
    return CardSide(
        name,
        price.params,
        price.macs,
        speed,
        accuracy=_mean([duel_score(run, state.duel.on) for run in runs]),
        test_accuracy=_mean([run.summary.get("test_accuracy") for run in runs]),
        train_seconds=_mean([run.train_seconds for run in runs]),
        last_gain=_last_gain(counted.epochs[side]),
        collapsed=collapsed[side] if collapsed else 0,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of values that are all known; None otherwise, and for none."""
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _last_gain(runs: Sequence[Sequence[EpochEnd]]) -> float | None:
    """Return the mean growth of the validation accuracy in the last epoch of each run."""
    gains = [
        None
        if len(epochs) < 2 or (last := epochs[-1].val_accuracy) is None
        else last - (epochs[-2].val_accuracy or 0.0)
        for epochs in runs
    ]
    return _mean(gains)


def _data(study: Study, duel: Duel, info: DatasetInfo | None) -> CardData:
    """Return the pictures of the duel; those that were measured on are counted by its runs."""
    request = duel.a
    validation = (study.pictures.get("validation") or None) if request.validation else 0
    test = study.pictures.get("test")
    train = None
    if info is not None and validation is not None:
        available = info.train_count - validation
        limit = request.train_limit
        train = available if limit is None else min(limit, available)
    title = (info.title if info else "") or request.dataset.removeprefix("folder:")
    return CardData(request.dataset, title, duel.on, train, validation, test)


def _certainty(verdict: Verdict, a: CardSide, b: CardSide, guessing: str) -> tuple[str, ...]:
    """Write what the duel promises about its verdict, and what the seeds cannot exclude.

    Args:
        guessing: Sentence on designs that learned nothing; "" where both have learned.
    """
    error = percent(BETTER.error, 0)
    match verdict.outcome:
        case "a" | "b":
            promise = (
                f"If the two designs were equally good, a duel would call one of them better in at "
                f"most {error} of all cases."
            )
        case "same":
            promise = (
                f"If they differed by {format_points(verdict.within)} points or more, a duel would "
                f"call them equal in at most {error} of all cases."
            )
        case _:
            promise = (
                "So far the pairs exclude neither that one design is better nor that both are "
                "equally good."
            )
    if not verdict.pairs:
        return (promise,)
    if guessing:
        return promise, guessing
    return promise, _collapse_sentence(verdict.pairs, a, b)


def _collapse_sentence(pairs: int, a: CardSide, b: CardSide) -> str:
    """Write how many seeds collapsed, and how large a share of all seeds may."""
    seeds = plural(pairs, "seed")
    if not a.collapsed and not b.collapsed:
        share = percent(most_unseen(0, pairs), 0)
        return (
            f"No seed collapsed; with {seeds}, a collapse in up to {share} of all seeds of a "
            "design can go unseen."
        )
    shares = [
        f"{side.collapsed} of {seeds} of {side.name} (at most "
        f"{percent(most_unseen(side.collapsed, pairs), 0)} of all its seeds)"
        for side in (a, b)
    ]
    return f"Collapsed: {' and '.join(shares)}."


def _would_change(state: DuelState, a: CardSide, b: CardSide, data: CardData) -> tuple[str, ...]:
    """Write what would change the verdict: pairs, threshold, training, recipe, data."""
    if not state.verdict.pairs:
        return ()
    verdict, recipes = state.verdict, (state.duel.a.recipe, state.duel.b.recipe)
    sentences = [_more_pairs(state), _other_threshold(verdict)]
    epochs = sorted({recipe.epochs for recipe in recipes})
    up_to = "up to " if any(recipe.patience is not None for recipe in recipes) else ""
    trained = up_to + " and ".join(str(each) for each in epochs)
    gains = [
        f"that of {side.name} by {format_points(side.last_gain)} points"
        for side in (a, b)
        if side.last_gain is not None
    ]
    changed = f" In the last epoch the validation accuracy still changed: {', '.join(gains)}."
    sentences.append(
        f"Longer training: the designs were trained for {trained} "
        f"epoch{'s' if epochs != [1] else ''}, and the one that learns more slowly may overtake "
        f"the other.{changed if gains else ''}"
    )
    shared = "the shared recipe" if recipes[0] == recipes[1] else "each of the two recipes"
    sentences.append(
        f"Another recipe: {shared} may suit one design better. A recipe that is tuned for the "
        "other may change the order."
    )
    pictures = "" if data.train is None else f" with {plural(data.train, 'training picture')}"
    sentences.append(
        f"Other data: the verdict holds for {data.title}{pictures}, and not for other pictures or "
        "another number of them."
    )
    return tuple(sentence for sentence in sentences if sentence)


def _more_pairs(state: DuelState) -> str:
    """Write what more pairs would do."""
    verdict = state.verdict
    if verdict.outcome in ("a", "b", "same"):
        return (
            "More pairs: they would narrow the interval of the difference. They are trained in a "
            "new duel with other seeds, which may end undecided."
        )
    if verdict.more_pairs:
        return (
            f"More pairs: about {verdict.more_pairs} more would decide, if mean and spread stay as "
            "they are."
        )
    return "More pairs: they may decide; the number cannot be estimated from the pairs so far."


def _other_threshold(verdict: Verdict) -> str:
    """Write what another equivalence margin would do; "" without an interval."""
    if verdict.low is None or verdict.high is None:
        return ""
    within, reach = format_points(verdict.within), max(abs(verdict.low), abs(verdict.high))
    start = f"Another threshold: differences below {within} points count as equal"
    match verdict.outcome:
        case "a" | "b":
            return (
                f"{start}. If only differences above {format_points(reach)} points matter to you, "
                "this difference does not."
            )
        case "same":
            return f"{start}. For a smaller threshold than that, these pairs do not suffice."
    return f"{start}. For a larger threshold, fixed before a new duel, fewer pairs suffice."
