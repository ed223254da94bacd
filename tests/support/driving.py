"""Helpers of the browser tests: reading the live status, waiting, and finding worker processes."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

# Address of each page -> its heading.
HEADINGS = {
    "": "Lab",
    "build": "Build",
    "train": "Train",
    "results": "Results",
    "inspect": "Look inside",
    "convolution": "Look inside",
    "draw": "Draw",
    "data": "Data",
    "glossary": "Glossary",
}
ENDED = re.compile("Finished|Stopped|Interrupted|Diverged|Failed|Lost")
RESTING = "[data-test-script-state=notRunning]"  # no run of the page is going on


def faults(page: Page) -> list[str]:
    """Axe's findings of every impact, a line each."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{fault['impact']}, {fault['id']}: {node['target']} {node['failureSummary']}"
        for fault in found
        for node in fault["nodes"]
    ]


def state(page: Page) -> Locator:
    """The element with the state of the first run."""
    return page.locator(".status .state").first


def fact(page: Page, name: str) -> str:
    """A number of the live status: "step", "epoch", "loss", "val", "rate" or "time"."""
    return page.locator(f'.status [data-fact="{name}"] dd').first.inner_text()


def step(page: Page) -> int:
    """The step that the page shows; -1 before there is one."""
    text = fact(page, "step").split("/")[0].replace(",", "")
    return int(text) if text else -1


def outcome(page: Page) -> float:
    """The test accuracy that an ended run shows, 0..1."""
    shown = page.locator(".status .outcome").first
    expect(shown).to_contain_text("test pictures correct")
    return float(shown.inner_text().split(" %")[0]) / 100


def loss_curve(page: Page) -> str:
    """The pixels of the loss chart as a data URL."""
    canvas = page.locator('.panel[data-panel="loss"] canvas').first
    return canvas.evaluate("canvas => canvas.toDataURL()")


def wait_until(condition: Callable[[], bool], page: Page, seconds: float = 30) -> None:
    """Poll until the condition holds, while the page keeps running."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not come within {seconds:g} s"
        page.wait_for_timeout(50)


def pick(page: Page, label: str, option: str) -> None:
    """Choose from one of Streamlit's menus."""
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option, exact=True).click()


def write(page: Page, label: str, value: int | float) -> None:
    """Write into one of Streamlit's number fields of a page at rest, and leave the field.

    (A field whose default changes in a run of the page is built anew in it.)
    """
    expect(page.locator(RESTING)).to_be_attached()
    field = page.get_by_role("spinbutton", name=label)
    field.fill(str(value))
    field.press("Tab")


def add(page: Page, label: str, value: str) -> None:
    """Add a value to a field that shows its values as chips."""
    box = page.get_by_role("combobox", name=label, exact=True)
    box.press_sequentially(value)
    expect(page.get_by_role("option", name=f"Add: {value}")).to_be_visible()
    box.press("Enter")
    box.press("Escape")  # the open list hides the chips from screen readers
    expect(page.get_by_role("button", name=f"Remove {value}", exact=True).first).to_be_visible()


def result_row(page: Page, title: str) -> Locator:
    """The row of a run in the results table."""
    return page.locator("tr[data-row]", has_text=title)


def workers_of(runs: Path) -> list[psutil.Process]:
    """The worker processes of the app with this folder of runs."""
    return [each for each in psutil.process_iter() if _is_worker(each, runs)]


def _is_worker(process: psutil.Process, runs: Path) -> bool:
    try:
        is_worker = process.name() == "cnnlab-worker" or "cnnlib.train.worker" in process.cmdline()
        return is_worker and process.environ().get("CNNLAB_RUNS") == str(runs)
    except psutil.Error:  # ended meanwhile, or of another user
        return False
