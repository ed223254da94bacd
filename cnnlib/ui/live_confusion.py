"""The validation pictures of each class and what the network took them for, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from cnnlib.figures.confusion import confusion_figure
from cnnlib.records.run import Run
from cnnlib.ui.common.format import count
from cnnlib.ui.common.shared import run_store
from cnnlib.units import percent


def confusion_view(run: Run, classes: Sequence[str]) -> None:
    """The table of one epoch: the latest, until somebody chooses another."""
    epochs = [each.epoch for each in run_store().epochs(run.id, confusions=False)]
    why_none = _why_none(run, epochs)
    if why_none:
        st.caption(why_none)
        return
    epoch = _choose_epoch(epochs, run)
    told = run_store().epochs(run.id, after=epoch - 1)[0]  # tables are large: not all of them
    if not told.val_confusion:
        st.caption(f"No table was kept of epoch {epoch}.")
        return
    found = np.array(told.val_confusion)
    wrong = int(found.sum() - found.trace())
    st.caption(
        f"After epoch {epoch}: {percent(told.val_accuracy)} of {count(int(found.sum()))} "
        f"validation pictures right, {count(wrong)} wrong."
    )
    st.plotly_chart(confusion_figure(found, classes), key=f"train_confusion_{run.id}")


def _choose_epoch(epochs: list[int], run: Run) -> int:
    """A slider that follows the training while it stands at its end."""
    key, seen = f"train_confusion_epoch_{run.id}", f"train_confusion_seen_{run.id}"
    at_end = st.session_state.get(key) in (None, st.session_state.get(seen))
    if at_end or st.session_state[key] not in epochs:
        st.session_state[key] = epochs[-1]
    st.session_state[seen] = epochs[-1]
    if len(epochs) == 1:
        return epochs[0]
    return st.select_slider("Epoch", epochs, key=key)


def _why_none(run: Run, epochs: list[int]) -> str:
    """Why there is no table; "" where there are some."""
    if run.request.spec.out_classes > 100:
        return "Tables of more than 100 classes are not kept for every epoch."
    if run.request.validation == 0:
        return "This run keeps no pictures for validation, so nothing is counted after an epoch."
    return "" if epochs else "The first table comes at the end of the first epoch."
