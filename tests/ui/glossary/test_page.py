"""The Glossary page: all terms, the search, and a search without a result."""

import pytest
from apps import AppTest

from cnnlib.records.glossary import GLOSSARY
from cnnlib.ui.common.urls import GLOSSARY as PAGE
from cnnlib.ui.common.urls import PAGES

MAIN = PAGES.parent / "cnnlib" / "ui" / "server" / "main.py"


@pytest.fixture
def app() -> AppTest:
    opened = AppTest.from_file(str(MAIN), default_timeout=30).run()
    return opened.switch_page(str(PAGE)).run()


def searched(app: AppTest, query: str) -> AppTest:
    """The page after a search."""
    return app.text_input(key="glossary_search").input(query).run()


def captions(app: AppTest) -> list[str]:
    return [each.value for each in app.caption]


def test_the_page_shows_every_term(app):
    [entries] = app.markdown
    assert not app.exception
    assert entries.value.count("**") == 2 * len(GLOSSARY)
    assert captions(app) == [f"{len(GLOSSARY)} terms"]


def test_a_search_leaves_the_terms_that_contain_it(app):
    [entries] = searched(app, "nhwc").markdown
    assert entries.value.startswith("**Memory format**")
    assert captions(app) == ["1 term"]


def test_a_search_without_a_result_shows_a_sentence(app):
    searched(app, "no *such* word")
    assert not app.exception
    assert list(app.markdown) == []
    assert r"contains all of these words: no \*such\* word" in captions(app)[0]
