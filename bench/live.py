"""What the live page costs and how quickly it answers: ``python -m bench.live``.

One MNIST run trains for real, on one thread, in the app's own worker, and a real browser watches.
Throughput is compared within that run: windows of some seconds with the page open and without it
take turns. The cost of an update is measured on runs of 1,000 and of 100,000 steps that are put
into the store directly. Needs Chromium, and MNIST in ``CNNLAB_DATA``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.live_steps import Fed
from cnnlib.data.prepare import prepare
from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.design.presets import preset
from cnnlib.records.events import Command
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.runs import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from playwright.sync_api import Browser, CDPSession, Page

CHART = '.panel[data-panel="loss"] canvas'
READY_SECONDS = 300.0
TURNS = 12  # moves of the slider, updates of a run that is fed
_CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@dataclass(frozen=True)
class Row:
    """One line of the table: what, how much, and what was asked for."""

    what: str
    value: str
    goal: str = ""


def main() -> None:
    """Train, watch, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=6, help="windows with and without the page")
    parser.add_argument("--window", type=float, default=10.0, help="seconds of each window")
    parser.add_argument("--looking", action="store_true", help="with What it sees open")
    options = parser.parse_args()
    rows = measure(options.pairs, options.window, options.looking)
    width = max(len(row.what) for row in rows)
    for row in rows:
        print(f"{row.what:{width}}  {row.value:>24}  {row.goal}")


def measure(pairs: int, window: float, looking: bool) -> list[Row]:
    """Everything, in one app and one browser."""
    with tempfile.TemporaryDirectory() as temporary:
        own = Folders.from_environment()
        folders = Folders(own.data, Path(temporary) / "runs")
        for _ in prepare("mnist", folders):
            pass
        with an_app(folders) as (url, store, browser):
            rows = [_cores()]
            run_id = train(store)
            rows += watched(url, store, browser, run_id, window, looking)
            rows += [throughput(url, store, browser, run_id, pairs, window, looking)]
            store.submit_command(run_id, Command("stop"))
            _until(lambda: not store.run(run_id).is_live)
            rows += [update_cost(url, store, browser, steps) for steps in (1_000, 100_000)]
        store.close()
        return rows


@contextmanager
def an_app(folders: Folders) -> Generator[tuple[str, RunStore, Browser]]:
    """The app, its store, and a browser."""
    from playwright.sync_api import sync_playwright

    sys.path.append(str(Path(__file__).parents[1] / "scripts"))
    from serving import serving

    env = os.environ | {"CNNLAB_RUNS": str(folders.runs), "CNNLAB_DATA": str(folders.data)}
    env["OMP_NUM_THREADS"] = "1"
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    store = RunStore(folders)
    with serving(folders.runs / "server.log", env) as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_CHROMIUM))
        yield served.url, store, browser
        browser.close()


def train(store: RunStore) -> str:
    """Begin a run that lasts longer than all measurements, and wait for its steps."""
    chosen = preset("lenet5")
    costs = cost(plan(chosen.spec))
    request = RunRequest(
        chosen.spec, Recipe(epochs=1000, batch_size=128), "mnist", preset=chosen.name
    )
    run_id = store.submit(request, {"params": costs.params, "macs": costs.macs})
    _until(lambda: store.run(run_id).step > 50)
    return run_id


@contextmanager
def watching(browser: Browser, address: str, looking: bool = False) -> Generator[Page]:
    """The page of a run, with its curves drawn."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    page.locator(CHART).first.wait_for(timeout=1000 * READY_SECONDS)
    page.evaluate(_COUNT_DRAWINGS, CHART)
    if looking:
        page.get_by_text("Test pictures", exact=True).click()
        page.locator(".cards").wait_for(timeout=1000 * READY_SECONDS)
    page.wait_for_timeout(2000)
    yield page
    page.close()


def watched(
    url: str, store: RunStore, browser: Browser, run_id: str, window: float, looking: bool
) -> list[Row]:
    """Updates of the curve, the browser's main thread, and how a slider answers meanwhile."""
    with watching(browser, f"{url}/train?run={run_id}", looking) as page:
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        drawn, busy, since = _drawings(page), _busy_seconds(session), time.perf_counter()
        page.wait_for_timeout(1000 * window)
        seconds = time.perf_counter() - since
        updates = (_drawings(page) - drawn) / seconds
        share = (_busy_seconds(session) - busy) / seconds
    answers = slider_seconds(url, browser)
    return [
        Row("curve updates a second", f"{updates:.2f}", ">= 4"),
        Row("main thread of the browser", f"{share:.1%}", "< 15 %"),
        Row(
            "slider to DOM while it trains",
            f"median {1000 * median(answers):.0f} ms, worst {1000 * max(answers):.0f} ms",
            "< 300 ms",
        ),
    ]


def slider_seconds(url: str, browser: Browser) -> list[float]:
    """Seconds from a key on a slider of Build until another number of parameters is shown."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{url}/build")
    slider = page.locator('input[type=range][aria-label="Width"]')
    slider.wait_for(timeout=1000 * READY_SECONDS)
    page.wait_for_timeout(3000)
    answers = []
    for turn in range(TURNS):
        page.evaluate(_WATCH_NUMBER)
        slider.press("ArrowLeft" if turn % 2 else "ArrowRight")
        page.wait_for_function("window.answered !== null")
        answers.append(page.evaluate("window.answered") / 1000)
        page.wait_for_timeout(400)  # what comes after the number belongs to this press
    page.close()
    return answers


def throughput(
    url: str,
    store: RunStore,
    browser: Browser,
    run_id: str,
    pairs: int,
    window: float,
    looking: bool,
) -> Row:
    """Steps a second with the page open over steps a second without, windows taking turns."""
    ratios = []
    for _ in range(pairs):
        closed = steps_a_second(store, run_id, window)
        with watching(browser, f"{url}/train?run={run_id}", looking):
            opened = steps_a_second(store, run_id, window)
        closed_again = steps_a_second(store, run_id, window)
        ratios.append(2 * opened / (closed + closed_again))
    words = f"{median(ratios):.3f} ({min(ratios):.2f} to {max(ratios):.2f})"
    what = "page open, What it sees open" if looking else "page open"
    return Row(f"throughput, {what} over closed", words, ">= 0.95")


def steps_a_second(store: RunStore, run_id: str, window: float) -> float:
    """By the run's own watch, so that measuring a split between two epochs does not count."""
    first = store.run(run_id)
    time.sleep(window)
    last = store.run(run_id)
    return (last.step - first.step) / (last.train_seconds - first.train_seconds)


def update_cost(url: str, store: RunStore, browser: Browser, steps: int) -> Row:
    """Milliseconds of the browser's main thread for one update of a run of that length."""
    fed = Fed(store, steps)
    with watching(browser, f"{url}/train?run={fed.run_id}") as page:
        page.wait_for_function(
            _SHOWS_STEP, arg=fed.step, polling=1000, timeout=1000 * READY_SECONDS
        )
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        before, drawn = _busy_seconds(session), _drawings(page)
        for _ in range(TURNS):
            fed.tell(20)
            page.wait_for_timeout(500)
        busy, updates = _busy_seconds(session) - before, _drawings(page) - drawn
    fed.end()
    return Row(f"an update at {steps:,} steps", f"{1000 * busy / max(1, updates):.1f} ms")


def _busy_seconds(session: CDPSession) -> float:
    """What the main thread has computed so far; waiting for a processor does not count."""
    metrics: dict[str, Any] = session.send("Performance.getMetrics")
    return next(each["value"] for each in metrics["metrics"] if each["name"] == "TaskDuration")


def _drawings(page: Page) -> int:
    return page.evaluate("() => window.drawings")


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit(f"It did not come within {READY_SECONDS:.0f} s.")
        time.sleep(0.2)


def _cores() -> Row:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return Row("processor cores, load before", f"{os.cpu_count()}, {load:.1f}")


# A drawing of the loss chart is counted where it starts: uPlot clears the canvas first.
_COUNT_DRAWINGS = """chart => {
  window.drawings = 0;
  const clear = CanvasRenderingContext2D.prototype.clearRect;
  const hosts = [...document.querySelectorAll("*")].map(each => each.shadowRoot).filter(Boolean);
  const find = () => [document, ...hosts].map(root => root.querySelector(chart)).find(Boolean);
  CanvasRenderingContext2D.prototype.clearRect = function (...box) {
    if (this.canvas === find()) window.drawings++;
    return clear.apply(this, box);
  };
}"""
_SHOWS_STEP = """step => [document, ...[...document.querySelectorAll("*")]
  .map(each => each.shadowRoot).filter(Boolean)]
  .map(root => root.querySelector('[data-fact="step"] dd')).filter(Boolean)
  .some(fact => Number(fact.textContent.split("/")[0].replaceAll(",", "")) >= step)"""
# From the key's own event to another number of parameters on the page.
_WATCH_NUMBER = """() => {
  window.answered = null;
  const read = () => document.querySelector("[data-testid=stMetricValue]").textContent;
  const before = read();
  let pressed = null;
  const note = event => { pressed = event.timeStamp; };
  addEventListener("keydown", note, { once: true, capture: true });
  const watcher = new MutationObserver(() => {
    if (pressed === null || read() === before) return;
    window.answered = performance.now() - pressed;
    watcher.disconnect();
  });
  watcher.observe(document, { subtree: true, childList: true, characterData: true });
}"""


if __name__ == "__main__":
    main()
