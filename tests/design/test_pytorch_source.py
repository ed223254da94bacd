"""The stand-alone file: equal to the network of `build_model`, short, importing only torch."""

import ast
import runpy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_specs import random_specs

from cnnlib.design.plan import Plan, plan
from cnnlib.design.presets import preset, presets
from cnnlib.design.source import pytorch_source as module
from cnnlib.design.source.pytorch_source import source
from cnnlib.design.spec import CNNSpec
from cnnlib.nets.model import build_model

DEEP = CNNSpec(
    in_size=(3, 32, 32),
    channels=(8,) * 10 + (16,) * 10,
    pool_every=5,
    kernel_size=(3,) * 10 + (5,) * 10,
    norm="batch",
    hidden_dims=(20,) * 9,
    hidden_dropout=0.5,
)


def net_from(text: str) -> torch.nn.Module:
    """Build the network that a stand-alone file defines."""
    names: dict = {"__name__": "net"}
    exec(compile(text, "net.py", "exec"), names)
    return names["Net"]()


def assert_same_network(planned: Plan) -> None:
    """Check for equal names, and with equal weights equal scores, in training and evaluation."""
    ours, theirs = build_model(planned, seed=1), net_from(source(planned))
    theirs.load_state_dict(ours.state_dict())
    assert list(theirs.state_dict()) == list(ours.state_dict())
    images = torch.rand(2, *planned.spec.in_size, generator=torch.Generator().manual_seed(2))
    for is_training in (False, True):
        torch.manual_seed(3)  # both drop the same channels
        expected = ours.train(is_training)(images)
        torch.manual_seed(3)
        actual = theirs.train(is_training)(images)
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_thirty_random_networks_are_the_same_when_written_out(seed):
    for spec in random_specs(30, seed=seed):
        assert_same_network(plan(spec))


@pytest.mark.parametrize("seed", range(10, 13))
def test_thirty_random_networks_are_the_same_when_layers_become_functions(seed, monkeypatch):
    monkeypatch.setattr(module, "MOST_WRITTEN_OUT", 1)
    for spec in random_specs(30, seed=seed):
        assert_same_network(plan(spec))


@pytest.mark.parametrize("name", [preset.name for preset in presets()])
def test_a_preset_is_the_same_network_in_less_than_120_lines_of_100_characters(name):
    planned = plan(preset(name).spec)
    lines = source(planned, name).splitlines()
    assert len(lines) < 120
    assert max(map(len, lines)) <= 100
    assert_same_network(planned)


def test_a_deep_network_has_one_line_for_each_convolution_and_hidden_layer():
    text = source(plan(DEEP))
    # 20 convolutions, 4 poolings, 9 hidden layers, the flattening and the last linear layer.
    assert len([line for line in text.splitlines() if line.startswith(" " * 12)]) == 35
    assert "def convolution(number, in_channels, out_channels, kernel_size, padding):" in text
    assert_same_network(plan(DEEP))


def test_only_torch_is_imported():
    imports = {
        alias.name
        for node in ast.walk(ast.parse(source(plan(DEEP))))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert imports == {"torch", "nn"}


def test_the_file_prints_parameters_and_output_shape_when_run(tmp_path, capsys):
    file = tmp_path / "net.py"
    file.write_text(source(plan(preset("lenet5").spec), "lenet5"))
    runpy.run_path(str(file), run_name="__main__")
    assert capsys.readouterr().out == "106,154 parameters\n(1, 10)\n"


def test_blocks_of_one_form_share_a_class_with_arguments_for_differences():
    text = source(plan(preset("resnet20").spec), "resnet20")
    assert text.count("class ") == 2
    assert "def __init__(self, in_channels, out_channels, stride=1):" in text
    assert "if stride != 1 or in_channels != out_channels:" in text
    assert "block4=ResidualBlock(16, 32, stride=2),  # 32 x 16 x 16" in text


def test_every_layer_has_its_output_shape_as_a_comment():
    text = source(plan(preset("lenet5").spec))
    assert "conv1=nn.Conv2d(1, 6, 3, padding=1),  # 6 x 28 x 28" in text
    assert "pool2=nn.MaxPool2d(2),  # 16 x 7 x 7" in text


@given(st.text())
def test_the_title_does_not_change_the_code(title):
    tree = ast.parse(source(plan(CNNSpec()), title))
    assert ast.dump(ast.Module(tree.body[1:], [])) == ast.dump(
        ast.Module(ast.parse(source(plan(CNNSpec()))).body[1:], [])
    )
