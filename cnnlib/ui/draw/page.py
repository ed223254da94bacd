"""The Draw page: a drawing pad, and beside it the answers of networks, which can be taught."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from cnnlib.figures.answer import robustness_figure
from cnnlib.probe.drawing import prepare_drawing
from cnnlib.probe.ink import (
    drawing_differences,
    ink_statistics_of,
    preparation_for,
)
from cnnlib.ui.common.components import data_uri
from cnnlib.ui.common.drawing_pad import (
    DrawnPicture,
    choose_source,
    drawing_pad,
    preparation_form,
)
from cnnlib.ui.common.format import distinct, escape_markdown, size
from cnnlib.ui.common.messages import fragment, viewer_awaited
from cnnlib.ui.common.pickers.picture_picker import show_differences, store_drawing
from cnnlib.ui.common.shared import prepared
from cnnlib.ui.common.urls import INSPECT
from cnnlib.ui.common.viewer import ask
from cnnlib.ui.draw.answers import AnswerCard, answers_html
from cnnlib.ui.draw.fine_tune import fine_tune_section, teaching_roles
from cnnlib.ui.draw.networks import (
    Classifier,
    choose_classifiers,
    show_training_button,
    trained_runs,
)
from cnnlib.ui.draw.ood import ood_section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.records.drawing import (
        Answer,
        InkDifference,
        InkStatistics,
        Preparation,
        PreparedDrawing,
        Robustness,
    )
    from cnnlib.records.run import Run


def show() -> None:
    """Show the page."""
    runs = trained_runs()
    if not runs:
        st.title("Draw")
        show_training_button()
        st.stop()
    fragment(drawing_section)(runs)


_EMPTY = np.zeros((2, 2), np.uint8)
_CONFIG = {"displayModeBar": False}
_STEP_PIXELS = 96


def drawing_section(runs: Sequence[Run]) -> None:
    """Show the pad, beside it the answers of the chosen networks and how to correct them."""
    with st.container(horizontal=True, vertical_alignment="center", key="draw_title"):
        st.title("Draw")
        source = choose_source()
    with st.container(key="draw_sides"):
        left, right = st.columns([4, 5], gap="medium")
    with right:
        answers = st.container()
        classifiers = choose_classifiers(runs)
        teaching = st.container()
    with left:
        drawn = drawing_pad(source, any(each.info.in_size[0] == 3 for each in classifiers))
    if not classifiers:
        return
    with st.expander("How a drawing is prepared", icon=":material/tune:", key="draw_steps"):
        preparation = _preparation()
        pictures = [_prepare(drawn, classifier, preparation) for classifier in classifiers]
        show_preparation(classifiers, pictures)
    with answers:
        read = _show_answers(classifiers, pictures)
    with teaching:
        fine_tune_section(classifiers, pictures)
    if read:
        _show_reliability(classifiers, pictures, read)


def _preparation() -> Preparation:
    st.caption(
        "A drawing is prepared in the same way as the pictures of MNIST (LeCun et al. 1998). "
        "Switch a step off to see its effect. For networks with colour input, the drawing is only "
        "resized."
    )
    return preparation_form()


def _prepare(
    drawn: DrawnPicture, classifier: Classifier, preparation: Preparation
) -> PreparedDrawing:
    pixels = drawn.pixels if classifier.info.in_size[0] == 3 else drawn.ink
    return prepare_drawing(
        _EMPTY if pixels is None else pixels,
        classifier.info.in_size,
        preparation_for(_statistics(classifier), preparation),
    )


def _statistics(classifier: Classifier) -> InkStatistics | None:
    """Return what the training pictures of a network have in common, if they are ink."""
    return ink_statistics_of(prepared(classifier.info.name, classifier.info.fingerprint))


_PREPARE = "Switch Fit and Centre on, under How a drawing is prepared."


def _show_all_differences(
    classifiers: Sequence[Classifier], pictures: Sequence[PreparedDrawing]
) -> None:
    """Show how the drawing differs from the training pictures, once for each answer."""
    titles: dict[tuple[tuple[InkDifference, ...], str], list[str]] = {}
    for classifier, picture in zip(classifiers, pictures, strict=True):
        found = drawing_differences(_statistics(classifier), picture)
        offer = _PREPARE if classifier.info.in_size[0] == 1 else ""
        titles.setdefault((found, offer), []).append(classifier.run.title)
    for (found, offer), names in titles.items():
        show_differences(found, offer, "" if len(titles) == 1 else ", ".join(names))


def show_preparation(
    classifiers: Sequence[Classifier], pictures: Sequence[PreparedDrawing]
) -> None:
    """Show the picture after each step, once for each input size and list of steps."""
    forms: dict[tuple[Any, ...], PreparedDrawing] = {}
    for classifier, picture in zip(classifiers, pictures, strict=True):
        names = tuple(step.name for step in picture.steps)
        forms.setdefault((classifier.info.in_size, names), picture)
    for (in_size, _), picture in forms.items():
        if len(forms) > 1:
            st.caption(size(in_size))
        st.html(steps_html(picture))


def steps_html(drawing: PreparedDrawing) -> str:
    """Build a row of pictures, each with its step below; the last one is the network's input."""
    figures = "".join(
        '<figure style="margin:0;text-align:center">'
        f'<img src="{data_uri(step.picture)}" alt="{step.name}" data-step="{number}" '
        f'width="{_STEP_PIXELS}" height="{_STEP_PIXELS}" style="image-rendering:pixelated;'
        'border-radius:4px;border:1px solid rgba(125,136,148,0.5)">'
        '<figcaption style="font-size:0.75rem;opacity:0.8">'
        f"{step.name}</figcaption></figure>"
        for number, step in enumerate(drawing.steps)
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:0.75rem">{figures}</div>'


def _show_answers(
    classifiers: Sequence[Classifier], pictures: Sequence[PreparedDrawing]
) -> list[Answer]:
    """Show the answers as columns; return them, none while nothing is drawn or read."""
    drawn = [each.picture for each in pictures]
    titles = distinct({each.run.id: each.run.title for each in classifiers})
    roles = teaching_roles([each.run for each in classifiers])
    answers: list[Answer] = []
    notes = st.container()  # so that the cards keep their place, and no old ones stay beside them
    with notes:
        _show_all_differences(classifiers, pictures)
    if not pictures[0].is_empty:
        with notes, viewer_awaited():
            answers = _ask_each("answer", classifiers, [each.run for each in classifiers], drawn)
    cards = [
        AnswerCard(
            *(titles[each.run.id], roles.get(each.run.id, ""), picture, each.info.classes, answer)
        )
        for each, picture, answer in zip_longest(classifiers, drawn, answers)
    ]
    st.html(answers_html(cards))
    if classifiers:
        with st.container(horizontal=True):
            for classifier, picture in zip(classifiers, pictures, strict=True):
                run_id = classifier.run.id
                name = "" if len(classifiers) == 1 else roles.get(run_id, titles[run_id])
                inspect_button(classifier, picture, name, disabled=not answers)
    return answers


def _show_reliability(
    classifiers: Sequence[Classifier],
    pictures: Sequence[PreparedDrawing],
    answers: Sequence[Answer],
) -> None:
    st.header(
        "Reliability",
        help="Two checks: is the drawing similar to the training pictures, and does the answer "
        "stay the same when the drawing is shifted, rotated or made thicker or thinner?",
    )
    with viewer_awaited():
        ood_section(classifiers, pictures)
        drawn = [each.picture for each in pictures]
        _show_robustness(_ask_each("robustness", classifiers, answers, drawn))


def _ask_each(
    function: str, classifiers: Sequence[Classifier], *columns: Sequence[Any]
) -> list[Any]:
    """Call a function of the viewer for each network, with its element of each column."""
    return [
        ask(function, classifier.saved_step.source, classifier.info, *arguments)
        for classifier, *arguments in zip(classifiers, *columns, strict=True)
    ]


def _show_robustness(results: Sequence[Robustness]) -> None:
    """Show how stable the answers are under small changes: a sentence each, and curves."""
    for result in results:
        st.caption(escape_markdown(describe_robustness(result)))
    st.plotly_chart(robustness_figure(results), key="draw_changes", config=_CONFIG)


def describe_robustness(result: Robustness) -> str:
    """Describe how many small changes leave the prediction as it is, and the other predictions."""
    answer: Answer = result.answer
    others = sorted({change.name for change in result.real_changes} - {answer.name})
    instead = f" Other predictions: {', '.join(others)}." if others else ""
    return (
        f"{answer.title}: the prediction is still {answer.name} after {result.kept} of "
        f"{len(result.real_changes)} small changes (shifts, rotations, thickness).{instead}"
    )


def inspect_button(
    classifier: Classifier, drawing: PreparedDrawing, name: str = "", *, disabled: bool = False
) -> None:
    """Show a button that opens the inspection page with this network and this drawing.

    Args:
        name: Of the network, where there are several buttons.
        disabled: Whether there is no drawing yet; the button then keeps its place.
    """
    if st.button(
        f"Look inside: {escape_markdown(name)}" if name else "Why? Look inside",
        icon=":material/search:",
        key=f"draw_why_{classifier.run.id}",
        disabled=disabled,
        help="Opens Look inside with this drawing: feature maps, and the pixels that the "
        "prediction depends on.",
    ):
        store_drawing(drawing)
        st.switch_page(INSPECT, query_params={"run": classifier.run.id})
