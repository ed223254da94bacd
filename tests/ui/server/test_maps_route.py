"""The routes of feature maps: their request is checked, and the answer is the viewer's."""

import base64
from typing import Any

import httpx
import numpy as np
import pytest
from route_client import send

from cnnlib.data.prepare import prepare
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import ViewerError
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.train.api import fit
from cnnlib.ui.server import json_requests, maps_route

SPEC = CNNSpec(channels=(4, 6), hidden_dims=())
BODY = {"spec": SPEC.to_dict(), "dataset": "digits"}


@pytest.fixture(autouse=True)
def lab() -> None:
    """Digits are prepared; the viewer of all pages answers in this process."""
    for _ in prepare("digits", Folders.from_environment()):
        pass


def post(content: Any, **headers: str) -> httpx.Response:
    return send("POST", "/api/maps", content, **headers)


def test_a_network_that_was_never_trained_shows_its_maps():
    answer = post(BODY | {"picture": 2, "tiles": 3, "strip": True, "chosen": [2, 1]}).json()
    assert [each["kind"] for each in answer["columns"]] == ["input", "maps", "maps", "answers"]
    assert (answer["trained"], answer["step"]) == (False, 0)
    assert len(answer["columns"][1]["maps"]) == 3
    assert answer["links"]["map"] == 1
    assert len(answer["strip"]["labels"]) == 16


def test_the_same_request_is_answered_once():
    version = post(BODY).json()["version"]
    assert post(BODY | {"after": version}).status_code == 204
    assert post(BODY | {"after": version, "picture": 1}).status_code == 200


def test_a_drawing_is_answered():
    drawing = base64.b64encode(bytes(784)).decode()
    picture = post(BODY | {"pixels": drawing}).json()["picture"]
    assert (picture["index"], picture["note"]) == (None, "")


def test_a_drawing_in_a_corner_is_said_and_a_picture_of_the_dataset_is_not():
    corner = np.zeros((28, 28), np.uint8)
    corner[1:13, 2:4] = 255
    note = post(BODY | {"pixels": base64.b64encode(corner).decode()}).json()["picture"]["note"]
    assert note.startswith("The ink is higher and farther left than in the training pictures.")
    assert note.endswith("Under More tools to draw it is scaled and centred.")
    assert post(BODY).json()["picture"]["note"] == ""


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"picture": -1}, 422, "picture"),
        ({"picture": 10**6}, 200, "not in the validation split"),
        ({"tiles": 1000}, 422, "tiles"),
        ({"open": 3}, 422, "open"),
        ({"open": [True]}, 422, "open"),
        ({"maps": [1]}, 422, "maps"),
        ({"chosen": [1]}, 422, "chosen"),
        ({"pixels": "$$"}, 422, "base64"),
        ({"pixels": "AAAA"}, 422, "784"),
        ({"pixels": 3}, 422, "base64"),
        ({"dataset": "../x"}, 422, "dataset"),
        ({"dataset": "mnist"}, 422, "mnist"),
        ({"seed": "x"}, 422, "seed"),
        ({"run": 3}, 422, "run"),
        ({"run": "nosuchrun"}, 404, "nosuchrun"),
        ({"spec": {"channels": [-1]}}, 200, "channels"),
    ],
)
def test_what_cannot_be_served_is_a_sentence(change, status, sentence):
    answer = post(BODY | change)
    assert answer.status_code == status
    assert sentence in answer.json()["error"]


def test_other_sites_and_other_types_and_floods_are_refused(monkeypatch):
    assert post(BODY, origin="http://evil").status_code == 403
    assert post(BODY, **{"content-type": "text/plain"}).status_code == 415
    monkeypatch.setattr(maps_route, "MAX_BYTES", 10)
    assert post(BODY).status_code == 413
    monkeypatch.setattr(json_requests, "_limit", json_requests._RateLimit(0.001, 1000))
    assert [post(BODY).status_code for _ in range(2)] == [413, 429]


def test_while_the_viewer_starts_the_status_says_so(monkeypatch):
    class Starting:
        def viewer_answer(self, function: str, *arguments: Any) -> Any:
            raise ViewerError("The viewer is starting.")

    monkeypatch.setattr(maps_route, "place", Starting)
    assert (post(BODY).status_code, post(BODY).json()["error"]) == (202, "The viewer is starting.")


def test_a_run_shows_its_newest_weights():
    run = fit(SPEC, "digits", Recipe(epochs=1, batch_size=256), progress=False).run
    answer = send("GET", f"/api/runs/{run.id}/maps?picture=3&tiles=2&chosen=1,0&open=1").json()
    assert (answer["trained"], answer["step"]) == (True, run.step)
    assert len(answer["columns"][1]["maps"]) == 4
    assert (
        answer
        == post(
            BODY | {"run": run.id, "picture": 3, "tiles": 2, "chosen": [1, 0], "open": [1]}
        ).json()
    )
    drawing = base64.b64encode(bytes(784)).decode()
    assert send("POST", f"/api/runs/{run.id}/maps", {"pixels": drawing}).status_code == 200
    assert send("GET", f"/api/runs/{run.id}/maps?picture=x").status_code == 422
    assert send("GET", "/api/runs/nosuchrun/maps").status_code == 404
