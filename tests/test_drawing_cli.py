"""Drawings on the command line: what a network says, and what it calls strange."""

import json

import pytest
from drawings import STROKES, painted
from PIL import Image

from cnnlib.cli.main import main
from cnnlib.records.recipe import Recipe
from cnnlib.train.load import fit


@pytest.fixture
def run_id() -> str:
    return fit("mlp", "digits", Recipe(epochs=2), device="cpu").run.id


def test_read_says_what_a_drawing_on_paper_shows(run_id, tmp_path, capsys):
    paper = tmp_path / "seven.png"
    Image.fromarray(255 - painted(STROKES["7"])[..., :3]).save(paper)
    assert main(["read", run_id, str(paper), "--json"]) == 0
    [said] = json.loads(capsys.readouterr().out)
    assert said["changes"] == 24 and 0 <= said["same_after"] <= 24
    assert sum(said["probabilities"].values()) == pytest.approx(1)
    assert main(["read", run_id, str(paper), "--no-fit", "--no-centre", "--blur", "0.5"]) == 0
    assert "of 24" in capsys.readouterr().out


def test_a_file_that_is_no_picture_is_a_sentence(run_id, tmp_path, capsys):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no")
    assert main(["read", run_id, str(bad)]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_unfamiliar_prints_how_often_the_score_is_wrong(run_id, capsys):
    assert main(["unfamiliar", run_id, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["missed"]) == {"random strokes", "noise"}
