"""What other tools would print: worked by hand, and against what they did print."""

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


def counted(spec: CNNSpec) -> dict[str, ToolCount]:
    return {
        f"{found.convention.tool} {found.convention.quantity}": found
        for found in tool_counts(plan(spec))
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
def test_each_tool_counts_a_small_network_as_worked_by_hand(name: str, total: int):
    assert counted(SMALL)[name].total == total


def test_the_parts_of_a_total_are_named_and_add_up():
    found = counted(SMALL)["torchinfo Total mult-adds"]
    assert dict(found.parts) == {
        "convolutions": 288,
        "biases": 32 + 3,
        "norms": 4,
        "linear layers": 24,
    }


def test_what_a_tool_gives_nothing_for_is_named():
    found = counted(SMALL)["fvcore flops"]
    assert found.not_counted == ("biases", "ReLU", "poolings", "flattening")


def test_every_layer_of_every_recorded_network_counts_as_the_tools_printed():
    for record in json.loads(RECORDED.read_text()):
        counts = tool_counts(plan(CNNSpec.from_dict(record["spec"])))
        says = {f"{c.convention.tool}: {c.convention.quantity}": c.total for c in counts}
        assert says == record["totals"], record["spec"]


def test_the_page_names_the_versions_that_the_comparison_installs():
    lines = (Path(__file__).parents[2] / "bench" / "requirements.txt").read_text().splitlines()
    pinned = dict(line.split()[0].split("==") for line in lines if line and line[0] != "#")
    named = {c.tool: c.version for c in CONVENTIONS if c.tool in pinned}
    assert named == {tool: pinned[tool] for tool in named}
    assert len(named) == 4  # torch's own counter is pinned with torch
