"""The Lab's times in a real browser on MNIST: opening, first steps, dragging, drawing, its price.

python -m bench.lab                 starts the real app and Chromium; keep the machine quiet
python -m bench.lab --turns 5       medians of five

Needs MNIST in ``CNNLAB_DATA``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "scripts"))

from serving import serving  # noqa: E402

from cnnlib.data.prepare import prepare  # noqa: E402
from cnnlib.design.link import encode  # noqa: E402
from cnnlib.design.presets import adapt, preset  # noqa: E402
from cnnlib.records.folders import Folders  # noqa: E402
from cnnlib.runs import RunStore  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cnnlib.records.run import Run

WARM_MS = 120_000
DRAG_SECONDS, STROKE_SECONDS, SPEED_SECONDS = 4.0, 3.0, 6.0
DESIGNS = ("lenet5", "cnn3", "resnet20")
GOOD = 97.0  # per cent of the validation sample

EMPTY_APP = 'import streamlit as st\nst.button("play", key="play")\n'

# Finds an element by its test id, also in shadow trees.
FIND = """
window.find = (id, root = document) => {
  const found = root.querySelector(`[data-testid="${id}"]`);
  if (found) return found;
  for (const each of root.querySelectorAll("*")) {
    const inside = each.shadowRoot && window.find(id, each.shadowRoot);
    if (inside) return inside;
  }
  return null;
};
"""
# Records when an element is drawn, on top of everything, and the page is free to take an event.
_OPERABLE = """
(() => {
  const onTop = (element) => {
    const box = element.getBoundingClientRect();
    if (!box.width) return false;
    const top = element.getRootNode()
      .elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    return top !== null && element.contains(top);
  };
  const look = () => {
    const found = document.body && window.find("SIGN");
    if (found && onTop(found)) setTimeout(() => { window.operableAt = performance.now(); });
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();
"""
# Records the milliseconds from an event on one element to the next change of another one.
_WATCH = (
    FIND
    + """
([source, kind, shown]) => {
  window.waits = []; window.times = [];
  let since = null;
  window.find(source).addEventListener(kind, () => { since ??= performance.now(); }, true);
  new MutationObserver(() => {
    const now = performance.now();
    window.times.push(now);
    if (since !== null) { window.waits.push(now - since); since = null; }
  }).observe(window.find(shown), {
    subtree: true, childList: true, characterData: true, attributes: true,
  });
}
"""
)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.lab", description=__doc__)
    parser.add_argument("--turns", type=int, default=5, help="measurements per figure")
    turns = parser.parse_args().turns
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        data = Folders.from_environment().data
        folders = Folders(data=data, runs=Path(folder) / "runs")
        for _ in prepare("mnist", folders):
            pass
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        env = os.environ | {"CNNLAB_DATA": str(data), "CNNLAB_RUNS": str(folders.runs)}
        with serving(Path(folder) / "server.log", env) as served, empty_app(folder) as empty:
            lab = Lab(browser, served.url, folders)
            lab.warm_up()
            opened = [open_seconds(browser, served.url, "lab-play")]
            baseline = [open_seconds(browser, empty, "stBaseButton-secondary")]
            for _ in range(turns):
                opened.append(open_seconds(browser, served.url, "lab-play"))
                baseline.append(open_seconds(browser, empty, "stBaseButton-secondary"))
            _print("open / to an operable play button, s", opened[1:])
            _print("  the same for an empty app, s", baseline[1:])
            starts = [lab.start() for _ in range(turns)]
            _print("play to the first loss, s", [each[0] for each in starts])
            _print(f"play to {GOOD:g} % of the validation sample, s", [each[1] for each in starts])
            drags = [lab.drag() for _ in range(turns)]
            _print("dragging while training: slider to number, ms", [each[0] for each in drags])
            _print("  redraws a second", [each[1] for each in drags])
            _print("release to the first step of the new network, s", [each[2] for each in drags])
            for what, trains in (("training", True), ("paused", False)):
                strokes = [lab.stroke(trains=trains) for _ in range(turns)]
                _print(f"pen to answer while {what}, ms", strokes)
            for name in DESIGNS:
                rates = [lab.redraws(name) for _ in range(turns)]
                _print(f"{name}: all maps redrawn, a second", [each[0] for each in rates])
                _print("  steps a second", [each[1] for each in rates])
            watched, alone = lab.speeds(turns)
            _print("pictures a second, everything moving", watched)
            _print("  with the page closed", alone)
            _print("  ratio", [a / b for a, b in zip(watched, alone, strict=True)])
        browser.close()


def _print(what: str, values: list[float]) -> None:
    """Print a median with its range."""
    print(f"{what:58} {median(values):9.3g}   ({min(values):.3g} to {max(values):.3g})", flush=True)


@contextmanager
def empty_app(folder: str) -> Generator[str]:
    """Serve an app with one button; yields its address."""
    script, port = Path(folder) / "empty.py", 8599
    script.write_text(EMPTY_APP)
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.headless", "true"]
    process = subprocess.Popen(
        [*command, "--server.port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
    )
    url = f"http://localhost:{port}"
    try:
        _wait(lambda: _answers(f"{url}/_stcore/health"), 60)
        yield url
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


def open_seconds(browser: Browser, url: str, test_id: str) -> float:
    """Seconds from opening an address in a new browser to an element that can be used.

    The page's own clock is read: a locator looks only every half second after the first.
    """
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        page.add_init_script(f"{FIND} {_OPERABLE.replace('SIGN', test_id)}")
        page.goto(url)
        page.wait_for_function("window.operableAt", timeout=WARM_MS)
        return page.evaluate("window.operableAt") / 1000


class Lab:
    """The Lab in new browser contexts, each with a sketch of its own."""

    def __init__(self, browser: Browser, url: str, folders: Folders) -> None:
        self._browser, self._url = browser, url
        self._store = RunStore(folders)

    def warm_up(self) -> None:
        """Open the Lab until the viewer shows maps and a sketch has trained."""
        with self._opened() as page:
            self._play(page)

    def start(self) -> tuple[float, float]:
        """Seconds from play to the first loss, and to a good accuracy."""
        with self._opened() as page:
            start = time.perf_counter()
            page.get_by_test_id("lab-play").click()
            loss, accuracy = (page.get_by_test_id(name) for name in ("lab-loss", "lab-accuracy"))
            _wait(lambda: any(map(str.isdigit, loss.inner_text())), 60)
            first = time.perf_counter() - start
            _wait(lambda: _number(accuracy.inner_text()) >= GOOD, 120)
            return first, time.perf_counter() - start

    def drag(self) -> tuple[float, float, float]:
        """Median ms from the slider to the number, redraws a second, seconds to the new network."""
        with self._opened() as page:
            self._play(page)
            page.evaluate(_WATCH, ["lab-channels", "input", "lab-params"])
            box = page.get_by_test_id("lab-channels").bounding_box()
            assert box is not None
            y = box["y"] + box["height"] / 2
            page.mouse.move(box["x"] + box["width"] * 0.2, y)
            page.mouse.down()
            start = time.perf_counter()
            moves = 0
            while time.perf_counter() - start < DRAG_SECONDS:
                moves += 1
                share = 0.1 + 0.8 * abs((moves % 40) / 20 - 1)
                page.mouse.move(box["x"] + box["width"] * share, y)
                page.wait_for_timeout(10)
            waits, times = page.evaluate("[window.waits, window.times]")
            spec = self._newest().request.spec
            page.mouse.up()
            start = time.perf_counter()
            _wait(lambda: self._newest().request.spec != spec, 30)
            origin = self._newest().request.origin
            _wait(lambda: origin is not None and self._newest().step > origin.step, 30)
            return median(waits), len(times) / DRAG_SECONDS, time.perf_counter() - start

    def stroke(self, *, trains: bool) -> float:
        """Median milliseconds from the pen to the answer, during a stroke."""
        with self._opened() as page:
            self._play(page)
            if not trains:
                page.get_by_test_id("lab-play").click()
                _wait(lambda: self._newest().state == "paused", 30)
            page.get_by_test_id("lab-draw").click()
            page.evaluate(_WATCH, ["lab-input", "pointermove", "lab-answers"])
            box = page.get_by_test_id("lab-input").bounding_box()
            assert box is not None
            page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.2)
            page.mouse.down()
            start = time.perf_counter()
            while (share := (time.perf_counter() - start) / STROKE_SECONDS) < 1:
                x = box["x"] + box["width"] * (0.3 + 0.4 * share)
                page.mouse.move(x, box["y"] + box["height"] * (0.2 + 0.6 * abs(share * 6 % 2 - 1)))
                page.wait_for_timeout(10)
            page.mouse.up()
            return median(page.evaluate("window.waits"))

    def redraws(self, preset_name: str) -> tuple[float, float]:
        """Answers with maps a second, each drawn in all columns, and steps a second."""
        spec = adapt(preset(preset_name).spec, (1, 28, 28), 10)
        query = urlencode({"dataset": "mnist", "design": encode(spec)})
        with self._opened(f"{self._url}/?{query}") as page:
            self._play(page)
            answers: list[int] = []
            page.on(
                "response", lambda each: answers.append(each.status) if "maps" in each.url else None
            )
            first, start = self._newest().step, time.perf_counter()
            page.wait_for_timeout(1000 * SPEED_SECONDS)
            seconds = time.perf_counter() - start
            return answers.count(200) / seconds, (self._newest().step - first) / seconds

    def speeds(self, turns: int) -> tuple[list[float], list[float]]:
        """Pictures a second with the page open and closed, in turns."""
        watched, alone = [], []
        with self._opened() as page:
            self._play(page)
            for _ in range(turns):
                watched.append(self._speed())
                page.goto("about:blank")
                alone.append(self._speed())
                page.goto(self._url)
                page.get_by_test_id("lab-map-1-0").wait_for(timeout=WARM_MS)
        return watched, alone

    def _speed(self) -> float:
        time.sleep(2)
        first, start = self._newest(), time.perf_counter()
        time.sleep(SPEED_SECONDS)
        last, seconds = self._newest(), time.perf_counter() - start
        return (last.step - first.step) * last.request.recipe.batch_size / seconds

    def _newest(self) -> Run:
        """The run of the newest sketch."""
        with self._store.database.read() as connection:
            query = "SELECT id FROM runs ORDER BY number DESC LIMIT 1"
            return self._store.run(str(connection.exec_driver_sql(query).scalar()))

    @contextmanager
    def _opened(self, url: str = "") -> Generator[Page]:
        """Open the Lab in a new browser, with its maps; its sketch ends afterwards."""
        with self._browser.new_context(viewport={"width": 1440, "height": 900}) as context:
            page = context.new_page()
            page.goto(url or self._url)
            page.get_by_test_id("lab-map-1-0").wait_for(timeout=WARM_MS)
            page.wait_for_timeout(1000)
            yield page
            run_id = self._newest().id
            self._store.sketches.end(run_id)
            _wait(lambda: self._newest().state not in ("running", "paused", "starting"), 30)

    def _play(self, page: Page) -> None:
        before = self._count()
        page.get_by_test_id("lab-play").click()
        _wait(lambda: self._count() > before and self._newest().step >= 30, 120)

    def _count(self) -> int:
        """The number of the newest run; 0 without any."""
        with self._store.database.read() as connection:
            found = connection.exec_driver_sql("SELECT MAX(number) FROM runs").scalar()
        return int(found or 0)


def _number(text: str) -> float:
    digits = "".join(each for each in text if each.isdigit() or each == ".")
    return float(digits) if digits else 0.0


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"A condition did not come true within {seconds:g} s.")
        time.sleep(0.01)


if __name__ == "__main__":
    main()
