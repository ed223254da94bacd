"""The live chart: status and curves of runs, kept up to date by the browser alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from cnnlib.records.run import Run
from cnnlib.ui.routes import ASSETS_ADDRESS, RUNS_ADDRESS

# The scripts come from this server as modules. What is sent with every rerun is only this: it finds
# them, whatever path the server lives under, and passes on what Streamlit says.
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

_live_chart = st.components.v2.component("cnnlab_live_chart", js=LOADER)


def live_chart(
    runs: Sequence[Run], *, key: str, status: bool = True, outcomes: Mapping[str, str] | None = None
) -> None:
    """Curves of runs laid over each other; the page reruns when one of them changes its state.

    Args:
        runs: As the page knows them now.
        status: Show what each run is doing, with its numbers; otherwise its name alone.
        outcomes: What an ended run is worth, as a sentence by run id; stands beside its state.
    """
    _live_chart(
        key=key,
        data={
            "script": asset("live/live.js"),
            "runs_address": f"{_root()}/{RUNS_ADDRESS}",
            "runs": [
                {
                    "id": run.id,
                    "name": run.title,
                    "state": run.state,
                    "outcome": (outcomes or {}).get(run.id, ""),
                }
                for run in runs
            ],
            "status": status,
        },
        on_changed_change=lambda: None,
    )


def asset(path: str) -> str:
    """Address of one of the server's own scripts, without host."""
    return f"{_root()}/{ASSETS_ADDRESS}/{path}"


def _root() -> str:
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"/{base}" if base else ""
