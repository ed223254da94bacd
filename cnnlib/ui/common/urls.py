"""Paths of the pages, and the query parameters of their addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from cnnlib.records.folders import app_folder

PAGES = app_folder() / "pages"
# Streamlit reserves /static, /media and /component.
ASSETS_ADDRESS = "assets"
API_ADDRESS = "api"
RUNS_ADDRESS = f"{API_ADDRESS}/runs"
PLAN_ADDRESS = f"{API_ADDRESS}/plan"
PREVIEW_ADDRESS = f"{API_ADDRESS}/preview"
MAPS_ADDRESS = f"{API_ADDRESS}/maps"
LENS_ADDRESS = f"{API_ADDRESS}/lens"
FOLDERS_WITH_ASSETS = (
    "build",
    "common",
    "inspect",
    "lab",
    "results",
    "train",
)  # folders of cnnlib/ui with "static"

LAB = PAGES / "lab.py"
BUILD = PAGES / "build.py"
TRAIN = PAGES / "train.py"
RESULTS = PAGES / "results.py"
INSPECT = PAGES / "inspect.py"
CONVOLUTION = PAGES / "convolution.py"
DRAW = PAGES / "draw.py"
DATA = PAGES / "data.py"
GLOSSARY = PAGES / "glossary.py"

_KEPT_DESIGN = "kept_design"
_NUMBER = re.compile(r"[0-9]{1,15}")


def runs_in_address() -> list[str]:
    """Return the run ids of the page's address: ``?run=a&run=b``."""
    return st.query_params.get_all("run")


def put_runs_in_address(run_ids: Sequence[str]) -> None:
    """Set the query of the page's address to these runs, without other parameters.

    Nothing is sent if unchanged: a late message would change the address of the page that the
    browser has opened since.
    """
    if runs_in_address() != list(run_ids) or set(st.query_params) - {"run"}:
        st.query_params.from_dict({"run": list(run_ids)})


def set_in_address(name: str, value: str) -> None:
    """Set a query parameter of the page's address; nothing is sent if unchanged."""
    if st.query_params.get(name) != value:
        st.query_params[name] = value


def in_address(name: str) -> str:
    """Return a query parameter of the page's address; "" without it.

    It is a ``design`` or a ``recipe`` in link form, or the name of a ``dataset``.
    """
    return st.query_params.get(name, "")


def number_in_address(name: str) -> int | None:
    """Return a query parameter as an integer from 0; None if missing or invalid."""
    text = st.query_params.get(name, "")
    return int(text) if _NUMBER.fullmatch(text) else None


def keep_design(link: str) -> None:
    """Store the design of this session, in link form, for its other pages."""
    st.session_state[_KEPT_DESIGN] = link


def kept_design() -> str | None:
    """Return the stored design of this session in link form; None without one."""
    return st.session_state.get(_KEPT_DESIGN)


def script(path: str) -> str:
    """Return the address of a script, without host."""
    return at_root(f"{ASSETS_ADDRESS}/{path}")


def at_root(path: str) -> str:
    """Prefix a path with the server's base path; the address has no host."""
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"/{base}/{path}" if base else f"/{path}"


def static_folder(folder: str) -> Path:
    """Return the path of the served scripts and styles of a folder of cnnlib/ui."""
    return Path(__file__).resolve().parents[1] / folder / "static"
