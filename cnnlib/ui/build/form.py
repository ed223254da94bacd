"""The form of the Build page: it shows the spec on the desk, and writes changes back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.data.catalogue import catalogue
from cnnlib.design.presets import adapt, preset, preset_of, presets
from cnnlib.ui.build.controls import CONTROLS, GROUPS
from cnnlib.ui.build.session import desk, on_draft, on_spec, tell_wrong, whats_wrong
from cnnlib.ui.build.state import Draft
from cnnlib.ui.build.widget_sync import called_back, note, show_value
from cnnlib.ui.common.format import distinct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cnnlib.design.spec import CNNSpec
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.folders import Folders
    from cnnlib.ui.build.control import Control

_OWN_SIZE = "Images of my own size"
_OWN_DESIGN = "My own design"


@st.cache_resource(show_spinner=False, ttl="5s", max_entries=4)
def known_datasets(folders: Folders) -> tuple[DatasetInfo, ...]:
    """The catalogue; it looks at many files, and a slider asks ten times a second."""
    return tuple(catalogue(folders))


def spec_form(infos: Sequence[DatasetInfo]) -> None:
    """Dataset, preset, and a tab for each group of controls; only the open one is made."""
    _dataset_menu(infos)
    _preset_menu()
    tabs = st.tabs(list(GROUPS), key="build_group", on_change=called_back)
    for tab, controls in zip(tabs, GROUPS.values(), strict=True):
        if tab.open:
            with tab, st.grid(2 if controls is GROUPS["More"] else 1, min_column_width=110):
                for control in controls:
                    if control.shown(desk().draft.spec):
                        _show(control)


def _dataset_menu(infos: Sequence[DatasetInfo]) -> None:
    by_name = {info.name: info for info in infos if info.classes}
    titles = distinct({name: info.title for name, info in by_name.items()} | {"": _OWN_SIZE})
    show_value("build_dataset", desk().draft.dataset)
    st.selectbox(
        "Dataset",
        [*by_name, *([] if desk().draft.dataset else [""])],
        format_func=titles.__getitem__,
        key="build_dataset",
        on_change=_take_dataset,
        args=(by_name,),
        help="The images that the network is for: they decide its input and its outputs.",
    )
    tell_wrong("dataset")


def _take_dataset(by_name: dict[str, DatasetInfo]) -> None:
    info = by_name.get(st.session_state.build_dataset)
    if info:
        change = on_draft(lambda draft: _on_dataset(draft.spec, info), "dataset")
        note("build_dataset", change, "dataset")


def _on_dataset(spec: CNNSpec, info: DatasetInfo) -> Draft:
    return Draft(adapt(spec, info.in_size, len(info.classes)), info.name)


def _preset_menu() -> None:
    titles = {entry.name: entry.title for entry in presets()}
    current = preset_of(desk().draft.spec)
    show_value("build_preset", current)
    st.selectbox(
        "Start from",
        [*titles, *([] if current else [""])],
        format_func=lambda name: titles[name] if name else _OWN_DESIGN,
        key="build_preset",
        on_change=_take_preset,
        help=preset(current).description if current else "A network that course texts teach.",
    )
    tell_wrong("preset")


def _take_preset() -> None:
    name = st.session_state.build_preset
    if name:
        change = on_spec(lambda spec: preset(name).adapt(spec.in_size, spec.out_classes), "preset")
        note("build_preset", change, "preset")


def _show(control: Control) -> None:
    """One control with the value of the spec on the desk."""
    value = control.read(desk().draft.spec)
    key = f"build_{control.name}"
    if control.kind == "slider" and value > control.high:
        key += "_wide"  # another range is another widget
    if not whats_wrong(control.name):
        show_value(key, value)
    _WIDGETS[control.kind](
        control,
        label=control.label,
        key=key,
        help=control.help,
        on_change=_take,
        args=(control.name, key),
        disabled=not control.enabled(desk().draft.spec),
    )
    tell_wrong(control.name)


def _take(name: str, key: str) -> None:
    """Called with a control's new value."""
    value = st.session_state[key]
    note(key, on_spec(lambda spec: CONTROLS[name].write(spec, value), name), name)


def _choice(control: Control, **common: Any) -> None:
    words = control.options
    st.segmented_control(options=list(words), format_func=words.__getitem__, **common)


def _menu(control: Control, **common: Any) -> None:
    st.selectbox(options=list(control.options), format_func=control.options.__getitem__, **common)


def _slider(control: Control, **common: Any) -> None:
    top = control.highest if common["key"].endswith("_wide") else control.high
    st.slider(min_value=control.low, max_value=top, step=control.step, **common)


def _number(control: Control, **common: Any) -> None:
    st.number_input(min_value=control.low, max_value=control.high, step=1, **common)


def _text(_control: Control, **common: Any) -> None:
    st.text_input(**common)


def _toggle(_control: Control, **common: Any) -> None:
    st.toggle(**common)


_WIDGETS: dict[str, Callable[..., None]] = {
    "choice": _choice,
    "menu": _menu,
    "slider": _slider,
    "number": _number,
    "text": _text,
    "toggle": _toggle,
}
