"""Counts of other tools: calculated by hand, and compared with recorded output of the tools."""

import json
from pathlib import Path

import pytest

from cnnlib.design.other_tools import CONVENTIONS, ToolCount, tool_counts
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec

RECORDED = Path(__file__).parents[1] / "recorded" / "tools.json"

# conv 1 -> 2, 3x3, padding 1, on 4x4: MACs 2 * 16 * 9 = 288, biases 2 * 16 = 32, params 20
# batch norm on 2x4x4: 32 values, 4 parameters; ReLU: 32 values; max pooling: 32 values in
# linear 8 -> 3: MACs 24, biases 3
SMALL = CNNSpec(in_size=(1, 4, 4), out_classes=3, channels=(2,), norm="batch")


def count_by_tool(spec: CNNSpec) -> dict[str, ToolCount]:
    return {
        f"{count.convention.tool} {count.convention.quantity}": count
        for count in tool_counts(plan(spec))
    }


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("torchinfo Total mult-adds", 288 + 32 + 24 + 3 + 4),
        ("fvcore flops", 288 + 24 + 2 * 32),
        ("ptflops Computational complexity (MACs)", 288 + 32 + 24 + 3 + 2 * 32 + 2 * 32 + 2 * 32),
        ("calflops fwd FLOPs", 2 * 288 + 32 + 2 * 24 + 2 * 32 + 32 + 32),
        ("calflops fwd MACs", 288 + 24),
        ("torch.utils.flop_counter Total FLOPs", 2 * (288 + 24)),
    ],
)
def test_the_counts_of_a_small_network_equal_those_calculated_by_hand(name: str, total: int):
    assert count_by_tool(SMALL)[name].total == total


def test_the_parts_of_a_total_are_named_and_add_up():
    count = count_by_tool(SMALL)["torchinfo Total mult-adds"]
    assert dict(count.parts) == {
        "convolutions": 288,
        "biases": 32 + 3,
        "norms": 4,
        "linear layers": 24,
    }


def test_layers_that_a_tool_does_not_count_are_listed():
    count = count_by_tool(SMALL)["fvcore flops"]
    assert count.not_counted == ("biases", "ReLU", "poolings", "flattening")


def test_the_counts_of_recorded_networks_equal_the_output_of_the_tools():
    for record in json.loads(RECORDED.read_text()):
        counts = tool_counts(plan(CNNSpec.from_dict(record["spec"])))
        totals = {f"{c.convention.tool}: {c.convention.quantity}": c.total for c in counts}
        assert totals == record["totals"], record["spec"]


def test_the_versions_are_those_that_the_benchmark_installs():
    lines = (Path(__file__).parents[2] / "bench" / "requirements.txt").read_text().splitlines()
    pinned = dict(line.split()[0].split("==") for line in lines if line and line[0] != "#")
    named = {c.tool: c.version for c in CONVENTIONS if c.tool in pinned}
    assert named == {tool: pinned[tool] for tool in named}
    assert len(named) == 4  # torch's own counter is pinned with torch
