"""The routes beside the pages: metrics and report of a run, and static files."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from example_runs import a_running_run, an_epoch, steps
from starlette.applications import Starlette
from streamlit import config

from cnnlib.runs import RunStore
from cnnlib.ui.common.urls import script
from cnnlib.ui.server.routes import RUNS_ADDRESS, at_root, routes


def get(address: str, **options: Any) -> httpx.Response:
    """Send a GET request to the routes alone, without a network."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=Starlette(routes=routes()))
        async with httpx.AsyncClient(transport=transport, base_url="http://lab") as client:
            return await client.get(address, **options)

    return asyncio.run(send())


@pytest.fixture
def store():
    """The run store that the routes read in this test."""
    store = RunStore()
    yield store
    store.close()


def test_the_rows_after_the_cursor_are_answered(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, steps(1, 5))
    answer = get(f"/api/runs/{run_id}/metrics?after=3&after_epoch=0").json()
    assert answer["steps"]["step"] == [4, 5]
    assert (answer["state"], answer["step"], answer["more"]) == ("running", 5, False)


def test_without_a_cursor_everything_is_answered(store):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, steps(1, 2))
    assert get(f"/api/runs/{run_id}/metrics").json()["steps"]["step"] == [1, 2]


def test_under_a_path_of_its_own_the_server_answers_where_its_pages_ask(store):
    run_id, _ = a_running_run(store)
    config.set_option("server.baseUrlPath", "cnnlab")
    try:
        assert get(f"{at_root(RUNS_ADDRESS)}/{run_id}/metrics").json()["state"] == "running"
        assert get(script("common/live/live.js")).status_code == 200
        assert script("common/live/live.js") == "/cnnlab/assets/common/live/live.js"
    finally:
        config.set_option("server.baseUrlPath", "")


def test_an_unknown_run_is_a_sentence():
    answer = get("/api/runs/nosuchrun/metrics")
    assert answer.status_code == 404
    assert "nosuchrun" in answer.json()["error"]


@pytest.mark.parametrize("cursor", ["-1", "x", "1.5", "1" * 16, "٣", "1e3", ""])
def test_a_cursor_that_is_no_step_is_refused(cursor):
    answer = get("/api/runs/any/metrics", params={"after": cursor})
    assert answer.status_code == 400
    assert "whole number" in answer.json()["error"]


def test_answers_are_not_kept_and_scripts_are_asked_about_each_time(store):
    run_id, _ = a_running_run(store)
    assert get(f"/api/runs/{run_id}/metrics").headers["cache-control"] == "no-store"
    script = get("/assets/common/live/live.js")
    assert script.headers["cache-control"] == "no-cache"
    assert script.headers["content-type"].startswith("text/javascript")
    again = get("/assets/common/live/live.js", headers={"If-None-Match": script.headers["etag"]})
    assert again.status_code == 304


def test_nothing_outside_the_folder_of_assets_is_served():
    assert get("/assets/common/../urls.py").status_code == 404
    assert get("/assets/common/%2e%2e/urls.py").status_code == 404


def test_the_licence_of_the_chart_library_lies_beside_it():
    assert "MIT License" in get("/assets/common/uplot/LICENSE.txt").text


def test_what_is_wrong_with_a_run_and_what_was_chosen_is_told_in_words(store):
    run_id, worker_id = a_running_run(store)
    # The validation loss of these epochs stays; the training loss falls from 1 to 1/4.
    worse = [replace(an_epoch(at, 2 * at), val_loss=0.8 + at / 10) for at in range(1, 10)]
    store.record_events(run_id, worker_id, [*steps(1, 20), *worse])
    answer = get(f"/api/runs/{run_id}/words").json()
    assert [problem["title"] for problem in answer["troubles"]] == ["Over-fitting since epoch 1"]
    assert answer["explained"]["Machine"] == "abacus, torch 2."


def test_words_about_an_unknown_run_are_a_sentence():
    answer = get("/api/runs/nosuchrun/words")
    assert (answer.status_code, "nosuchrun" in answer.json()["error"]) == (404, True)
