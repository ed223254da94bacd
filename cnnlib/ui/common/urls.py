"""Where pages are, and what their addresses say: that is what a reload finds again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGES = Path(__file__).resolve().parents[3] / "pages"
# Streamlit keeps /static, /media and /component for itself.
ASSETS_ADDRESS = "assets"
RUNS_ADDRESS = "api/runs"
ROOMS_WITH_ASSETS = ("build", "common", "train")  # folders of cnnlib/ui with a folder "static"

LAB = PAGES / "lab.py"
BUILD = PAGES / "build.py"
TRAIN = PAGES / "train.py"
RESULTS = PAGES / "results.py"
COMPARE = PAGES / "compare.py"
EXPERIMENTS = PAGES / "experiments.py"
INSPECT = PAGES / "inspect.py"
CONVOLUTION = PAGES / "convolution.py"
DRAW = PAGES / "draw.py"
DATA = PAGES / "data.py"

_KEPT_DESIGN = "kept_design"
_NUMBER = re.compile(r"[0-9]{1,15}")


def runs_in_address() -> list[str]:
    """Ids of the runs that the page's address names: ``?run=a&run=b``."""
    return st.query_params.get_all("run")


def put_runs_in_address(run_ids: Sequence[str]) -> None:
    """Make the page's address name these runs and nothing else.

    Nothing is sent where it does so already: a late message would change the address of the page
    that the browser has gone on to.
    """
    if runs_in_address() != list(run_ids) or set(st.query_params) - {"run"}:
        st.query_params.from_dict({"run": list(run_ids)})


def remember(name: str, value: str) -> None:
    """Make the page's address say this; nothing is sent where it does so already."""
    if st.query_params.get(name) != value:
        st.query_params[name] = value


def design_in_address() -> str | None:
    """The link form of the design that the page's address names: ``?design=...``."""
    return st.query_params.get("design")


def dataset_in_address() -> str:
    """Name of the dataset that the page's address asks for; "" where it names none."""
    return st.query_params.get("dataset", "")


def number_in_address(name: str) -> int | None:
    """A whole number from 0 that the page's address says; None where it says none."""
    text = st.query_params.get(name, "")
    return int(text) if _NUMBER.fullmatch(text) else None


def keep_design(link: str) -> None:
    """Remember the design that this session works on, in link form, from page to page."""
    st.session_state[_KEPT_DESIGN] = link


def kept_design() -> str | None:
    """The design that this session works on, in link form; None before there is one."""
    return st.session_state.get(_KEPT_DESIGN)


# The scripts come from this server as modules, which the browser keeps. What is sent with every
# rerun is only this: it finds them, whatever path the server lives under, and passes on what
# Streamlit says.
LOADER = """
const modules = new Map();
const load = ({ data }) => {
  const address = `${location.origin}${data.script}`;
  if (!modules.has(address)) modules.set(address, import(address));
  return modules.get(address);
};

export default function (component) {
  load(component).then((part) => part.mount(component));
  return () => load(component).then((part) => part.unmount(component));
}
"""


def script(path: str) -> str:
    """Address of a script, without host."""
    return at_root(f"{ASSETS_ADDRESS}/{path}")


def at_root(path: str) -> str:
    """An address below the one that the server lives under, without host."""
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"/{base}/{path}" if base else f"/{path}"


def static_folder(room: str) -> Path:
    """The folder with the scripts and styles of a page, which the server hands out."""
    return Path(__file__).resolve().parents[1] / room / "static"
