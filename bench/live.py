"""Cost and response time of the live page: ``python -m bench.live``.

One MNIST run trains on one thread in the app's own worker, and a real browser shows its page.
Throughput is compared within that run, in alternating windows with the page open and without it.
The cost of an update is measured on runs of 1,000 and of 100,000 steps that are written to the
store directly. Needs Chromium, and MNIST in ``CNNLAB_DATA``.
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

from bench.live_steps import SimulatedRun
from cnnlib.data.prepare import prepare
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
TURNS = 12  # moves of the slider, and updates of a simulated run
_CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@dataclass(frozen=True)
class Row:
    """One line of the table: the quantity, its value and its goal."""

    quantity: str
    value: str
    goal: str = ""


def main() -> None:
    """Train, measure with and without the page, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=6, help="windows with and without the page")
    parser.add_argument("--window", type=float, default=10.0, help="seconds of each window")
    parser.add_argument("--looking", action="store_true", help="with the test pictures shown")
    parser.add_argument("--runs", type=int, default=1, help="runs that train at the same time")
    options = parser.parse_args()
    os.environ["CNNLAB_WORKERS"] = str(options.runs)
    rows = measure(options.pairs, options.window, options.looking, options.runs)
    width = max(len(row.quantity) for row in rows)
    for row in rows:
        print(f"{row.quantity:{width}}  {row.value:>24}  {row.goal}")


def measure(pairs: int, window: float, with_pictures: bool, runs: int) -> list[Row]:
    """Take all measurements in one app and one browser."""
    with tempfile.TemporaryDirectory() as temporary:
        own = Folders.from_environment()
        folders = Folders(own.data, Path(temporary) / "runs")
        for _ in prepare("mnist", folders):
            pass
        with running_app(folders) as (url, store, browser):
            rows = [_cores()]
            *others, run_id = (train(store) for _ in range(runs))
            rows += watched(url, store, browser, run_id, window, with_pictures)
            rows += [throughput_ratio(url, store, browser, run_id, pairs, window, with_pictures)]
            for each in (*others, run_id):
                store.submit_command(each, Command("stop"))
            _wait_until(lambda: not store.run(run_id).is_live)
            rows += [update_cost(url, store, browser, steps) for steps in (1_000, 100_000)]
        store.close()
        return rows


@contextmanager
def running_app(folders: Folders) -> Generator[tuple[str, RunStore, Browser]]:
    """Start the app and a browser; yield the address, the store and the browser."""
    from playwright.sync_api import sync_playwright

    sys.path.append(str(Path(__file__).parents[1] / "scripts"))
    from serving import serving

    env = os.environ | {"CNNLAB_RUNS": str(folders.runs), "CNNLAB_DATA": str(folders.data)}
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    store = RunStore(folders)
    with serving(folders.runs / "server.log", env) as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_CHROMIUM))
        yield served.url, store, browser
        browser.close()


def train(store: RunStore) -> str:
    """Start a run that lasts longer than all measurements, and wait for its first steps."""
    lenet5 = preset("lenet5")
    request = RunRequest(
        lenet5.spec,
        Recipe(epochs=1000, batch_size=128),
        "mnist",
        mode="t1-nhwc-fp32",
        preset=lenet5.name,
    )
    run_id = store.submit(request)
    _wait_until(lambda: store.run(run_id).step > 50)
    return run_id


@contextmanager
def watching(browser: Browser, address: str, with_pictures: bool = False) -> Generator[Page]:
    """Open the page of a run and wait until its curves are drawn."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    page.locator(CHART).first.wait_for(timeout=1000 * READY_SECONDS)
    page.evaluate(_COUNT_DRAWINGS, CHART)
    if with_pictures:
        page.get_by_text("Test pictures", exact=True).click()
        page.locator(".cards").wait_for(timeout=1000 * READY_SECONDS)
    page.wait_for_timeout(2000)
    yield page
    page.close()


def watched(
    url: str, store: RunStore, browser: Browser, run_id: str, window: float, with_pictures: bool
) -> list[Row]:
    """Rate of curve updates, load of the browser's main thread, and response of a slider."""
    with watching(browser, f"{url}/train?run={run_id}", with_pictures) as page:
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        drawn, busy, since = _drawing_count(page), _busy_seconds(session), time.perf_counter()
        page.wait_for_timeout(1000 * window)
        seconds = time.perf_counter() - since
        updates = (_drawing_count(page) - drawn) / seconds
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
    """Seconds from a key on a slider of Build until a new number of parameters is shown."""
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
        page.wait_for_timeout(400)  # messages after the number still belong to this press
    page.close()
    return answers


def throughput_ratio(
    url: str,
    store: RunStore,
    browser: Browser,
    run_id: str,
    pairs: int,
    window: float,
    with_pictures: bool,
) -> Row:
    """Steps per second with the page open over those without it, in alternating windows."""
    ratios = []
    for _ in range(pairs):
        closed = steps_a_second(store, run_id, window)
        with watching(browser, f"{url}/train?run={run_id}", with_pictures):
            opened = steps_a_second(store, run_id, window)
        closed_again = steps_a_second(store, run_id, window)
        ratios.append(2 * opened / (closed + closed_again))
    text = f"{median(ratios):.3f} ({min(ratios):.2f} to {max(ratios):.2f})"
    state = "page open, test pictures shown" if with_pictures else "page open"
    return Row(f"throughput, {state} over closed", text, ">= 0.95")


def steps_a_second(store: RunStore, run_id: str, window: float) -> float:
    """Steps per second of training time, which excludes the evaluation between epochs."""
    first = store.run(run_id)
    time.sleep(window)
    last = store.run(run_id)
    return (last.step - first.step) / (last.train_seconds - first.train_seconds)


def update_cost(url: str, store: RunStore, browser: Browser, steps: int) -> Row:
    """Milliseconds of the browser's main thread for one update of a run of `steps` steps."""
    simulated = SimulatedRun(store, steps)
    with watching(browser, f"{url}/train?run={simulated.run_id}") as page:
        page.wait_for_function(
            _SHOWS_STEP, arg=simulated.step, polling=1000, timeout=1000 * READY_SECONDS
        )
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        before, drawn = _busy_seconds(session), _drawing_count(page)
        for _ in range(TURNS):
            simulated.add_steps(20)
            page.wait_for_timeout(500)
        busy, updates = _busy_seconds(session) - before, _drawing_count(page) - drawn
    simulated.end()
    return Row(f"an update at {steps:,} steps", f"{1000 * busy / max(1, updates):.1f} ms")


def _busy_seconds(session: CDPSession) -> float:
    """Processor seconds of the browser's main thread so far."""
    metrics: dict[str, Any] = session.send("Performance.getMetrics")
    return next(each["value"] for each in metrics["metrics"] if each["name"] == "TaskDuration")


def _drawing_count(page: Page) -> int:
    return page.evaluate("() => window.drawings")


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"It did not come within {READY_SECONDS:.0f} s.")
        time.sleep(0.2)


def _cores() -> Row:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return Row("processor cores, load before", f"{os.cpu_count()}, {load:.1f}")


# Counts drawings of the loss chart by the call that starts one: uPlot clears the canvas first.
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
# Measures the time from the key's event to a new number of parameters on the page.
_WATCH_NUMBER = """() => {
  window.answered = null;
  const read = () => [...document.querySelectorAll(".st-key-build_picture *")]
    .find(each => each.shadowRoot)?.shadowRoot.querySelector(".numbers dd")?.textContent;
  const before = read();
  let pressed = null;
  const note = event => { pressed = event.timeStamp; };
  addEventListener("keydown", note, { once: true, capture: true });
  const look = () => {
    if (pressed === null || read() === before) requestAnimationFrame(look);
    else window.answered = performance.now() - pressed;
  };
  look();
}"""


if __name__ == "__main__":
    main()
