"""Designs of the Build page as files: downloads, uploads, and saved designs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import streamlit as st

from cnnlib.design.source.pytorch_source import source
from cnnlib.design.spec import CNNSpec
from cnnlib.design.summary import summary
from cnnlib.errors import SpecError
from cnnlib.figures.architecture_svg import architecture_svg
from cnnlib.figures.labels import describe_design
from cnnlib.runs.saved_designs import NAME_LIMIT, SavedDesigns
from cnnlib.ui.build.session import apply_change, control_error, show_control_messages, spec_change
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.shared import run_store

if TYPE_CHECKING:
    from cnnlib.design.plan import Plan
    from cnnlib.ui.build.state import BuildState

UPLOAD_LIMIT_MB = 1


def file_panel(state: BuildState, plan: Plan) -> None:
    """Show the downloads, the link, and the upload of a design that was downloaded before."""
    spec = plan.spec
    with st.container(horizontal=True):
        _download(
            "JSON",
            "design.json",
            design_json(spec),
            "The design as a file that this page can open again.",
        )
        _download(
            "PyTorch",
            "network.py",
            source(plan),
            "The network as a Python file that needs only PyTorch.",
        )
        markdown = summary(plan, batch_size=state.batch_size, optimizer=state.optimizer)
        _download(
            "Markdown",
            "summary.md",
            markdown,
            "Layers, sizes and costs of the network as a text document.",
        )
        _download("Diagram", "network.svg", architecture_svg(plan), "The diagram as an SVG file.")
    st.caption("This link opens the page with this design:")
    st.code(f"{st.context.url}?{urlencode(state.address())}", language=None, wrap_lines=True)
    st.file_uploader(
        "Open a design (JSON)",
        type="json",
        max_upload_size=UPLOAD_LIMIT_MB,
        key="build_upload",
        on_change=_open_upload,
        help="A JSON file that was downloaded from this page, also by an earlier version of the "
        "lab.",
    )
    show_control_messages("upload")


def design_json(spec: CNNSpec) -> str:
    """Format a design as the text of a JSON file."""
    return json.dumps(spec.to_dict(), indent=2) + "\n"


def design_from_json(content: bytes) -> CNNSpec:
    """Parse the text of `design_json`, or of a file that an earlier version saved.

    Raises:
        SpecError: The content is not JSON, or not a design.
    """
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SpecError(
            f"The file is not valid JSON ({str(error)[:100]}), but a design is saved as JSON. "
            f"Choose a file that was downloaded from this page."
        ) from error
    is_saved_design = isinstance(values, dict) and "spec" in values
    return CNNSpec.from_dict(values["spec"] if is_saved_design else values)


def _open_upload() -> None:
    file = st.session_state.build_upload
    if file is not None:
        change = spec_change(lambda _: design_from_json(file.getvalue()), "upload")
        apply_change(change, "upload")


def _download(label: str, name: str, content: str, tooltip: str) -> None:
    st.download_button(
        label,
        content,
        file_name=name,
        key=f"build_download_{name}",
        icon=":material/download:",
        help=tooltip,
        on_click="ignore",
    )


def saved_designs_panel() -> None:
    """Show a form that saves the design by name, and the saved ones to open or remove."""
    saved = SavedDesigns(run_store())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Name",
            max_chars=NAME_LIMIT,
            key="build_saved_name",
            on_change="ignore",
            help="If the name exists already, the saved design of that name is replaced.",
        )
        st.button("Save", key="build_save", icon=":material/save:", on_click=_save, args=(saved,))
    show_control_messages("saved_designs")
    designs = saved.designs()
    if not designs:
        st.caption(
            "There are no saved designs yet. Designs are saved on the computer that runs the lab."
        )
    for number, design in enumerate(designs):
        with st.container(horizontal=True, vertical_alignment="center"):
            text = f"**{escape_markdown(design.name)}**  \n{describe_design(design.spec)}"
            st.markdown(text, width="stretch")
            st.button("Open", key=f"build_open_{number}", on_click=_open, args=(design.spec,))
            st.button(
                "Remove",
                key=f"build_remove_{number}",
                icon=":material/delete:",
                on_click=_remove,
                args=(saved, design.name),
            )


def _save(saved: SavedDesigns) -> None:
    def save(state: BuildState) -> BuildState:
        saved.save(st.session_state.build_saved_name, state.draft.spec)
        return state

    apply_change(save, "saved_designs")
    if not control_error("saved_designs"):
        st.session_state.build_saved_name = ""


def _open(spec: CNNSpec) -> None:
    apply_change(spec_change(lambda _: spec, "open"), "open")


def _remove(saved: SavedDesigns, name: str) -> None:
    def remove(state: BuildState) -> BuildState:
        saved.remove(name)
        return state

    apply_change(remove, "saved_designs")
