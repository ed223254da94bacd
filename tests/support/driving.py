"""What the browser tests do with the pages: read the live status, wait for it, find a worker."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from playwright.sync_api import Locator, Page, expect

# Address of each page -> its heading.
HEADINGS = {
    "": "CNN Lab",
    "build": "Build",
    "train": "Train",
    "results": "Results",
    "compare": "Compare",
    "experiments": "Experiments",
    "inspect": "Inspect",
    "convolution": "Convolution",
    "draw": "Draw",
    "data": "Data",
}
ENDED = re.compile("Finished|Stopped|Interrupted|Diverged|Failed|Lost")


def state(page: Page) -> Locator:
    """The word for what a run is doing."""
    return page.locator(".status .state").first


def fact(page: Page, name: str) -> str:
    """A number of the live status: "step", "epoch", "loss", "val", "rate" or "time"."""
    return page.locator(f'.status [data-fact="{name}"] dd').first.inner_text()


def step(page: Page) -> int:
    """The step that the page shows; -1 before it shows one."""
    words = fact(page, "step").split("/")[0].replace(",", "")
    return int(words) if words else -1


def outcome(page: Page) -> float:
    """The test accuracy that an ended run shows, 0..1."""
    words = page.locator(".status .outcome").first
    expect(words).to_contain_text("test pictures right")
    return float(words.inner_text().split(" %")[0]) / 100


def loss_curve(page: Page) -> str:
    """The picture of the loss chart."""
    canvas = page.locator('.panel[data-panel="loss"] canvas').first
    return canvas.evaluate("canvas => canvas.toDataURL()")


def wait_until(is_so: Callable[[], bool], page: Page, seconds: float = 30) -> None:
    """Poll, while the page goes on, until something is so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"it did not come within {seconds:g} s"
        page.wait_for_timeout(50)


def pick(page: Page, label: str, option: str) -> None:
    """Choose from one of Streamlit's menus."""
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option, exact=True).click()


def write(page: Page, label: str, value: int | float) -> None:
    """Write into one of Streamlit's number fields, and leave it."""
    field = page.get_by_role("spinbutton", name=label)
    field.fill(str(value))
    field.press("Tab")


def result_row(page: Page, title: str) -> Locator:
    """The row of a run in the results table, in the grid that stands inside the canvas."""
    return page.locator("canvas [role=gridcell]", has_text=title)


def workers_of(runs: Path) -> list[psutil.Process]:
    """The worker processes of the app that keeps its runs there."""
    return [each for each in psutil.process_iter() if _is_worker(each, runs)]


def _is_worker(process: psutil.Process, runs: Path) -> bool:
    try:
        is_worker = "cnnlib.train.worker" in process.cmdline()
        return is_worker and process.environ().get("CNNLAB_RUNS") == str(runs)
    except psutil.Error:  # ended meanwhile, or another person's
        return False
