"""Start and idle memory: the server, the first page, the first step: ``python -m bench.start``.

The lab and an empty ``st.App`` are started in turns, with warm files, and opened in Chromium. Then
a digits run that is trained for the second time is started from the Train page. Keep the machine
quiet.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "scripts"))

from serving import Served, serving  # noqa: E402

from cnnlib.records.folders import Folders  # noqa: E402
from cnnlib.runs import RunStore  # noqa: E402

EMPTY_SERVER = 'import streamlit as st\napp = st.App("page.py")\n'
EMPTY_PAGE = 'import streamlit as st\nst.title("Empty")\n'
LAB = ("-m", "cnnlib", "app")  # as `make run` does it
EMPTY = ("-m", "streamlit", "run", "app.py")
READY_MS = 120_000


@contextmanager
def app(start: tuple[str, ...], folder: Path, runs: Path) -> Generator[tuple[Served, float]]:
    """Serve an app; yield it with the seconds until it answered."""
    env = os.environ | {"CNNLAB_RUNS": str(runs), "PYTHONPATH": str(ROOT)}
    begin = time.perf_counter()
    with serving(runs.with_suffix(".log"), env, start=start, folder=folder) as served:
        yield served, time.perf_counter() - begin


# Records when the first heading is in the page and the next frame begins.
_PAINTED = """
const look = () => {
  if (document.querySelector("h1")) {
    requestAnimationFrame(() => { window.paintedAt = performance.now(); });
  } else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


def painted_seconds(browser: Browser, url: str) -> float:
    """Return the seconds from opening an address to its first heading on the screen."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script(_PAINTED)
    page.goto(url, wait_until="commit")
    painted = page.wait_for_function("window.paintedAt", timeout=READY_MS).json_value()
    context.close()
    return float(painted) / 1000


def starts(browser: Browser, temporary: Path, turns: int) -> dict[str, list[float]]:
    """Start both apps in turns; seconds to an answer and from there to the first page."""
    empty = temporary / "empty"
    empty.mkdir()
    (empty / "app.py").write_text(EMPTY_SERVER)
    (empty / "page.py").write_text(EMPTY_PAGE)
    times: dict[str, list[float]] = {}
    for turn in range(turns + 1):  # the first turn warms the files
        for name, start, folder in (("lab", LAB, ROOT), ("empty", EMPTY, empty)):
            runs = temporary / f"{name}-{turn}"
            with app(start, folder, runs) as (served, answered):
                painted = painted_seconds(browser, served.url)
            if turn:
                times.setdefault(f"{name}: answer", []).append(answered)
                times.setdefault(f"{name}: page", []).append(painted)
    return times


def first_steps(browser: Browser, temporary: Path, turns: int) -> tuple[list[float], list[str]]:
    """Press Train for a design that was trained before; seconds to its first recorded step.

    Returns:
        The seconds, and a line about each process of the idle app.
    """
    runs = temporary / "press"
    seconds = []
    with app(LAB, ROOT, runs) as (served, _), closing(RunStore(Folders(_data(), runs))) as store:
        page = browser.new_page(viewport={"width": 1440, "height": 1400})
        page.goto(f"{served.url}/train?dataset=digits")
        button = page.get_by_role("button", name="Train", exact=True)
        button.wait_for(timeout=READY_MS)
        page.wait_for_timeout(15_000)  # until the worker has imported everything
        for turn in range(turns + 1):
            known = len(store.runs())
            begin = time.perf_counter()
            button.click()
            while len(store.runs()) == known or not store.runs(limit=1)[0].step:
                time.sleep(0.005)
            if turn:  # the first one measured the modes
                seconds.append(time.perf_counter() - begin)
            while store.runs(limit=1)[0].is_live:
                time.sleep(0.1)
            page.goto(f"{served.url}/train?dataset=digits")
            button.wait_for(timeout=READY_MS)
            page.wait_for_timeout(1000)
        page.close()
        memory = [_memory(each) for each in _family(served.process.pid)]
    return seconds, memory


def _data() -> Path:
    return Folders.from_environment().data


def _family(pid: int) -> list[psutil.Process]:
    server = psutil.Process(pid)
    return [server, *server.children(recursive=True)]


def _memory(process: psutil.Process) -> str:
    memory: Any = process.memory_full_info()
    mega = 1_000_000
    return (
        f"{process.name():18} resident {memory.rss / mega:5.0f} MB, its own share "
        f"{memory.pss / mega:5.0f} MB, alone {memory.uss / mega:5.0f} MB"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        times = starts(browser, Path(temporary), options.turns)
        for name, values in times.items():
            print(f"{name:16} {median(values):6.2f} s ({min(values):.2f} to {max(values):.2f})")
        for what in ("answer", "page"):
            pairs = zip(times[f"lab: {what}"], times[f"empty: {what}"], strict=True)
            ratio = median(lab / empty for lab, empty in pairs)
            print(f"lab / empty, {what:6} {ratio:6.2f}   goal 1.3")
        seconds, memory = first_steps(browser, Path(temporary), options.turns)
        print(
            f"press to first step {median(seconds):.2f} s ({min(seconds):.2f} to "
            f"{max(seconds):.2f})   goal 0.3"
        )
        print(*memory, sep="\n")
        browser.close()


if __name__ == "__main__":
    main()
