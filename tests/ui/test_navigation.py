"""Around the pages: errors that no page answers for, and the way from one page to the next."""

from pathlib import Path

import pytest
from apps import AppTest
from example_runs import a_running_run

from cnnlib.runs import RunStore
from cnnlib.ui.common.urls import PAGES, TRAIN
from cnnlib.ui.server import navigation

MAIN = PAGES.parent / "cnnlib" / "ui" / "server" / "main.py"


def opened(page: Path | None = None, **query: str) -> AppTest:
    """The app at one of its pages; None is the first."""
    app = AppTest.from_file(str(MAIN), default_timeout=30).run()
    if page is None:
        return app
    for key, value in query.items():
        app.query_params[key] = value
    return app.switch_page(str(page)).run()


def test_a_run_store_that_cannot_be_made_is_said_in_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("CNNLAB_RUNS", str(tmp_path / "file" / "runs"))
    app = opened()
    assert not app.exception
    assert "cannot be created" in app.error[0].value


@pytest.mark.parametrize("button", ["train_another", "train_inspect", "train_results"])
def test_the_buttons_of_a_run_lead_on(button):
    store = RunStore()
    run_id, _ = a_running_run(store)
    app = opened(TRAIN, run=run_id)
    app.button(key=button).click().run()
    assert not app.exception
    assert [each.value for each in app.title] != [store.run(run_id).title]
    store.close()


def test_every_file_in_pages_is_in_the_navigation():
    named = {row[0] for row in (*navigation._MENU, *navigation._OTHERS)}
    assert named == {file.stem for file in PAGES.glob("*.py")}


def test_the_menu_is_in_the_order_of_a_first_lesson():
    titles = [row[1] for row in navigation._MENU]
    assert titles == ["Lab", "Build", "Train", "Look inside", "Draw", "Results", "Data", "Glossary"]


@pytest.mark.parametrize(
    ("name", "query", "section"),
    [
        ("compare", {}, "duel"),
        ("compare", {"duel": "nothing"}, "duel"),
        ("experiments", {}, "experiment"),
        ("experiments", {"experiment": "nothing"}, "experiment"),
    ],
)
def test_addresses_of_earlier_versions_lead_to_results(name, query, section):
    app = opened(PAGES / f"{name}.py", **query)
    assert not app.exception
    assert [each.value for each in app.title] == ["Results"]
    assert app.session_state["results_section"] == section
    assert app.query_params == (query or {"view": section})
