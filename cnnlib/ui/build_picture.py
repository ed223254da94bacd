"""The picture of a network on a page, with a card that tells each layer."""

from __future__ import annotations

import streamlit as st

from cnnlib.design.cost import Cost
from cnnlib.design.plan import Plan
from cnnlib.figures.architecture_svg import architecture_svg
from cnnlib.ui.build_numbers import cost_line
from cnnlib.ui.routes import ASSETS_ADDRESS

# What is sent with every rerun is only this; the script itself is a module that the browser keeps.
_LOADER = """
const modules = new Map();
const load = ({ data }) => {
  const address = `${location.origin}${data.script}`;
  if (!modules.has(address)) modules.set(address, import(address));
  return modules.get(address);
};

export default function (component) {
  load(component).then((picture) => picture.mount(component));
  return () => load(component).then((picture) => picture.unmount(component));
}
"""

_picture = st.components.v2.component("cnnlab_network_picture", js=_LOADER)


def network_picture(plan: Plan, cost: Cost, *, key: str) -> None:
    """Every layer to scale; pointing at one, or walking there with arrow keys, tells what it is.

    Args:
        cost: Of the same design: on a phone a line of it stands below the picture.
    """
    base = st.get_option("server.baseUrlPath").strip("/")
    root = f"/{base}" if base else ""
    script = f"{root}/{ASSETS_ADDRESS}/build/picture.js"
    _picture(
        key=key, data={"script": script, "svg": architecture_svg(plan), "words": cost_line(cost)}
    )
