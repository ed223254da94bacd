"""What other tools would print, as a table with the reason for each difference."""

from __future__ import annotations

from collections.abc import Iterator

import streamlit as st

from cnnlib.design.other_tools import ToolCount, tool_counts
from cnnlib.design.plan import Plan


def tool_table(plan: Plan, macs: int) -> None:
    """One row per total that a tool would print.

    Args:
        macs: What the lab counts.
    """
    st.caption(
        f"The lab counts {macs:,} multiply-accumulates for one image: those of convolutions and "
        f"linear layers, bias not counted. Other tools count by rules of their own. These totals "
        f"are theirs, at the versions named, for one image in evaluation mode."
    )
    st.markdown("\n".join(tool_lines(plan)))


def tool_lines(plan: Plan) -> Iterator[str]:
    """The table as Markdown."""
    yield "| Tool | Total | Why it differs |"
    yield "|---|--:|---|"
    for found in tool_counts(plan):
        convention = found.convention
        yield (
            f"| **{convention.tool}** {convention.version} "
            f"| **{found.total:,}** {convention.quantity} "
            f"| {convention.sentence} {_parts(found)}{_not_counted(found)} "
            f"`{convention.call}` |"
        )


def _parts(found: ToolCount) -> str:
    """What a total is made of, the largest first."""
    parts = sorted(found.parts, key=lambda part: -part[1])
    return "Here: " + ", ".join(f"{name} {value:,}" for name, value in parts if value) + "."


def _not_counted(found: ToolCount) -> str:
    """What the tool gives nothing for."""
    return f" Not counted by it: {', '.join(found.not_counted)}." if found.not_counted else ""
