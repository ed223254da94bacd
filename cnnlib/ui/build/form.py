"""The form of the Build page: controls that show the current spec and change it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.data.catalogue import catalogue
from cnnlib.design.presets import adapt, preset, preset_of, presets
from cnnlib.ui.build.controls import CONTROLS, GROUPS
from cnnlib.ui.build.session import (
    control_error,
    current_state,
    draft_change,
    show_control_messages,
    spec_change,
)
from cnnlib.ui.build.state import Draft
from cnnlib.ui.build.widget_sync import count_callback, record_change, show_value
from cnnlib.ui.common.format import dataset_menu
from cnnlib.ui.common.whole_number import whole_number_input

if TYPE_CHECKING:
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.folders import Folders
    from cnnlib.ui.build.control import Control

_OWN_SIZE = "Custom picture size"
_OWN_DESIGN = "Custom design"


@st.cache_resource(show_spinner=False, ttl="5s", max_entries=4)
def known_datasets(folders: Folders) -> tuple[DatasetInfo, ...]:
    """The catalogue, cached: it reads many files, and a slider causes ten reruns a second."""
    return tuple(catalogue(folders))


def spec_form(infos: Sequence[DatasetInfo]) -> None:
    """Show dataset, preset, and a tab for each group of controls; only the open one is built."""
    _dataset_menu(infos)
    _preset_menu()
    tabs = st.tabs(list(GROUPS), key="build_group", on_change=count_callback)
    for tab, controls in zip(tabs, GROUPS.values(), strict=True):
        if tab.open:
            with tab, st.grid(2 if controls is GROUPS["More"] else 1, min_column_width=110):
                for control in controls:
                    if control.shown(current_state().draft.spec):
                        with st.container():  # its messages stay in its cell of the grid
                            _show_control(control)


def _dataset_menu(infos: Sequence[DatasetInfo]) -> None:
    by_name = {info.name: info for info in infos if info.classes}
    titles = dataset_menu(by_name.values()) | {"": _OWN_SIZE}
    dataset = current_state().draft.dataset
    show_value("build_dataset", dataset)
    options = [*by_name, *([] if dataset else [""])]
    st.selectbox(
        "Dataset",
        options,
        options.index(dataset),
        format_func=titles.__getitem__,
        key="build_dataset",
        on_change=_record_dataset,
        args=(by_name,),
        help="The pictures that the network classifies. They set the input size and the number of "
        "outputs.",
    )
    show_control_messages("dataset")


def _record_dataset(by_name: dict[str, DatasetInfo]) -> None:
    info = by_name.get(st.session_state.build_dataset)
    if info:
        change = draft_change(lambda draft: _adapt_to_dataset(draft, info), "dataset")
        record_change("build_dataset", change, "dataset")


def _adapt_to_dataset(draft: Draft, info: DatasetInfo) -> Draft:
    spec = adapt(draft.spec, info.in_size, len(info.classes))
    return Draft(spec, info.name, draft.is_typed)


def _preset_menu() -> None:
    titles = {entry.name: entry.title for entry in presets()}
    current = preset_of(current_state().draft.spec)
    show_value("build_preset", current)
    options = [*titles, *([] if current else [""])]
    st.selectbox(
        "Start from",
        options,
        options.index(current),
        format_func=lambda name: titles[name] if name else _OWN_DESIGN,
        key="build_preset",
        on_change=_record_preset,
        help=preset(current).description if current else "Networks from courses and papers.",
    )
    show_control_messages("preset")


def _record_preset() -> None:
    name = st.session_state.build_preset
    if name:
        change = spec_change(
            lambda spec: preset(name).adapt(spec.in_size, spec.out_classes), "preset"
        )
        record_change("build_preset", change, "preset")


def _show_control(control: Control) -> None:
    """Show a control with the value of the current spec."""
    spec = current_state().draft.spec
    value = control.read(spec)
    key = f"build_{control.name}"
    if control.kind == "slider" and value > control.range.high:
        key += "_wide"  # another range is another widget
    value = float(value) if control.kind == "number" else value
    if control_error(control.name):
        value = st.session_state.get(key, value)
    _WIDGETS[control.kind](
        control,
        show_value(key, value),
        label=control.label,
        key=key,
        help=control.help,
        on_change=_record_control,
        args=(control.name, key),
        disabled=not control.enabled(spec),
    )
    show_control_messages(control.name)


def _record_control(name: str, key: str) -> None:
    """Widget callback: record the new value of a control."""
    value = st.session_state[key]
    value = round(value) if CONTROLS[name].kind == "number" else value
    record_change(key, spec_change(lambda spec: CONTROLS[name].write(spec, value), name), name)


def _choice(control: Control, value: Any, **common: Any) -> None:
    labels = control.options
    st.segmented_control(
        options=list(labels), format_func=labels.__getitem__, default=value, **common
    )


def _menu(control: Control, value: Any, **common: Any) -> None:
    options = list(control.options)
    st.selectbox(
        options=options,
        index=options.index(value),
        format_func=control.options.__getitem__,
        **common,
    )


def _slider(control: Control, value: float, **common: Any) -> None:
    low, high, highest, step = control.range
    top = highest if common["key"].endswith("_wide") else high
    st.slider(min_value=low, max_value=top, value=value, step=step, **common)


def _number(control: Control, value: float, **common: Any) -> None:
    low, high = int(control.range.low), int(control.range.high)
    whole_number_input(low=low, high=high, value=round(value), **common)


_WIDGETS: dict[str, Callable[..., object]] = {
    "choice": _choice,
    "menu": _menu,
    "slider": _slider,
    "number": _number,
    "text": lambda _control, value, **common: st.text_input(value=value, **common),
    "toggle": lambda _control, value, **common: st.toggle(value=value, **common),
}
