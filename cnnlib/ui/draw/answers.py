"""The answers of networks to a drawing: a card each, with the class in large type."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from cnnlib.ui.common.components import data_uri
from cnnlib.units import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from cnnlib.records.drawing import Answer

MOST_CLASSES = 10  # with a bar; of more classes, the likeliest
_LARGE_NAME = 2  # characters of a name that is written in the largest type


@dataclass(frozen=True, eq=False)
class AnswerCard:
    """What a card shows.

    Args:
        title: Of the network.
        role: "before teaching" or "after teaching" where both networks are shown; else "".
        picture: The input of the network: C x H x W, uint8.
        classes: All that the network knows.
        answer: None while nothing is drawn, or before it is computed. The card then has the size
            that it has with an answer.
    """

    title: str
    role: str
    picture: np.ndarray
    classes: Sequence[str]
    answer: Answer | None


def answers_html(cards: Sequence[AnswerCard]) -> str:
    """Build a column for each network. All show the same classes where they know the same."""
    return f'<div class="answers">{"".join(_card_html(card, cards) for card in cards)}</div>'


def _card_html(card: AnswerCard, cards: Sequence[AnswerCard]) -> str:
    role = f'<span class="role">{card.role}</span>' if card.role else ""
    return (
        f'<section class="answer"><h2>{escape(card.title)}{role}</h2>'
        f'<div class="sides"><div><p class="says" role="status">{_says_html(card.answer)}</p>'
        f'<figure><img src="{data_uri(card.picture)}" alt="The drawing as this network sees it">'
        "<figcaption>Input of the network</figcaption></figure></div>"
        f"{_bars_html(card, cards)}</div></section>"
    )


def _says_html(answer: Answer | None) -> str:
    if answer is None:
        return "<strong>?</strong> <span>Draw something.</span>"
    size = "" if len(answer.name) <= _LARGE_NAME else ' class="word"'
    probability = f"{percent(answer.probability)} probability"
    return f"<strong{size}>{escape(answer.name)}</strong> <span>{probability}</span>"


def _bars_html(card: AnswerCard, cards: Sequence[AnswerCard]) -> str:
    """Build the bars of the classes, in the order of the labels."""
    answer = card.answer
    if answer is None:
        rows = "".join(_bar_html(name, 0.0, "–") for name in card.classes[:MOST_CLASSES])
        return f'<ul aria-hidden="true">{rows}</ul>'
    same = [each.answer for each in cards if each.answer and each.answer.classes == answer.classes]
    rows = "".join(
        _bar_html(
            answer.classes[label],
            answer.probabilities[label],
            percent(answer.probabilities[label], 1),
            is_best=label == answer.label,
        )
        for label in likeliest_labels(same)
    )
    return f'<ul aria-label="Probability of each class">{rows}</ul>'


def _bar_html(name: str, share: float, text: str, *, is_best: bool = False) -> str:
    return (
        f"<li{' data-best' if is_best else ''}><span>{escape(name)}</span>"
        f'<i><i style="width:{100 * share:.1f}%"></i></i><b>{text}</b></li>'
    )


def likeliest_labels(answers: Sequence[Answer]) -> list[int]:
    """Return the labels of the likeliest classes of any answer, in ascending order.

    Args:
        answers: Of networks with the same classes.
    """
    labels = range(len(answers[0].classes))
    best = sorted(labels, key=lambda label: -max(a.probabilities[label] for a in answers))
    return sorted(best[:MOST_CLASSES])
