"""The Lab in class mode in two browsers: two networks take turns, and each person drives theirs."""

import re

import pytest
from driving import wait_until
from playwright.sync_api import Browser, Page, expect

from cnnlib.data.prepare import prepare
from cnnlib.runs import RunStore

pytestmark = pytest.mark.browser
COLD = 90_000  # the viewer and the worker import torch first


@pytest.fixture
def store(mnist_folder):
    """The server's store, opened as the operator, with class mode on and MNIST prepared.

    On a smaller dataset a sketch pauses by itself after twenty epochs, which take some seconds.
    """
    store = RunStore()
    for _ in prepare("mnist", store.folders):
        pass
    (store.folders.runs / "cnnlab.toml").write_text("[class]\non = true\n")
    yield store
    store.close()


def open_lab(browser: Browser, url: str) -> Page:
    """Open the Lab in a browser of a person's own, with its maps."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(url)
    expect(page.get_by_test_id("lab-answer")).to_contain_text(re.compile(r"\d"), timeout=COLD)
    return page


def shown(page: Page) -> str:
    """The state of the network and its step, as the bar shows them."""
    return page.get_by_test_id("lab-state").locator("xpath=..").inner_text()


def step(page: Page) -> int:
    found = re.search(r"step ([\d,]+)", shown(page))
    return int(found[1].replace(",", "")) if found else 0


def test_two_networks_take_turns_and_the_one_that_waits_tells_its_place(app_server, browser, store):
    url = app_server({"CNNLAB_WORKERS": "1"})
    hers, his = open_lab(browser, url), open_lab(browser, url)
    try:
        hers.get_by_test_id("lab-play").click()
        wait_until(lambda: step(hers) > 20, hers, 90)
        his.get_by_test_id("lab-play").click()
        wait_until(lambda: "In line: 1" in shown(his), his)
        wait_until(lambda: step(his) > 20, his, 60)
        wait_until(lambda: "In line: 1" in shown(hers), hers)
        before = step(hers)
        his.get_by_test_id("lab-play").click()  # he pauses, and makes room at once
        wait_until(lambda: step(hers) > before, hers, 60)
        with store.database.read() as connection:
            found = connection.exec_driver_sql("SELECT owner FROM runs").scalars().all()
        assert len(set(found)) == len(found) == 2
        assert store.runs() == []
    finally:
        hers.context.close()
        his.context.close()
