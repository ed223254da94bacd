"""The routes of the lens: the same weights as the maps on the screen, and errors as sentences."""

import pytest
from route_client import send

from cnnlib.data.prepare import prepare
from cnnlib.design.spec import CNNSpec
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.train.api import fit

SPEC = CNNSpec(channels=(4, 6), hidden_dims=())
BODY = {"spec": SPEC.to_dict(), "dataset": "digits", "picture": 2, "chosen": [2, 1]}


@pytest.fixture(autouse=True)
def lab() -> None:
    """Digits are prepared; the viewer of all pages answers in this process."""
    for _ in prepare("digits", Folders.from_environment()):
        pass


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
        ({"run": "RUN", "weights": "snapshot-00000777.safetensors@1"}, 200, "cannot be read"),
    ],
)
def test_what_cannot_be_shown_is_a_sentence(change, status, sentence):
    if change.get("run"):
        run = fit(SPEC, "digits", Recipe(epochs=1, batch_size=512), progress=False).run
        change = change | {"run": run.id}
    answer = send("POST", "/api/lens", BODY | change)
    assert answer.status_code == status
    assert sentence in answer.json()["error"]


def test_unknown_runs_and_other_sites_are_refused():
    assert send("GET", "/api/runs/nosuchrun/map?column=1&map=0").status_code == 404
    assert send("POST", "/api/lens", BODY, origin="http://evil").status_code == 403


def test_what_one_batch_changed_is_answered_for_saved_steps():
    recipe = Recipe(epochs=1, batch_size=1700, optimizer="sgd", lr=0.01)
    run = fit(SPEC, "digits", recipe, progress=False).run
    assert run.step == 1
    answer = send("GET", f"/api/runs/{run.id}/step?step=1&column=2&map=1&source=3").json()
    assert (answer["step"], answer["lr"], answer["filter"]["source"]) == (1, 0.01, 3)
    assert send("GET", f"/api/runs/{run.id}/step?step=1").json()["filter"] is None


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("step=7", 200, "step 6 are not saved"),
        ("step=x", 422, "step"),
        ("step=1&column=9&map=0", 200, "column 9"),
    ],
)
def test_a_batch_that_cannot_be_shown_is_a_sentence(query, status, sentence):
    run = fit(SPEC, "digits", Recipe(epochs=1, batch_size=1700), progress=False).run
    answer = send("GET", f"/api/runs/{run.id}/step?{query}")
    assert answer.status_code == status
    assert sentence in answer.json()["error"]
    assert send("GET", "/api/runs/nosuchrun/step?step=1").status_code == 404
