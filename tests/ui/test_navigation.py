"""Around the pages: errors that no page answers for, and the way from one page to the next."""

import ast
from pathlib import Path

import pytest
from apps import AppTest
from example_runs import a_running_run

from cnnlib.runs import RunStore
from cnnlib.ui.common.urls import PAGES, TRAIN

MAIN = PAGES.parent / "cnnlib" / "ui" / "server" / "main.py"
NAVIGATION = MAIN.with_name("navigation.py")


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
    body = ast.parse(NAVIGATION.read_text()).body
    table = next(each.value for each in body if ast.unparse(each).startswith("_SHOWN = "))
    named = {row.elts[0].value for row in table.elts}
    assert named == {file.stem for file in PAGES.glob("*.py")}
