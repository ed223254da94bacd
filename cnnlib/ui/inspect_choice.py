"""What Inspect looks at: a run, a moment of its training, a picture and a layer.

All of them stand in the address: a reload, a bookmark or a link shows the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

import streamlit as st
from PIL import Image

from cnnlib.data.pictures import BrokenPicture, decode
from cnnlib.data.prepared import Prepared
from cnnlib.design.plan import Plan, plan
from cnnlib.errors import CnnlibError, DataError
from cnnlib.probe.graph import steps
from cnnlib.probe.snapshots import moments
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.run import Run
from cnnlib.ui.draw_why import drawn_picture
from cnnlib.ui.inspect_source import Moment, Picture, test_picture
from cnnlib.ui.pictures import data_uri
from cnnlib.ui.resources import prepared as open_prepared
from cnnlib.ui.resources import run_store
from cnnlib.ui.words import STATE_WORDS

PLAY_SECONDS = 1.0


@dataclass(frozen=True, eq=False)
class Subject:
    """What is looked at, with everything that a panel needs of it."""

    run: Run
    plan: Plan
    moment: Moment
    steps: Mapping[int, Moment]
    picture: Picture
    info: DatasetInfo
    prepared: Prepared


def choose_run(runs: Sequence[Run]) -> Run:
    """A menu of runs; the one that the address names is chosen."""
    ids = [run.id for run in runs]
    asked = st.query_params.get("run", "")
    titles = {run.id: f"{run.title} ({STATE_WORDS[run.state].lower()})" for run in runs}
    if st.session_state.get("inspect_run") not in ids:
        st.session_state["inspect_run"] = asked if asked in ids else ids[0]
    chosen = st.selectbox("Run", ids, key="inspect_run", format_func=titles.__getitem__)
    if asked != chosen:
        st.query_params["run"] = chosen
    return next(run for run in runs if run.id == chosen)


def choose_moment(run: Run) -> tuple[Moment, Mapping[int, Moment]] | None:
    """A slider over the saved steps, with Play; None where nothing was saved."""
    there = {
        step: Moment.of(run, each) for step, each in moments(run_store().saved(run.id)).items()
    }
    if not there:
        return None
    listed = list(there)
    key = f"inspect_step_{run.id}"
    if st.session_state.get(key) not in there:
        asked = st.query_params.get("step", "")
        st.session_state[key] = _nearest(listed, int(asked) if asked.isdigit() else listed[-1])
    if len(listed) == 1:
        st.caption(f"This run has one saved moment, step {listed[0]:,}.")
        return there[listed[0]], there
    with st.container(horizontal=True, vertical_alignment="bottom"):
        playing = st.toggle("Play", key="inspect_play", help="A saved step a second, to the last.")
        step = st.select_slider(
            "Step of the training",
            listed,
            key=key,
            format_func=lambda step: f"{step:,}",
            width="stretch",
        )
    if playing:
        _player(key, listed)
    st.query_params["step"] = str(step)
    return there[step], there


def _player(key: str, listed: Sequence[int]) -> None:
    """Move the slider on, once a second."""

    @st.fragment(run_every=PLAY_SECONDS)
    def tick() -> None:
        if st.session_state.get("inspect_ticked"):
            place = listed.index(st.session_state[key])
            st.session_state["inspect_next"] = (key, listed[min(place + 1, len(listed) - 1)])
            st.session_state["inspect_ticked"] = False
            st.rerun()
        st.session_state["inspect_ticked"] = True

    tick()


def advance() -> None:
    """Carry out what Play asked for; called before the slider is made."""
    key, step = st.session_state.pop("inspect_next", (None, None))
    if key is None:
        return
    if st.session_state.get(key) == step:
        st.session_state["inspect_play"] = False  # the last moment is reached
    st.session_state[key] = step


def choose_picture(prepared: Prepared) -> Picture:
    """A picture of the test split, or one of the person's own."""
    with st.container(horizontal=True, vertical_alignment="center"):
        own = st.file_uploader(
            "Your own picture", key="inspect_upload", help="PNG, JPEG, WebP, BMP, GIF or TIFF"
        )
        picture = _uploaded(own, prepared) if own is not None else None
        if picture is None:
            picture = drawn_picture(prepared) or _from_test_split(prepared)
        classes = prepared.info.classes
        truth = "" if picture.label is None else f"Its class is {classes[picture.label]}."
        st.html(
            f'<img src="{data_uri(picture.pixels)}" alt="The picture looked at" width="84" '
            'height="84" style="image-rendering:pixelated;border-radius:4px">',
            width=90,
        )
        st.caption(f"{truth} {picture.note}".strip() or "Nobody knows its class.")
    return picture


def _from_test_split(prepared: Prepared) -> Picture:
    count = len(prepared.test_labels)
    if count == 0:
        raise DataError(
            f"{prepared.info.name} has no test pictures. Upload a picture to look at instead."
        )
    key = "inspect_picture"
    if key not in st.session_state:
        asked = st.query_params.get("picture", "")
        st.session_state[key] = int(asked) if asked.isdigit() else 0
    st.session_state[key] = min(int(st.session_state[key]), count - 1)
    index = st.number_input("Test picture", 0, count - 1, key=key, width=160)
    st.query_params["picture"] = str(index)
    return test_picture(prepared, index)


def _uploaded(file: BytesIO, prepared: Prepared) -> Picture | None:
    """The uploaded picture as the dataset has its own; None, and a sentence, where it is none."""
    content = file.getvalue()
    channels, size, _ = prepared.info.in_size
    invert = channels == 1 and st.checkbox(
        "Swap dark and light", key="inspect_invert", help="For ink on paper"
    )
    try:
        pixels = decode(content, size, channels)
        with Image.open(BytesIO(content)) as image:
            width, height = image.size
    except BrokenPicture as error:
        st.error(
            f"This file cannot be looked at: {error}. Choose a PNG or JPEG picture; until then the "
            "test picture stays.",
            icon=":material/error:",
        )
        return None
    key = hashlib.sha256(content).hexdigest()[:16] + ("-" if invert else "+")
    note = f"Your picture of {width:,} × {height:,} pixels, brought to {size} × {size}."
    return Picture(255 - pixels if invert else pixels, key, note=note)


def choose_layer(planned: Plan, kinds: Sequence[str] | None = None) -> str:
    """A menu of layers; those of some kinds, or all."""
    names = [step.name for step in steps(planned) if kinds is None or step.kind in kinds]
    shapes = {step.name: step for step in steps(planned)}
    key = "inspect_layer"
    asked = st.query_params.get("layer", "")
    kept = st.session_state.get("inspect_layer_kept", asked)
    if st.session_state.get(key) not in names:
        st.session_state[key] = kept if kept in names else names[0]

    def words(name: str) -> str:
        shape = " × ".join(map(str, shapes[name].out_shape))
        return f"{name} ({shapes[name].kind.replace('_', ' ')}, {shape})"

    layer = st.selectbox("Layer", names, key=key, format_func=words)
    st.session_state["inspect_layer_kept"] = layer
    st.query_params["layer"] = layer
    return layer


def open_dataset(run: Run) -> Prepared:
    """The pictures that a run was trained on.

    Raises:
        CnnlibError: They are gone, or are others now.
    """
    found = open_prepared(run.request.dataset, run.fingerprint)
    if run.fingerprint and found.info.fingerprint != run.fingerprint:
        raise DataError(
            f"{run.request.dataset} changed since this run was trained on it, so its pictures are "
            "not those that the run saw. Look at a newer run."
        )
    return found


def choose_subject(runs: Sequence[Run]) -> Subject | None:
    """Everything that is looked at; None, and a sentence, where a run has nothing to look into."""
    advance()
    run = choose_run(runs)
    chosen = choose_moment(run)
    if chosen is None:
        st.info(
            "This run has saved no weights yet, so there is nothing to look into. "
            "Wait for its first step, or choose another run.",
            icon=":material/hourglass_empty:",
        )
        return None
    try:
        data = open_dataset(run)
        picture = choose_picture(data)
    except CnnlibError as error:
        st.error(str(error), icon=":material/error:")
        return None
    return Subject(run, plan(run.request.spec), *chosen, picture, data.info, data)


def _nearest(listed: Sequence[int], step: int) -> int:
    return min(listed, key=lambda each: abs(each - step))
