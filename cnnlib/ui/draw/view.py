"""What networks see of a drawing, what they say, and how sure they are of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cnnlib.figures.answer import answer_figure, robustness_figure
from cnnlib.probe.drawing import prepare_drawing
from cnnlib.ui.common.drawing_pad import Drawn, drawing_pad, preparation_form
from cnnlib.ui.common.format import escape_markdown, size
from cnnlib.ui.common.network_cache import import_torch, network_at, wait_for_torch
from cnnlib.ui.common.pickers.picture_picker import hand_over_drawing
from cnnlib.ui.common.thumbnails import data_uri
from cnnlib.ui.common.urls import INSPECT
from cnnlib.ui.draw.fine_tune import teaching
from cnnlib.ui.draw.networks import Reader, choose_readers
from cnnlib.ui.draw.ood import doubts
from cnnlib.units import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.records.drawing import Answer, Preparation, PreparedDrawing, Robustness
    from cnnlib.records.run import Run

_EMPTY = np.zeros((2, 2), np.uint8)
_CONFIG = {"displayModeBar": False}
_STEP_PIXELS = 96


def drawing_desk(runs: Sequence[Run]) -> None:
    """The whole page but its title: the pad on the left, what networks make of it on the right."""
    import_torch()
    left, right = st.columns([2, 3], gap="large")
    with right:
        readers = choose_readers(runs)
        said = st.container()
    with left:
        drawn = drawing_pad(any(reader.info.in_size[0] == 3 for reader in readers))
    with said:
        preparation = _preparation()
        pictures = [_prepared(drawn, reader, preparation) for reader in readers]
        if readers:
            seen(readers, pictures)
            _answers(readers, pictures)
    if readers:
        with left:
            teaching(readers[0], pictures[0])


def _preparation() -> Preparation:
    with st.expander("Steps of the preparation", icon=":material/tune:", key="draw_steps"):
        st.caption(
            "MNIST's own (LeCun et al. 1998). Switch a step off to see what it is worth. "
            "Pictures for networks that see colours are resized only."
        )
        return preparation_form()


def _prepared(drawn: Drawn, reader: Reader, preparation: Preparation) -> PreparedDrawing:
    pixels = drawn.pixels if reader.info.in_size[0] == 3 else drawn.ink
    return prepare_drawing(_EMPTY if pixels is None else pixels, reader.info.in_size, preparation)


def seen(readers: Sequence[Reader], pictures: Sequence[PreparedDrawing]) -> None:
    """The picture after each step; once for each size of input."""
    sizes: dict[tuple[int, int, int], PreparedDrawing] = {}
    for reader, prepared in zip(readers, pictures, strict=True):
        sizes.setdefault(reader.info.in_size, prepared)
    st.header("What the network sees")
    for in_size, prepared in sizes.items():
        if len(sizes) > 1:
            st.caption(size(in_size))
        st.html(steps_html(prepared))


def steps_html(prepared: PreparedDrawing) -> str:
    """The pictures in a row, each with its step below; the last one is what a network is fed."""
    figures = "".join(
        '<figure style="margin:0;text-align:center">'
        f'<img src="{data_uri(step.picture)}" alt="{step.name}" data-step="{number}" '
        f'width="{_STEP_PIXELS}" height="{_STEP_PIXELS}" style="image-rendering:pixelated;'
        'border-radius:4px;border:1px solid rgba(125,136,148,0.5)">'
        '<figcaption style="font-size:0.75rem;opacity:0.8">'
        f"{step.name}</figcaption></figure>"
        for number, step in enumerate(prepared.steps)
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:0.75rem">{figures}</div>'


def _answers(readers: Sequence[Reader], pictures: Sequence[PreparedDrawing]) -> None:
    """What the networks say about what is drawn, or what to do where nothing is."""
    st.header("What it says")
    if pictures[0].is_empty:
        st.caption("Draw something: the answer follows every stroke.")
        return
    wait_for_torch()
    answers = _asked(readers, pictures)
    for answer in answers:
        name = "" if len(answers) == 1 else f"{escape_markdown(answer.title)}: "
        st.markdown(f"{name}**{escape_markdown(answer.name)}**, {percent(answer.probability)} sure")
    for number, classes in enumerate(dict.fromkeys(answer.classes for answer in answers)):
        same = [answer for answer in answers if answer.classes == classes]
        st.plotly_chart(answer_figure(same), key=f"draw_answer_{number}", config=_CONFIG)
    why(readers[0], pictures[0].picture)
    st.header("How sure")
    doubts(readers, pictures)
    _under_changes(_moved(readers, pictures, answers))


def _asked(readers: Sequence[Reader], pictures: Sequence[PreparedDrawing]) -> list[Answer]:
    from cnnlib.probe.answer import answer

    return [
        answer(network_at(reader.moment, reader.run), reader.info, reader.run, prepared.picture)
        for reader, prepared in zip(readers, pictures, strict=True)
    ]


def _moved(
    readers: Sequence[Reader], pictures: Sequence[PreparedDrawing], answers: Sequence[Answer]
) -> list[Robustness]:
    from cnnlib.probe.answer import robustness

    return [
        robustness(network_at(reader.moment, reader.run), reader.info, said, prepared.picture)
        for reader, prepared, said in zip(readers, pictures, answers, strict=True)
    ]


def _under_changes(found: Sequence[Robustness]) -> None:
    """How the answers move, in a sentence each and as curves."""
    for each in found:
        st.caption(escape_markdown(kept_words(each)))
    st.plotly_chart(robustness_figure(found), key="draw_changes", config=_CONFIG)


def kept_words(each: Robustness) -> str:
    """``cnn3 on mnist, seed 0 still says 7 after 22 of 24 small changes.``"""
    answer: Answer = each.answer
    others = sorted({one.name for one in each.real_changes} - {answer.name})
    instead = f" Otherwise: {', '.join(others)}." if others else ""
    return (
        f"{answer.title} still says {answer.name} after {each.kept} of "
        f"{len(each.real_changes)} small changes.{instead}"
    )


def why(reader: Reader, picture: np.ndarray) -> None:
    """A button that opens the inspection page with this network and this drawing."""
    if st.button(
        "Why? Look inside",
        icon=":material/search:",
        key="draw_why",
        help="Feature maps, and which pixels spoke for the answer.",
    ):
        hand_over_drawing(picture)
        st.switch_page(INSPECT, query_params={"run": reader.run.id})
