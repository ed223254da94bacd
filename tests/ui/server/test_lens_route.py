"""The routes of the lens: the same weights as the maps on the screen, and errors as sentences."""

import shutil
from pathlib import Path

import pytest
from route_client import send

from cnnlib.design.spec import CNNSpec
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.train.api import fit, load_run

SPEC = CNNSpec(channels=(4, 6), hidden_dims=())
BODY = {"spec": SPEC.to_dict(), "dataset": "digits", "picture": 2, "chosen": [2, 1]}


ONE_BATCH = Recipe(epochs=1, batch_size=1700, optimizer="sgd", lr=0.01)


@pytest.fixture(scope="module")
def lab_once(tmp_path_factory) -> tuple[Path, str]:
    """A folder with a run of one batch of digits, and the run's id."""
    folder = tmp_path_factory.mktemp("lab")
    folders = Folders(data=folder / "data", runs=folder / "runs")
    return folder, fit(SPEC, "digits", ONE_BATCH, progress=False, folders=folders).run.id


@pytest.fixture(autouse=True)
def one_batch(lab_once, tmp_path) -> str:
    """The id of a copy of that run in the folders of the test; digits are prepared there."""
    folder, run_id = lab_once
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return run_id


def test_the_chosen_map_of_an_untrained_network_has_its_numbers():
    assert send("POST", "/api/maps", BODY).json()["weights"] is None
    answer = send("POST", "/api/lens", BODY).json()
    assert (answer["step"], answer["column"], answer["map"], answer["count"]) == (0, 2, 1, 4)


def test_the_lens_of_a_run_has_the_weights_of_the_maps():
    run = fit(SPEC, "digits", Recipe(epochs=2, batch_size=256), progress=False).run
    shown = send("POST", "/api/maps", BODY | {"run": run.id}).json()
    asked = {"run": run.id, "weights": shown["weights"]}
    answer = send("POST", "/api/lens", BODY | asked).json()
    assert answer["step"] == shown["step"] == run.step
    query = f"picture=2&column=2&map=1&weights={shown['weights']}"
    assert send("GET", f"/api/runs/{run.id}/map?{query}").json() == answer
    first = next((Folders.from_environment().run(run.id)).glob("snapshot-00000000.*"))
    older = asked | {"weights": f"{first.name}@1"}
    assert send("POST", "/api/lens", BODY | older).json()["step"] == 0


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"chosen": None}, 422, "No map is chosen"),
        ({"chosen": [9, 0]}, 200, "column 9"),
        ({"chosen": [1]}, 422, "chosen"),
        ({"run": "RUN", "weights": "../../x@1"}, 422, "names no weights"),
        ({"run": "RUN", "weights": 3}, 422, "names no weights"),
        ({"run": "RUN", "weights": "snapshot-00000777.safetensors@1"}, 200, "was deleted"),
    ],
)
def test_what_cannot_be_shown_is_a_sentence(one_batch, change, status, sentence):
    if change.get("run"):
        change = change | {"run": one_batch}
    answer = send("POST", "/api/lens", BODY | change)
    assert answer.status_code == status
    assert sentence in answer.json()["error"]


def test_unknown_runs_and_other_sites_are_refused():
    assert send("GET", "/api/runs/nosuchrun/map?column=1&map=0").status_code == 404
    assert send("POST", "/api/lens", BODY, origin="http://evil").status_code == 403


def test_what_one_batch_changed_is_answered_for_saved_steps(one_batch):
    assert load_run(one_batch).step == 1
    answer = send("GET", f"/api/runs/{one_batch}/step?step=1&column=2&map=1&source=3").json()
    assert (answer["step"], answer["lr"], answer["filter"]["source"]) == (1, 0.01, 3)
    assert send("GET", f"/api/runs/{one_batch}/step?step=1").json()["filter"] is None


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("step=7", 200, "step 6 are not saved"),
        ("step=x", 422, "step"),
        ("step=1&column=9&map=0", 200, "column 9"),
    ],
)
def test_a_batch_that_cannot_be_shown_is_a_sentence(one_batch, query, status, sentence):
    answer = send("GET", f"/api/runs/{one_batch}/step?{query}")
    assert answer.status_code == status
    assert sentence in answer.json()["error"]
    assert send("GET", "/api/runs/nosuchrun/step?step=1").status_code == 404
