"""The Markdown page: numbers of the plan and its cost, and well-formed tables."""

import pytest

from cnnlib.design.plan import plan
from cnnlib.design.presets import preset, presets
from cnnlib.design.summary import summary
from cnnlib.errors import SpecError


def test_the_page_of_lenet5_has_its_numbers():
    text = summary(plan(preset("lenet5").spec), "LeNet-5", batch_size=128, optimizer="sgd")
    assert text.startswith("# LeNet-5\n")
    assert "| trainable parameters | 106,154 |" in text
    # 28 * 28 * 6 * 9 + 14 * 14 * 16 * 6 * 9 + 784 * 120 + 120 * 84 + 84 * 10
    assert "| multiply-accumulates (MACs), one picture | 316,680 |" in text
    assert "| `features.conv1` | `nn.Conv2d(1, 6, 3, padding=1)` | 6 x 28 x 28 | 60 |" in text


@pytest.mark.parametrize("name", [preset.name for preset in presets()])
def test_all_rows_of_a_table_have_equally_many_cells(name):
    planned = plan(preset(name).spec)
    for table in summary(planned, name).split("\n\n"):
        rows = [line.count("|") for line in table.splitlines() if line.startswith("|")]
        assert len(set(rows)) <= 1


def test_there_is_a_row_for_each_layer():
    planned = plan(preset("resnet20").spec)
    text = summary(planned)
    assert all(f"| `{leaf.name}` |" in text for leaf in planned.walk())


def test_a_title_cannot_make_a_table_or_a_tag():
    assert summary(plan(preset("mlp").spec), "a | b\n<i>").startswith("# a \\| b \\<i\\>\n")


def test_a_batch_without_pictures_is_an_error():
    with pytest.raises(SpecError, match="a whole number from 1 to"):
        summary(plan(preset("mlp").spec), batch_size=0)
