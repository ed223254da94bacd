"""The routes of the Lab in class mode: who may read, and that none of them drives a sketch."""

from collections.abc import Generator

import pytest
import sqlalchemy as sa
from example_runs import a_request
from route_client import send
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_websocket import USER_COOKIE_NAME, get_cookie_secret

from cnnlib.data.prepare import prepare
from cnnlib.records.events import Phase
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore
from cnnlib.runs.rate_limit import RateLimit
from cnnlib.runs.sketches import Sketches
from cnnlib.runs.tables import commands, sketches
from cnnlib.ui.common import saved_steps
from cnnlib.ui.common.identity import COOKIE
from cnnlib.ui.server import json_requests

ADA, BOB = "a" * 32, "b" * 32  # numbers of two browsers
DESIGN = {"spec": a_request().spec.to_dict(), "dataset": "digits"}
LOOKS = [
    ("POST", "/api/maps", DESIGN | {"run": "RUN"}),
    ("POST", "/api/lens", DESIGN | {"run": "RUN", "chosen": [1, 0]}),
    ("GET", "/api/runs/RUN/maps", None),
    ("POST", "/api/runs/RUN/maps", {"picture": 1}),
    ("GET", "/api/runs/RUN/map?column=1&map=0", None),
    ("GET", "/api/runs/RUN/metrics", None),
]


@pytest.fixture
def store() -> Generator[RunStore]:
    """The run store of a server in class mode, as its operator."""
    for _ in prepare("digits", Folders.from_environment()):
        pass
    store = RunStore()
    class_mode(store)
    yield store
    store.close()


def class_mode(store: RunStore, more: str = "") -> None:
    (store.folders.runs / "cnnlab.toml").write_text(f"[class]\non = true\n{more}")


def a_sketch(store: RunStore) -> str:
    """Start Ada's sketch, which a worker has taken."""
    sketch = store.on_behalf_of("ada").sketches.start("ada", a_request())
    worker_id = store.workers.register()
    assert store.claim(worker_id).id == sketch
    store.record_events(sketch, worker_id, [Phase("running", "")])
    return sketch


def look(store: RunStore, run_id: str, cookie: str = "") -> list[int]:
    """The statuses of all routes that show a run."""
    answers = []
    for method, address, body in LOOKS:
        body = body and {name: run_id if each == "RUN" else each for name, each in body.items()}
        answers.append(send(method, address.replace("RUN", run_id), body, cookie=cookie))
    return [each.status_code for each in answers]


def test_everybody_looks_at_a_sketch_and_nobody_drives_it_by_a_route(store):
    sketch = a_sketch(store)
    before = store.run(sketch)
    with store.database.read() as connection:
        touched = connection.scalar(sa.select(sketches.c.touched))
    assert look(store, sketch, f"{COOKIE}={BOB}") == 6 * [200]
    for _, address, _ in LOOKS:
        for method in ("PUT", "PATCH", "DELETE"):
            assert send(method, address.replace("RUN", sketch), {}).status_code == 405
    assert send("POST", f"/api/runs/{sketch}/metrics", {}).status_code == 405
    assert (store.run(sketch).state, store.run(sketch).request) == (before.state, before.request)
    with store.database.read() as connection:
        assert set(connection.scalars(sa.select(commands.c.kind))) <= {"look"}
        assert connection.scalar(sa.select(sketches.c.touched)) == touched


def test_where_people_sign_in_only_they_look(store):
    class_mode(store, "sign_in = true\n")
    sketch = a_sketch(store)
    assert look(store, sketch, f"{COOKIE}={ADA}") == 6 * [401]
    assert look(store, sketch, f"{USER_COOKIE_NAME}=anybody") == 6 * [401]
    signed = create_signed_value(get_cookie_secret(), USER_COOKIE_NAME, "{}").decode("latin-1")
    assert look(store, sketch, f"{USER_COOKIE_NAME}={signed}") == 6 * [200]


@pytest.mark.parametrize(
    ("method", "address", "body"),
    [
        ("POST", "/api/maps", DESIGN),
        ("POST", "/api/lens", DESIGN | {"chosen": [1, 0]}),
        ("GET", "/api/runs/RUN/maps", None),
        ("GET", "/api/runs/RUN/map?column=1&map=0", None),
    ],
)
def test_a_browser_that_asks_too_often_is_refused_alone(store, monkeypatch, method, address, body):
    address = address.replace("RUN", a_sketch(store))
    monkeypatch.setattr(json_requests, "_limit", json_requests._RateLimit(0.001, 2000))
    for number, statuses in ((ADA, [200, 200, 429]), (BOB, [200])):
        cookie = f"{COOKIE}={number}"
        asked = [send(method, address, body, cookie=cookie) for _ in statuses]
        assert [each.status_code for each in asked] == statuses


def test_a_look_marks_the_sketch_as_seen_once_in_a_while(store, monkeypatch):
    seen: list[str] = []
    monkeypatch.setattr(saved_steps, "_seen", RateLimit(saved_steps.SEEN_EVERY_SECONDS))
    monkeypatch.setattr(Sketches, "see", lambda _, run_id, **_more: seen.append(run_id))
    sketch = a_sketch(store)
    assert look(store, sketch) == 6 * [200]
    assert seen == [sketch]
