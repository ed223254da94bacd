"""Drawings on the command line: what a network says, what it calls strange, teaching it."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from drawings import STROKES, painted
from PIL import Image

from cnnlib.cli.main import main
from cnnlib.data.drawings import collections
from cnnlib.probe.weights import read_step_arrays
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.train.api import fit
from cnnlib.train.checkpoint import write_state


@pytest.fixture
def run_id() -> str:
    return fit("mlp", "digits", Recipe(epochs=2), device="cpu").run.id


def paper(folder: Path, digit: str, left: int = 0) -> Path:
    """A picture of a digit, dark on light paper."""
    path = folder / f"{digit}-{left}.png"
    light = np.roll(painted(STROKES[digit])[..., :3], left, axis=1)
    Image.fromarray(255 - light).save(path)
    return path


def test_read_says_what_a_drawing_on_paper_shows(run_id, tmp_path, capsys):
    seven = str(paper(tmp_path, "7"))
    assert main(["read", run_id, seven, "--json"]) == 0
    [said] = json.loads(capsys.readouterr().out)
    assert said["changes"] == 24 and 0 <= said["same_after"] <= 24
    assert sum(said["probabilities"].values()) == pytest.approx(1)
    assert main(["read", run_id, seven, "--no-fit", "--no-centre", "--blur", "0.5"]) == 0
    assert "of 24" in capsys.readouterr().out


def test_predict_says_that_a_picture_is_ink_on_paper_and_names_the_command(
    run_id, tmp_path, capsys
):
    seven = str(paper(tmp_path, "7"))
    assert main(["predict", run_id, seven, "--json"]) == 0
    [said] = json.loads(capsys.readouterr().out)
    # The strokes of the enlarged digits are thicker than those of a pen, too.
    assert [each["kind"] for each in said["differences"]] == ["ink", "thickness"]
    assert said["advice"].endswith(f"python -m cnnlib read {run_id} {seven}")
    assert main(["predict", run_id, seven]) == 0
    assert "The picture is dark ink on a light ground" in capsys.readouterr().out
    assert main(["predict", run_id, seven, "--invert"]) == 0
    assert "dark ink" not in capsys.readouterr().out


def test_read_says_what_its_preparation_does_not_mend(run_id, tmp_path, capsys):
    pair = np.concatenate([painted([[(140, 60), (140, 220)]])[..., :3]] * 2, axis=1)
    path = tmp_path / "pair.png"
    Image.fromarray(255 - pair[:, 70:490]).save(path)
    assert main(["read", run_id, str(path), "--json"]) == 0
    [said] = json.loads(capsys.readouterr().out)
    assert [each["kind"] for each in said["differences"]] == ["drawings"]
    corner = str(paper(tmp_path, "7", left=-70))
    assert main(["read", run_id, corner]) == 0
    assert "farther left" not in capsys.readouterr().out
    assert main(["read", run_id, corner, "--no-centre", "--no-fit"]) == 0
    out = capsys.readouterr().out
    assert "farther left than in the training pictures." in out
    assert out.rstrip().endswith("Leave out --no-fit and --no-centre.")


def test_a_file_that_is_no_picture_is_a_sentence(run_id, tmp_path, capsys):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no")
    assert main(["read", run_id, str(bad)]) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["read", "predict"])
def test_one_unreadable_file_does_not_stop_the_others(run_id, tmp_path, capsys, command):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    files = [str(paper(tmp_path, "3")), str(tmp_path / "bad.png"), str(paper(tmp_path, "7"))]
    assert main([command, run_id, *files]) == 2
    out, err = capsys.readouterr()
    assert "3-0.png" in out and "7-0.png" in out and "bad.png" not in out
    assert err.count("\n") == 1 and "bad.png' cannot be read" in err
    assert main([command, run_id, *files, "--json"]) == 2
    answers = json.loads(capsys.readouterr().out)
    assert [each["picture"] for each in answers] == [files[0], files[2], files[1]]
    assert "cannot be read" in answers[2]["error"]


@pytest.mark.parametrize("command", ["read", "predict"])
def test_a_network_whose_outputs_are_not_numbers_is_a_sentence(run_id, tmp_path, capsys, command):
    for file in Folders.from_environment().run(run_id).glob("*.safetensors"):
        step, weights = read_step_arrays(file)
        nan = {name: torch.full(each.shape, torch.nan) for name, each in weights.items()}
        write_state(file, nan, step)
    assert main([command, run_id, str(paper(tmp_path, "3"))]) == 2
    assert "The outputs of this network are not numbers" in capsys.readouterr().err


@pytest.mark.parametrize("top", ["0", "-1"])
def test_predict_needs_at_least_one_class(run_id, tmp_path, capsys, top):
    assert main(["predict", run_id, str(paper(tmp_path, "3")), "--top", top]) == 2
    assert f"--top {top} asks for no class" in capsys.readouterr().err


def test_read_takes_white_ink_on_nothing_as_dark_ink_on_paper(run_id, tmp_path, capsys):
    ink = painted(STROKES["7"])[..., 0]
    white = np.full((*ink.shape, 4), 255, np.uint8)
    white[..., 3] = ink
    for name, pixels in (("white.png", white), ("paper.png", 255 - ink)):
        Image.fromarray(pixels).save(tmp_path / name)
        assert main(["read", run_id, str(tmp_path / name), "--json"]) == 0
    first, second = (json.loads(line)[0] for line in capsys.readouterr().out.splitlines())
    assert first["probabilities"] == pytest.approx(second["probabilities"], abs=0.02)


@pytest.mark.parametrize("command", ["read", "predict"])
def test_a_picture_without_contrast_is_said(run_id, tmp_path, capsys, command):
    Image.new("L", (28, 28), 7).save(tmp_path / "black.png")
    assert main([command, run_id, str(tmp_path / "black.png"), "--json"]) == 0
    sentence = "In the picture 'black.png', all its pixels have the same value.\n"
    assert capsys.readouterr().err == sentence


def test_ood_prints_how_often_the_score_is_wrong(run_id, capsys):
    assert main(["ood", run_id, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["missed"]) == {"random strokes", "noise"}


def test_read_tells_how_strange_a_drawing_is_once_that_was_measured(run_id, tmp_path, capsys):
    picture = str(paper(tmp_path, "7"))
    assert main(["read", run_id, picture, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["strangeness"] is None
    main(["ood", run_id])
    assert main(["read", run_id, picture, "--json"]) == 0
    [said] = json.loads(capsys.readouterr().out.splitlines()[-1])
    strangeness = said["strangeness"]
    assert strangeness["is_strange"] == (strangeness["distance"] > strangeness["threshold"])


# -- labelled drawings -----------------------------------------------------------------------------


def test_drawings_are_kept_listed_and_exported(tmp_path, capsys):
    for name in ("3", "7"):
        assert main(["labelled-drawings", "save", "digits", name, str(paper(tmp_path, name))]) == 0
    capsys.readouterr()
    assert main(["labelled-drawings", "--json"]) == 0
    [found] = json.loads(capsys.readouterr().out)
    assert found["dataset"] == "folder:drawings for digits"
    assert (found["drawings"], found["classes"]) == (2, {"3": 1, "7": 1})
    target = tmp_path / "kept.zip"
    assert main(["labelled-drawings", "export", "digits", str(target)]) == 0
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == ["3/drawing-0001.png", "7/drawing-0001.png"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["save", "digits", "x", "FILE"], "Class 'x' is not known"),
        (["save", "nowhere", "7", "FILE"], "Dataset 'nowhere' is not known"),
        (["save", "digits", "7", "FILE", "EMPTY"], "contains no drawing"),
        (["export", "digits", "kept.zip"], "No drawings are saved for digits yet"),
    ],
)
def test_what_cannot_be_kept_is_one_sentence_and_nothing_is(words, sentence, tmp_path, capsys):
    Image.new("L", (28, 28), 255).save(tmp_path / "empty.png")
    files = {"FILE": str(paper(tmp_path, "7")), "EMPTY": str(tmp_path / "empty.png")}
    assert main(["labelled-drawings", *(files.get(word, word) for word in words)]) == 2
    assert sentence in capsys.readouterr().err
    assert collections(Folders.from_environment()) == {}


def test_accuracies_before_and_after_a_fine_tuning_are_printed(run_id, tmp_path, capsys):
    assert main(["fine-tune", run_id]) == 2
    assert "fine-tuning needs at least one" in capsys.readouterr().err
    sevens = [str(paper(tmp_path, "7", left)) for left in (0, 20, 40, 60)]
    main(["labelled-drawings", "save", "digits", "7", *sevens])
    capsys.readouterr()
    assert main(["fine-tune", run_id, "--epochs", "1", "--now", "--json"]) == 0
    worth = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert worth["event"] == "worth"
    # Of four drawings of a class every fourth is kept apart; digits has 359 test pictures.
    assert [worth[name]["count"] for name in ("trained on", "kept apart", "test")] == [3, 1, 359]
    assert main(["fine-tune-report", worth["run_id"]]) == 0
    assert "the test split of the dataset" in capsys.readouterr().out
    assert main(["fine-tune-report", run_id]) == 2
    assert "was not fine-tuned" in capsys.readouterr().err
