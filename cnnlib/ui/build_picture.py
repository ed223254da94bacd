"""The picture of a network on a page, with a card that tells each layer."""

from __future__ import annotations

import streamlit as st

from cnnlib.design.cost import Cost
from cnnlib.design.plan import Plan
from cnnlib.figures.architecture_svg import architecture_svg
from cnnlib.ui.build.cost_numbers import cost_line
from cnnlib.ui.scripts import LOADER, script

_picture = st.components.v2.component("cnnlab_network_picture", js=LOADER)


def network_picture(plan: Plan, cost: Cost, *, key: str) -> None:
    """Every layer to scale; pointing at one, or walking there with arrow keys, tells what it is.

    Args:
        cost: Of the same design: on a phone a line of it stands below the picture.
    """
    _picture(
        key=key,
        data={
            "script": script("build/picture.js"),
            "svg": architecture_svg(plan),
            "words": cost_line(cost),
        },
    )
