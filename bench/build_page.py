"""Time from a slider's change to the new numbers in the browser, split into its parts.

python -m bench.build_page                 starts the real app and Chromium; keep the machine quiet
python -m bench.build_page --presses 60
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median, quantiles
from timeit import repeat

import psutil
from playwright.sync_api import Browser, Locator, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "scripts"))

from typing import TYPE_CHECKING  # noqa: E402

from serving import Served, serving  # noqa: E402

from cnnlib.design import link  # noqa: E402
from cnnlib.design.cost import cost  # noqa: E402
from cnnlib.design.plan import plan  # noqa: E402
from cnnlib.design.presets import preset  # noqa: E402
from cnnlib.design.spec import CNNSpec  # noqa: E402
from cnnlib.figures.architecture_svg import architecture_svg  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

SIXTY = CNNSpec(
    in_size=(3, 32, 32),
    channels=(16,) * 20 + (32,) * 20 + (64,) * 20,
    pool_every=20,
    block="residual",
    block_convs=2,
    norm="batch",
    head="gap",
)
# Name -> the design, and the most milliseconds that the median may take.
DESIGNS: dict[str, tuple[CNNSpec, float]] = {
    "lenet5": (preset("lenet5").spec, 150),
    "60 convolutions": (SIXTY, 300),
}
WARM_SECONDS = 120
WARM_UP = 5  # presses that are not counted, in which the browser compiles its code

# Records for each key press when the browser sent it, received the first and the last message of
# the answer, and displayed the new number.
_WATCH = """
const Plain = window.WebSocket;
window.note = {};
window.WebSocket = class extends Plain {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", () => {
      if (note.sent) { note.first ??= performance.now(); note.last = performance.now(); }
    });
  }
  send(message) {
    if (note.pressed) note.sent ??= performance.now();
    super.send(message);
  }
};
addEventListener("keydown", () => { window.note = { pressed: performance.now() }; }, true);
const look = () => {
  const shown = [...document.querySelectorAll(".st-key-build_picture *")]
    .find(each => each.shadowRoot)?.shadowRoot.querySelector(".numbers dd")?.textContent;
  if (note.pressed && !note.shown && shown !== window.shownBefore) note.shown = performance.now();
  window.shownBefore = shown;
  requestAnimationFrame(look);
};
look();
"""

Press = dict[str, float]  # milliseconds since the key went down


def microseconds(call: Callable[[], object], runs: int = 50) -> float:
    """Microseconds of one call, the best of five measurements."""
    return min(repeat(call, number=runs, repeat=5)) / runs * 1e6


def calculation_times(spec: CNNSpec) -> dict[str, float]:
    """Microseconds of each calculation that the page repeats at every change."""
    planned = plan(spec)
    return {
        "plan": microseconds(lambda: plan(spec)),
        "cost": microseconds(lambda: cost(planned, batch_size=128, optimizer="adamw")),
        "picture": microseconds(lambda: architecture_svg(planned)),
        "link": microseconds(lambda: link.encode(spec)),
    }


def wait_until_idle(server: psutil.Process, page: Page) -> None:
    """Wait until the app and its worker have finished the imports of their start."""
    deadline = time.monotonic() + WARM_SECONDS
    busy = _cpu_seconds(server)
    while time.monotonic() < deadline:
        page.wait_for_timeout(2000)
        before, busy = busy, _cpu_seconds(server)
        if busy - before < 0.1:
            return


def _cpu_seconds(server: psutil.Process) -> float:
    """Processor seconds of a process and its running descendants."""
    total = 0.0
    for process in (server, *server.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def presses(browser: Browser, served: Served, spec: CNNSpec, count: int) -> list[Press]:
    """Press an arrow key on the slider for width `count` times, each after the last settled."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.add_init_script(_WATCH)
        page.goto(f"{served.url}/build?design={link.encode(spec)}")
        slider = page.locator('input[type=range][aria-label="Width"]')
        slider.wait_for()
        page.locator("[data-layer]").first.wait_for()
        wait_until_idle(psutil.Process(served.process.pid), page)
        taken = [_press(page, slider, number) for number in range(WARM_UP + count)]
        return taken[WARM_UP:]


def _press(page: Page, slider: Locator, number: int) -> Press:
    """Press once, right and left in turn, and return the browser's times."""
    slider.press("ArrowLeft" if number % 2 else "ArrowRight")
    page.wait_for_function("window.note.shown")
    page.wait_for_timeout(400)  # messages after the number still belong to this press
    note = page.evaluate("window.note")
    return {name: note[name] - note["pressed"] for name in ("sent", "first", "last", "shown")}


def report(name: str, spec: CNNSpec, taken: list[Press], limit: float) -> bool:
    """Print the parts of the time; return whether the median is within its limit."""
    middle = {key: median(press[key] for press in taken) for key in taken[0]}
    shown = sorted(press["shown"] for press in taken)
    print(f"\n{name}: {len(taken)} presses, key down -> new number in the page")
    print(f"  median {middle['shown']:.0f} ms (at most {limit:.0f}), ", end="")
    tenths = quantiles(shown, n=10)
    print(f"p10 {tenths[0]:.0f} ms, p90 {tenths[-1]:.0f} ms")
    print(f"  {middle['sent']:6.0f} ms  key down -> sent to the server")
    print(f"  {middle['first'] - middle['sent']:6.0f} ms  -> first of the answer")
    print(f"  {middle['last'] - middle['first']:6.0f} ms  -> last of the answer")
    print(f"  {middle['shown'] - middle['last']:+6.0f} ms  -> number in the page")
    for calculation, spent in calculation_times(spec).items():
        print(f"  {spent / 1000:6.2f} ms  of the server's time: {calculation}")
    return middle["shown"] <= limit


def main() -> int:
    """Measure both designs; return 1 if a median is above its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presses", type=int, default=30)
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        runs = Path(folder) / "runs"
        env = {**os.environ, "CNNLAB_RUNS": str(runs), "CNNLAB_DATA": str(Path(folder) / "data")}
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with serving(Path(folder) / "server.log", env) as served:
            within = [
                report(name, spec, presses(browser, served, spec, options.presses), limit)
                for name, (spec, limit) in DESIGNS.items()
            ]
        browser.close()
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
