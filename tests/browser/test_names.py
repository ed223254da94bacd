"""Names are shown literally on all pages, without interpretation as Markdown or HTML."""

import pytest
from driving import add
from example_runs import a_running_run, steps, the_end
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser

NAME = "**x** [a](http://b) <b> :red[c] $d$ `e` :smile: :material/home: &lt; # f"
COLD = 60_000  # ms: the first page of a server that shares its cores
ALIVE = "strong, em, code, del, a[href^='http'], b, img, .katex, [data-testid=stIconMaterial]"


@pytest.fixture
def run_id(store) -> str:
    run_id, worker_id = a_running_run(store, name=NAME)
    store.record_events(run_id, worker_id, [*steps(1, 20), the_end()])
    return run_id


def read(place: Locator) -> str:
    """The visible text of a place."""
    return place.inner_text().replace("\u2060", "")


def test_a_name_is_shown_as_it_was_typed(url, page, run_id):
    page.goto(f"{url}/train?run={run_id}")
    title = page.get_by_role("heading", level=1)
    expect(title).to_be_visible(timeout=COLD)
    assert read(title) == NAME
    expect(title.locator(ALIVE)).to_have_count(0)
    page.goto(url)
    link = page.locator(f"a[href$='run={run_id}']")  # one of the Lab's last runs
    expect(link).to_be_visible(timeout=COLD)
    assert read(link) == NAME
    expect(link.locator(ALIVE)).to_have_count(0)


def test_an_error_shows_the_typed_text_literally(url, page):
    typed = "**x** [a](http://b) <b> :smile: `e`"
    page.goto(f"{url}/experiments")
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=COLD)
    page.get_by_role("button", name="Remove Optimiser").click()
    for value in ("0.003", "0.01", "0.03"):
        page.get_by_role("button", name=f"Remove {value}", exact=True).click()
    add(page, "Learning rate", typed)
    page.get_by_role("button", name="Start", exact=True).click()
    error = page.get_by_test_id("stAlert")
    expect(error).to_contain_text("No combination is a valid design")
    assert typed in read(error)
    expect(error.locator("strong, em, code, a")).to_have_count(0)
