"""Class mode with two people in two real browsers: cookies, and sign-in by OpenID."""

from collections.abc import Callable, Generator
from contextlib import ExitStack

import pytest
from driving import state, step, wait_until, write
from openid import provider, secrets
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from serving import free_port

from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore
from cnnlib.ui.common.identity import COOKIE

pytestmark = pytest.mark.browser

READY = 180_000  # ms: a worker imports torch and tries execution modes
NOT_YOURS = "This run belongs to another person. You can view it, but you cannot change it."


@pytest.fixture
def person(browser: Browser) -> Generator[Callable[[], BrowserContext]]:
    """A function that opens a separate browser context for a person."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(
            browser.new_context(viewport={"width": 1280, "height": 900})
        )


@pytest.fixture
def store() -> Generator[RunStore]:
    """The server's store, opened as the operator, with class mode on."""
    store = RunStore()
    settings(store.folders, "on = true")
    yield store
    store.close()


def settings(folders: Folders, text: str) -> None:
    folders.runs.mkdir(parents=True, exist_ok=True)
    (folders.runs / "cnnlab.toml").write_text(f"[class]\n{text}\n")


def begin_a_long_run(page: Page, url: str) -> None:
    """Start a run on the page Train, and wait until it trains."""
    page.goto(f"{url}/train?dataset=digits")
    write(page, "Epochs", 100)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(state(page)).to_have_text("Training", timeout=READY)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def test_a_run_is_of_the_browser_that_began_it_in_every_tab_and_others_only_look(
    store, app_server, person
):
    url, ada, bob = app_server(), person(), person()
    hers = ada.new_page()
    begin_a_long_run(hers, url)

    [cookie] = [each for each in ada.cookies() if each["name"] == COOKIE]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax" and not cookie["secure"]
    assert cookie["value"] not in store.runs()[0].owner  # the store keeps a hash

    his = bob.new_page()
    his.goto(hers.url)
    expect(state(his)).to_have_text("Training")
    seen = step(his)
    wait_until(lambda: step(his) > seen, his)  # others watch
    for name in ("Pause", "One step", "Stop"):
        expect(button(his, name)).to_be_disabled()
    his.get_by_test_id("stTooltipHoverTarget").filter(has=button(his, "Stop")).hover()
    expect(his.get_by_text(NOT_YOURS).first).to_be_visible()

    second = ada.new_page()
    second.goto(hers.url)
    button(second, "Stop").click()
    for page in (second, hers, his):
        expect(state(page)).to_have_text("Stopped")


def test_a_signed_in_person_owns_their_runs_on_every_computer(store, app_server, person, tmp_path):
    settings(store.folders, "on = true\nsign_in = true")
    home, port = tmp_path / "home", free_port()
    (home / ".streamlit").mkdir(parents=True)
    with provider() as provider_url:
        (home / ".streamlit" / "secrets.toml").write_text(
            secrets(provider_url, f"http://localhost:{port}")
        )
        url = app_server({"HOME": str(home)}, port=port)

        def signed_in(name: str) -> Page:
            page = person().new_page()
            page.goto(url)
            button(page, "Sign in").click()
            page.get_by_role("link", name=name).click()
            expect(page.get_by_text(f"Signed in as {name}")).to_be_visible()
            return page

        hers = signed_in("Ada")
        begin_a_long_run(hers, url)

        his = signed_in("Bob")
        his.goto(hers.url)
        expect(button(his, "Stop")).to_be_disabled()

        elsewhere = signed_in("Ada")
        elsewhere.goto(hers.url)
        button(elsewhere, "Stop").click()
        expect(state(hers)).to_have_text("Stopped")

        visitor = person().new_page()
        visitor.goto(hers.url)
        expect(button(visitor, "Sign in")).to_be_visible()
        assert visitor.locator(".status").count() == 0
        [run] = store.runs()
        refused = visitor.request.get(f"{url}/api/runs/{run.id}/metrics?after=0&after_epoch=0")
        assert refused.status in (401, 403)

        button(his, "Sign out").click()
        expect(button(his, "Sign in")).to_be_visible()
