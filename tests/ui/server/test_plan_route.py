"""The route that plans a design."""

from typing import Any

import httpx
import pytest
from route_client import send

from cnnlib.design.cost import cost
from cnnlib.design.link import decode
from cnnlib.design.plan import plan
from cnnlib.design.presets import presets
from cnnlib.design.spec import CNNSpec
from cnnlib.ui.server.routes import MAX_BYTES


def post(content: Any, **headers: str) -> httpx.Response:
    return send("POST", "/api/plan", content, **headers)


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_every_preset_is_planned_with_its_exact_cost(preset):
    answer = post({"spec": preset.spec.to_dict(), "batch_size": 64, "optimizer": "sgd"})
    assert answer.status_code == 200
    found, costs = answer.json(), cost(plan(preset.spec), batch_size=64, optimizer="sgd")
    assert (found["params"], found["macs"]) == (costs.params, costs.macs)
    assert found["training_bytes"] == costs.training_bytes
    assert decode(found["link"]) == CNNSpec.from_dict(found["spec"]) == preset.spec
    assert found["repair"] == ""
    assert sum(column["params"] for column in found["columns"]) == costs.params


def test_a_design_that_does_not_fit_is_repaired_and_described():
    answer = post({"spec": {"channels": [8] * 8, "pool_every": 1}}).json()
    assert answer["repair"]
    assert answer["params"] == cost(plan(CNNSpec.from_dict(answer["spec"]))).params


@pytest.mark.parametrize(
    ("content", "status", "sentence"),
    [
        ({"spec": {"channels": [-1]}}, 200, 'Entry 1 of "Channels" is -1'),
        ({"spec": {"colour": 1}}, 200, "colour"),
        ({"spec": []}, 200, ""),
        ({"spec": {"hidden_dims": [99999]}}, 200, 'Entry 1 of "Hidden units" is 99999'),
        ({"spec": {}, "batch_size": 0}, 200, "batch size"),
        ({"spec": {}, "batch_size": 10**20}, 200, "a whole number from 1 to 65,536"),
        ({"spec": {}, "batch_size": "x"}, 200, "batch size"),
        ({"spec": {}, "optimizer": []}, 200, "optimizer"),
        ([1], 400, "JSON object"),
        (b"{", 400, "JSON object"),
        (b"\xff", 400, "JSON object"),
        (b"[" * 50_000, 400, "JSON object"),
        (b" " * (MAX_BYTES + 1), 413, "bytes"),
    ],
)
def test_other_bodies_are_a_sentence(content, status, sentence):
    answer = post(content)
    assert answer.status_code == status
    assert sentence in answer.json()["error"]


def test_requests_of_other_sites_and_forms_are_refused():
    assert post({"spec": {}}, origin="http://evil.example").status_code == 403
    assert post({"spec": {}}, origin="http://lab").status_code == 200
    assert post({"spec": {}}, **{"content-type": "text/plain"}).status_code == 415
