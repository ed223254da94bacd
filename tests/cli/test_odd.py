"""The odd pictures and the augmentation of a dataset on the command line."""

import json

import numpy as np
from PIL import Image
from sample_data import prepared_now

from cnnlib.cli.main import main
from cnnlib.records.recipe import Recipe
from cnnlib.train.api import fit


def test_without_a_run_duplicates_are_listed_and_the_rest_is_said_to_need_one(capsys):
    prepared_now("digits")
    assert main(["data", "odd", "digits"]) == 0
    said = capsys.readouterr().out
    assert "0 likely wrong labels" in said and "need a run on this dataset" in said


def test_the_best_run_on_the_dataset_is_used(capsys):
    prepared_now("digits")
    worse = fit("mlp", "digits", Recipe(epochs=1, max_batches=1), device="cpu").run
    better = fit("mlp", "digits", Recipe(epochs=2), device="cpu").run
    assert main(["data", "odd", "digits", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["run"] == better.id and found["counts"]["outlier"] == 120
    assert main(["data", "odd", "digits", "--run", worse.id]) == 0
    said = capsys.readouterr().out
    assert f"Network: {worse.title}." in said and "unlike the other pictures of 7" in said


def test_augment_writes_a_row_for_each_class_with_the_original_first(tmp_path, capsys):
    data = prepared_now("digits")
    path = tmp_path / "sheet.png"
    assert main(["data", "augment", "digits", str(path), "--shift", "3"]) == 0
    assert "10 pictures with 7 variants each" in capsys.readouterr().out
    sheet = np.asarray(Image.open(path))
    assert sheet.shape == (10 * 28, 8 * 28)
    third = data.train_images[int((data.train_labels == 2).argmax()), 0]
    assert np.array_equal(sheet[2 * 28 : 3 * 28, :28], third)
    assert not np.array_equal(sheet[2 * 28 : 3 * 28, 28:56], third)
