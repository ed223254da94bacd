"""A duel as one HTML page: the verdict card, and all that it rests on."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from cnnlib.compare.differences import design_settings
from cnnlib.compare.differing_pictures import DifferingPictures, differing_pictures
from cnnlib.compare.rows import Row
from cnnlib.data.drawings import png
from cnnlib.data.prepared import load_prepared
from cnnlib.errors import DataError
from cnnlib.experiments.duel import forecast_sentence, read_duel, recipe_differences
from cnnlib.experiments.group_sequential import BETTER
from cnnlib.experiments.verdict_card import card_of
from cnnlib.records.setting_labels import setting_label
from cnnlib.report.document import (
    write_document,
    write_list,
    write_paragraph,
    write_section,
    write_table,
)
from cnnlib.report.sections import (
    format_date,
    write_curves,
    write_designs,
    write_provenance,
    write_recipes,
)
from cnnlib.report.svg import class_chart, duel_chart, interval_line
from cnnlib.runs import studies
from cnnlib.units import UNKNOWN, format_points, format_time, percent, plural

if TYPE_CHECKING:
    from cnnlib.data.prepared import Prepared
    from cnnlib.experiments.verdict_card import CardSide, DuelRuns, VerdictCard
    from cnnlib.records.compare import Speed
    from cnnlib.records.run import Run
    from cnnlib.runs.store import RunStore

MOST_CLASSES = 20
MOST_PICTURES = 20
_PICTURE_PIXELS = 96  # larger pictures are reduced to this
_PNG_BYTES = 5_000  # larger files are written as JPEG


@dataclass(frozen=True)
class ClassDifference:
    """The test accuracies in one class, means over the pairs, and the spread of B minus A."""

    name: str
    a: float
    b: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """B minus A."""
        return self.b - self.a


@dataclass(frozen=True)
class DuelReport:
    """What the page shows besides the card.

    Args:
        classes: Those with the largest differences, in the order of their labels.
        pictures: Of the test split; ``images`` are their files as data URIs, empty where the
            dataset is missing or has changed.
    """

    runs: DuelRuns
    classes: tuple[ClassDifference, ...]
    class_names: tuple[str, ...]
    pictures: DifferingPictures
    images: tuple[str, ...] = ()

    def class_name(self, label: int) -> str:
        """The name of a class; its number where it has none."""
        return self.class_names[label] if label < len(self.class_names) else str(label)


def duel_card(
    store: RunStore, duel_id: str, speeds: Sequence[Speed] = ()
) -> tuple[VerdictCard, DuelReport]:
    """Make the verdict card of a duel, and collect what its page shows.

    Args:
        speeds: Of A and of B, measured just now on this machine; empty for none.

    Raises:
        StoreError: There is no such duel.
    """
    study = studies.find(store, duel_id, "duel")
    state = read_duel(study)
    data = _dataset(store, state.runs, state.duel.a.dataset)
    card, runs = card_of(study, state, info=data.info if data else None, speeds=speeds)
    pairs = list(zip(*runs.runs, strict=True))
    pictures = differing_pictures(store, pairs, MOST_PICTURES)
    names = data.info.classes if data else ()
    names = names or tuple(str(number) for number in range(card.duel.a.spec.out_classes))
    classes = class_differences(store, pairs, names)
    images: tuple[str, ...] = ()
    if data is not None and len(data.test_images) == pictures.count:
        images = tuple(
            small_picture_uri(data.test_images[each.index]) for each in pictures.pictures
        )
    return card, DuelReport(runs, classes, names, pictures, images)


def duel_page(store: RunStore, duel_id: str, speeds: Sequence[Speed] = ()) -> str:
    """Write the page of a duel as HTML; see `duel_card`.

    Raises:
        StoreError: There is no such duel.
    """
    return write_duel_page(*duel_card(store, duel_id, speeds))


def write_duel_page(card: VerdictCard, report: DuelReport, made: float | None = None) -> str:
    """Write the page from its records.

    Args:
        made: Seconds since 1970; None is now.
    """
    made = time.time() if made is None else made
    runs = [run for side in report.runs.runs for run in side]
    parts = (
        write_card(card, f"Verdict of a duel, {format_date(made)}"),
        write_section("Price and results", _write_prices(card)),
        write_section("How sure it is", _write_certainty(card)),
        write_section("What would change it", write_list(card.would_change)),
        write_section(
            "The two designs",
            write_designs([(card.a.name, card.duel.a.spec), (card.b.name, card.duel.b.spec)]),
        ),
        write_section("How they learned", _write_curves(card, report)),
        write_section("Differences by class", write_classes(card, report.classes)),
        write_section("Pictures on which they differ", _write_pictures(card, report)),
        '<div class="grid">',
        write_section(
            "Recipe",
            write_paragraph(card.recipes),
            write_recipes({card.a.name: card.duel.a.recipe, card.b.name: card.duel.b.recipe}),
        ),
        write_section("How it was made", write_provenance(runs, made, started=card.created)),
        "</div>",
    )
    return write_document(card.headline, "".join(parts))


def write_card(card: VerdictCard, label: str, *, level: int = 1) -> str:
    """Write the card itself: the verdict, its interval, price, data, and how sure it is.

    Args:
        label: A line above the verdict; plain text.
        level: Of its heading.
    """
    kind = {"a": " c0", "b": " c1"}.get(card.verdict.outcome, "")
    interval = ""
    if card.interval is not None:
        low, high = map(format_points, card.interval)
        interval = f"{percent(card.verdict.level, 0)} interval {low} to {high} points"
    facts = [
        ("Difference", f"{format_points(card.difference)} points", f"{card.direction}. {interval}"),
        ("Price", *_price_words(card)),
        ("Data", card.data.title, describe_data(card)),
        ("What differs", *_difference_words(card)),
        _certainty_fact(card),
    ]
    if not card.verdict.pairs:
        facts = facts[1:]
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd><strong>{escape(value)}</strong>{escape(text)}</dd></div>"
        for name, value, text in facts
    )
    line = (
        interval_line(card.difference, card.interval, card.verdict.within, card.direction)
        if card.verdict.pairs
        else ""
    )
    state = _STATES.get(card.state, "")
    return (
        f'<header class="hero{kind}"><div class="label">{escape(label)}</div>'
        f"<h{level}>{escape(card.headline)}</h{level}>"
        f"{write_paragraph(card.sentence + state)}{line}"
        f'<dl class="facts">{items}</dl></header>'
    )


_STATES = {
    "live": " The duel is not over: this is its present state.",
    "stopped": " The duel was ended before a verdict.",
    "incomplete": " The duel was interrupted before a verdict.",
}


_MOST_DIFFERENCES = 5  # settings named on the card


def _difference_words(card: VerdictCard) -> tuple[str, str]:
    """Write in which settings the designs and their recipes differ, from A to B."""
    duel = card.duel
    designs, recipes = design_settings(duel.a.spec, duel.b.spec), recipe_differences(duel)
    both = [*designs.items(), *recipes.items()]
    named = [
        f"{setting_label(name).lower()} {a} → {b}" for name, (a, b) in both[:_MOST_DIFFERENCES]
    ]
    more = len(both) - len(named)
    if more:
        named.append(f"and {plural(more, 'other setting')}")
    text = f"{card.a.name} → {card.b.name}: {'; '.join(named)}." if named else ""
    return (
        plural(len(both), "setting"),
        f"{text} {'Two recipes.' if recipes else 'Both have the same recipe.'}".strip(),
    )


def _certainty_fact(card: VerdictCard) -> tuple[str, str, str]:
    """Write how often such a verdict is wrong; before a verdict, how many pairs there are."""
    pairs = plural(card.verdict.pairs, "pair")
    if card.verdict.outcome not in ("a", "b", "same"):
        return "Pairs of runs", pairs, card.certainty[0]
    error = f"at most {percent(BETTER.error, 0)}"
    return "Error rate", error, f"{card.certainty[0]} {pairs} of runs count."


def _price_words(card: VerdictCard) -> tuple[str, str]:
    """Write the price of the better design, or of B, in relation to the other."""
    one, other = (card.a, card.b) if card.verdict.outcome == "a" else (card.b, card.a)
    parts = [f"{_ratio(one.params, other.params)} the parameters"]
    if one.speed and other.speed:
        times = one.speed.batch_seconds, other.speed.batch_seconds
        parts.append(f"{_ratio(*times, 2)} the time for a picture")
    words = f"and {' and '.join(parts)}: {one.name} in relation to {other.name}"
    return f"{_ratio(one.macs, other.macs)} the MACs", words


def _ratio(one: float, other: float, digits: int = 3) -> str:
    """Write ``6.3 ×``; measured times have two digits."""
    return f"{one / other:.{digits}g} ×" if other else UNKNOWN


def describe_data(card: VerdictCard) -> str:
    """Write the number of pictures in each split, and which is compared."""
    data = card.data
    counts = {"training": data.train, "validation": data.validation, "test": data.test}
    known = [plural(count, f"{name} picture") for name, count in counts.items() if count]
    start = f"{', '.join(known)}. " if known else ""
    return f"{start}Compared on the {data.on} split."


def _write_prices(card: VerdictCard) -> str:
    """Write what each design costs and reaches, with the ratio of the costs."""
    table = write_table(
        ["", f"A: {card.a.name}", f"B: {card.b.name}", "B / A"],
        price_rows(card),
        numbers=[False, True, True, True],
        first_is_heading=True,
    )
    return table + write_paragraph(f"{_MACS} {describe_speed(card)}", "note")


def price_rows(card: VerdictCard) -> list[list[str]]:
    """Write the rows of the table of prices and results: a name, A, B, and B over A."""
    a, b, on = card.a, card.b, card.data.on
    is_trained = a.train_seconds and b.train_seconds
    rows = [
        ["Parameters", f"{a.params:,}", f"{b.params:,}", _ratio(b.params, a.params)],
        ["MACs for one picture", f"{a.macs:,}", f"{b.macs:,}", _ratio(b.macs, a.macs)],
        *_speed_rows(a, b),
        [
            "Training time of one run",
            *(_time(side.train_seconds) for side in (a, b)),
            _ratio(b.train_seconds or 0.0, a.train_seconds or 0.0) if is_trained else "",
        ],
        [f"Mean accuracy, {on} split (compared)", percent(a.accuracy), percent(b.accuracy), ""],
    ]
    if on != "test":
        rows.append(
            ["Mean accuracy, test split", percent(a.test_accuracy), percent(b.test_accuracy), ""]
        )
    if card.verdict.pairs:
        rows.append(["Collapsed seeds", str(a.collapsed), str(b.collapsed), ""])
    return rows


def _speed_rows(a: CardSide, b: CardSide) -> list[list[str]]:
    """Write the rows of the measured times for a picture."""
    if a.speed is None or b.speed is None:
        return [["Time for one picture", "not measured", "not measured", ""]]
    alone, other_alone = a.speed.alone_seconds, b.speed.alone_seconds
    batch, other_batch = a.speed.batch_seconds, b.speed.batch_seconds
    return [
        [
            f"Time for one picture, in a batch of {a.speed.batch_size}",
            *(_milliseconds(batch), _milliseconds(other_batch)),
            _ratio(other_batch, batch, 2),
        ],
        [
            "Time for one picture, alone",
            *(_milliseconds(alone), _milliseconds(other_alone)),
            _ratio(other_alone, alone, 2),
        ],
    ]


_MACS = "MACs: multiply-accumulate operations."


def describe_speed(card: VerdictCard) -> str:
    """Write on what the times for a picture were measured."""
    speed = card.a.speed
    if speed is None:
        return "The time for a picture was not measured when this card was made."
    threads = plural(speed.threads, "thread")
    return (
        f"The times for a picture were measured when this card was made, with {threads} of "
        f"{speed.processor}, in float32. Other programs on the machine make them longer."
    )


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"


def _time(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else format_time(seconds)


def _write_certainty(card: VerdictCard) -> str:
    """Write the promise, the chart of the pairs, and their table."""
    differences = [pair.b - pair.a for pair in card.pairs]
    chart = duel_chart(card.verdict, differences, f"{card.b.name} minus {card.a.name}")
    words = "".join(map(write_paragraph, card.certainty))
    words += write_paragraph(forecast_sentence(card.verdict))
    if not card.pairs:
        return words
    table = write_table(
        ["Pair", "Seed", f"A: {card.a.name}", f"B: {card.b.name}", "B minus A"],
        [
            [
                *(str(number), str(pair.seed), percent(pair.a), percent(pair.b)),
                format_points(pair.b - pair.a),
            ]
            for number, pair in enumerate(card.pairs, 1)
        ],
        numbers=[True] * 5,
        caption=f"Accuracy on the {card.data.on} split",
    )
    return f'{words}<div class="grid">{chart}<div>{table}</div></div>'


def _write_curves(card: VerdictCard, report: DuelReport) -> str:
    """Draw the curves of the runs that count, with their spread over the seeds."""
    rows = [
        Row(side.name, runs, epochs=tuple(map(tuple, epochs)), given_name=side.name)
        for side, runs, epochs in zip(
            (card.a, card.b), report.runs.runs, report.runs.epochs, strict=True
        )
        if runs
    ]
    return write_curves(rows)


def write_classes(card: VerdictCard, classes: Sequence[ClassDifference]) -> str:
    """Draw the difference in each class; "" without a result."""
    if not classes:
        return ""
    left_out = card.duel.a.spec.out_classes - len(classes)
    largest = max(classes, key=lambda each: abs(each.difference))
    better = card.b.name if largest.difference > 0 else card.a.name
    words = write_paragraph(
        f"The largest difference is in the class {largest.name}, where {better} is better by "
        f"{format_points(abs(largest.difference))} points of test accuracy."
    )
    note = "Bar: mean over the pairs. Line: from the lowest to the highest pair."
    if left_out > 0:
        note += f" The {plural(left_out, 'class')} with smaller differences are left out."
    chart = class_chart(
        [(each.name, each.difference, each.low, each.high) for each in classes],
        (card.a.name, card.b.name),
        "Test accuracy by class",
    )
    table = write_table(
        ["Class", f"A: {card.a.name}", f"B: {card.b.name}", "B minus A"],
        [
            [each.name, percent(each.a), percent(each.b), format_points(each.difference)]
            for each in classes
        ],
        numbers=[False, True, True, True],
        caption="Mean test accuracy",
        first_is_heading=True,
    )
    note = write_paragraph(note, "note")
    return f'{words}{note}<div class="grid">{chart}<div>{table}</div></div>'


def _write_pictures(card: VerdictCard, report: DuelReport) -> str:
    """Show pictures for which the designs give different answers, with those and the class."""
    found = report.pictures
    if not found.count:
        return write_paragraph("No predictions of the runs are on disk.") if card.pairs else ""
    a, b = card.a.name, card.b.name
    words = write_paragraph(
        f"Of {plural(found.count, 'test picture')}, {found.only_a:,} are classified correctly by "
        f"{a} only, and {found.only_b:,} by {b} only. The answer of a design is the most frequent "
        f"one of its {plural(found.pairs, 'seed')}; the number of seeds that gave it stands beside "
        "it. A mark ✓ is a correct answer."
    )
    if not report.images:
        note = "The pictures are not shown: the dataset is not on this machine, or has changed."
        return words + write_paragraph(note, "note")
    tiles = "".join(
        f'<li><img src="{image}" alt="Test picture {each.index}, class '
        f'{escape(report.class_name(each.label))}">'
        f"<div>Class: <b>{escape(report.class_name(each.label))}</b></div>"
        + "".join(
            f"<div>{escape(side)}: {_write_answer(each.label, answer, report)} "
            f"<small>{votes} of {found.pairs}</small></div>"
            for side, answer, votes in zip((a, b), each.answers, each.votes, strict=True)
        )
        + "</li>"
        for each, image in zip(found.pictures, report.images, strict=True)
    )
    return f'{words}<ul class="tiles">{tiles}</ul>'


def _write_answer(label: int, answer: int, report: DuelReport) -> str:
    """Write an answer, and mark it where it is right."""
    name = escape(report.class_name(answer))
    return f'<span class="right">{name} ✓</span>' if answer == label else name


def class_differences(
    store: RunStore, pairs: Sequence[tuple[Run, Run]], names: Sequence[str]
) -> tuple[ClassDifference, ...]:
    """Return the classes with the largest differences, in the order of their labels."""
    results = [[store.result(run.id) for run in pair] for pair in pairs]
    known = [(a, b) for a, b in results if a is not None and b is not None]
    found = []
    for label, name in enumerate(names):
        scores = [
            (a.class_accuracy[label], b.class_accuracy[label])
            for a, b in known
            if label < min(len(a.class_accuracy), len(b.class_accuracy))
        ]
        both = [(a, b) for a, b in scores if a is not None and b is not None]
        if both:
            differences = [b - a for a, b in both]
            mean_a, mean_b = (fmean(values) for values in zip(*both, strict=True))
            low, high = min(differences), max(differences)
            found.append(ClassDifference(name, mean_a, mean_b, low, high))
    largest = sorted(found, key=lambda each: -abs(each.difference))[:MOST_CLASSES]
    return tuple(each for each in found if each in largest)


def _dataset(store: RunStore, runs: Sequence[Run], name: str) -> Prepared | None:
    """Open the dataset of the runs; None where it is missing or has changed."""
    try:
        data = load_prepared(name, store.folders)
    except DataError:
        return None
    fingerprints = {run.fingerprint for run in runs if run.fingerprint}
    return data if fingerprints <= {data.info.fingerprint} else None


def small_picture_uri(image: np.ndarray) -> str:
    """Encode a picture (C x H x W, uint8) as a data URI of a few kB: PNG, or JPEG where smaller."""
    content, kind = png(image), "png"
    if len(content) > _PNG_BYTES:
        pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        picture.thumbnail((_PICTURE_PIXELS, _PICTURE_PIXELS))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=85)
        content, kind = out.getvalue(), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
