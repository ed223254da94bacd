"""Out-of-distribution scores of a drawing for each network, with measured error rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.errors import FileMissing
from cnnlib.probe.ood.detector_file import ood_file, read_ood_detector
from cnnlib.ui.common.format import count, escape_markdown
from cnnlib.ui.common.job_status import job_button
from cnnlib.ui.common.messages import show_warning
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.viewer import ask
from cnnlib.units import percent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cnnlib.records.drawing import PreparedDrawing
    from cnnlib.records.probe import OodDetector
    from cnnlib.ui.draw.networks import Classifier

_KIND_LABELS = {"random strokes": "scribbles", "noise": "pictures of noise"}


def ood_section(classifiers: Sequence[Classifier], pictures: Sequence[PreparedDrawing]) -> None:
    """Show the score of each network, or a button that measures its detector first."""
    for classifier, prepared in zip(classifiers, pictures, strict=True):
        name = "" if len(classifiers) == 1 else f"{classifier.run.title}: "
        measured = _find_detector(classifier)
        detector = None if measured is None else _read_detector(*measured)
        if measured is None or detector is None:
            _measurement_button(classifier, name)
        else:
            source, info = classifier.saved_step.source, classifier.info
            score = ask("ood_distance", source, info, *measured, prepared.picture)
            _show_score(detector, score, info.title, name)


def _show_score(detector: OodDetector, score: float, dataset: str, name: str) -> None:
    text = f"{name}{describe_score(detector, score, dataset)}"
    if detector.is_ood(score):
        show_warning(text, ":material/help:")
    else:
        st.markdown(escape_markdown(text))
    st.caption(describe_error_rates(detector))


def describe_score(detector: OodDetector, score: float, dataset: str) -> str:
    """Describe how far a drawing is from the training pictures.

    Args:
        score: Distance of the drawing.
        dataset: Title of the dataset.
    """
    share = percent(detector.farther_than(score), 1)
    verdict = (
        "This drawing does not look like the training data (out of distribution)"
        if detector.is_ood(score)
        else "This drawing looks like the training data"
    )
    return (
        f"{verdict}. It is farther from the training data than {share} of the training pictures "
        f"of {dataset}."
    )


def describe_error_rates(detector: OodDetector) -> str:
    """Describe the measured error rates of the detector."""
    missed = ", ".join(
        f"{percent(rate.missed, 1)} of {count(rate.count)} "
        f"{_KIND_LABELS.get(kind, f'pictures of {kind}')}"
        for kind, rate in detector.error_rates.items()
    )
    return (
        f"Errors of this check: {percent(detector.false_alarms, 1)} of "
        f"{count(detector.real_count)} real test pictures are called out of distribution. {missed} "
        "are not detected."
    )


def _find_detector(classifier: Classifier) -> tuple[Path, int] | None:
    """Return the file of a network's detector and its time of writing; None before it exists."""
    try:
        path = run_store().file(classifier.run.id, ood_file(classifier.saved_step.step))
    except FileMissing:
        return None
    return path, path.stat().st_mtime_ns


@st.cache_resource(show_spinner=False, max_entries=8)
def _read_detector(path: Path, written: int) -> OodDetector | None:
    """Read a detector; a new time of writing is a new entry of the cache."""
    return read_ood_detector(path)


def _measurement_button(classifier: Classifier, name: str) -> None:
    """Show a button that submits the measurement, or the progress of a submitted one."""
    args = {"run": classifier.run.id}
    job_button(
        "unfamiliar",
        args,
        f"{escape_markdown(name)}Does this look like training data?",
        icon=":material/help:",
        key=f"draw_measure_{classifier.run.id}",
        prefix=name,
        help="A network predicts a class for every picture, even for a scribble. This check "
        "compares a drawing with the training pictures. A drawing that is too different is out of "
        "distribution: do not trust its prediction. First the errors of the check are measured on "
        "test pictures, scribbles and noise, which takes about a minute.",
    )
