"""Downloads and uploads of designs on the Build page."""

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
from cnnlib.ui.build.session import apply_change, show_control_error, spec_change

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
    show_control_error("upload")


def design_json(spec: CNNSpec) -> str:
    """Format a design as the text of a JSON file."""
    return json.dumps(spec.to_dict(), indent=2) + "\n"


def design_from_json(content: bytes) -> CNNSpec:
    """Parse the text of `design_json`, or of a file in the folder of saved designs.

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
