"""Does a drawing look like any class at all? The score of each network, with its error rates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.ui.common.format import count, escape_markdown
from cnnlib.ui.common.job_status import is_watched
from cnnlib.ui.common.messages import show_warning
from cnnlib.ui.common.network_cache import network_at
from cnnlib.ui.common.permissions import attempt
from cnnlib.ui.common.shared import folders, run_store
from cnnlib.units import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.records.drawing import PreparedDrawing
    from cnnlib.records.ood import OodDetector
    from cnnlib.ui.draw.networks import Reader


def doubts(readers: Sequence[Reader], pictures: Sequence[PreparedDrawing]) -> None:
    """What each network has to say, or a button that measures it first."""
    for reader, prepared in zip(readers, pictures, strict=True):
        name = "" if len(readers) == 1 else f"{reader.run.title}: "
        found = _familiarity_of(reader)
        if found is None:
            _measuring(reader, name)
        else:
            _say(reader, prepared, found, name)


def _say(reader: Reader, prepared: PreparedDrawing, found: OodDetector, name: str) -> None:
    from cnnlib.probe.ood.distance import distance

    net = network_at(reader.moment, reader.run)
    away = distance(found, net, reader.info, prepared.picture)
    text = f"{name}{doubt_words(found, away, reader.info.title)}"
    if found.is_ood(away):
        show_warning(text, ":material/help:")
    else:
        st.markdown(escape_markdown(text))
    st.caption(rate_words(found))


def doubt_words(found: OodDetector, away: float, dataset: str) -> str:
    """How strange a drawing is, in a sentence."""
    share = percent(found.farther_than(away), 1)
    verdict = (
        "This does not look like anything that it learned"
        if found.is_ood(away)
        else "This looks like what it learned"
    )
    return f"{verdict}: {share} of real pictures of {dataset} are nearer to the training pictures."


def rate_words(found: OodDetector) -> str:
    """How often that is wrong, as measured."""
    missed = ", ".join(
        f"{percent(rate.missed, 1)} of {kind} ({count(rate.count)})"
        for kind, rate in found.junk.items()
    )
    return (
        f"How often this is wrong: of {count(found.real_count)} real test pictures, "
        f"{percent(found.false_alarms, 1)} are called strange; taken for real are {missed}."
    )


def _familiarity_of(reader: Reader) -> OodDetector | None:
    """What was measured for a network; None before that."""
    path = folders().run(reader.run.id) / f"familiarity-{reader.moment.step}.npz"
    try:
        written = path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
    return _read(str(path), written)


@st.cache_resource(show_spinner=False, max_entries=8)
def _read(path: str, written: int) -> OodDetector | None:
    from cnnlib.probe.ood.distance import read_ood_detector

    return read_ood_detector(Path(path))


def _measuring(reader: Reader, name: str) -> None:
    """A button that asks for the measurement, or how far that is."""
    args = {"run": reader.run.id}
    key = f"draw_measure_{reader.run.id}"
    if is_watched(run_store().latest_job("unfamiliar", args), key=key, whose=name):
        return
    st.button(
        f"{escape_markdown(name)}Measure what it does not know",
        icon=":material/help:",
        key=key,
        on_click=attempt,
        args=(run_store().submit_job, "unfamiliar", args),
        help="A network always answers with some class. This measures, on real pictures and on "
        "junk, how well it can tell that a drawing is none of them. It takes about a minute.",
    )
