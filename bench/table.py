"""Time to open and to search the results table in a browser: ``python -m bench.table``.

The table has the rows of 1,000 runs, which are recorded without a training; ``--runs N`` sets their
number. Needs Chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median

from cnnlib.design.spec import CNNSpec
from cnnlib.records.events import EpochEnd, RunEnd, SplitResult, Started, StepMetrics
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.runs import RunStore

TURNS = 7
EPOCHS = 3
PICTURES = 1000  # of a split
_MACHINE = {"processor": "none", "device": "cpu", "threads": 1, "versions": {}}


def record(store: RunStore, count: int) -> None:
    """Record finished runs, each of another design."""
    with store.workers.registered("runs") as worker_id:
        for number in range(count):
            spec = CNNSpec(channels=(4 + number % 60, 8 + number // 60))
            name = f"{('lenet', 'plain', 'wide')[number % 3]} {number}"
            dataset = "digits" if number % 3 else "mnist"
            request = RunRequest(spec, Recipe(epochs=EPOCHS), dataset, name=name)
            run_id = store.submit(request)
            assert store.claim(worker_id, run_id) is not None
            store.record_events(
                run_id, worker_id, _events(0.95 + 0.045 * (number * 37 % 101) / 101)
            )


def _events(accuracy: float) -> list[Started | StepMetrics | EpochEnd | RunEnd]:
    """Return what a worker records of a run."""
    epochs = [
        EpochEnd(number, 10 * number, 1 / number, 0.5, 0.8, accuracy, 1.0, 0.25)
        for number in range(1, EPOCHS + 1)
    ]
    test = SplitResult(0.5, accuracy, PICTURES, (accuracy, accuracy), ((), ()), "")
    start = Started(10 * EPOCHS, 10, "f00d", {"mode": "t1-nchw-fp32"}, _MACHINE)
    step = StepMetrics(1, 1.0, 0.1, 2.0, 640.0, 0.1)
    return [start, step, *epochs, RunEnd("finished", "", 10 * EPOCHS, 2.0, 640.0, test)]


def measure(folders: Folders) -> dict[str, list[float]]:
    """Seconds from a click on Results to its rows, and from a typed word to the rows with it."""
    from playwright.sync_api import sync_playwright

    sys.path.append(str(Path(__file__).parents[1] / "scripts"))
    from serving import serving

    env = os.environ | {"CNNLAB_RUNS": str(folders.runs), "CNNLAB_DATA": str(folders.data)}
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    opened, searched, cleared = [], [], []
    with serving(folders.runs / "server.log", env) as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(f"{served.url}/results")
        rows = page.locator("[data-row]")
        rows.first.wait_for(timeout=60_000)
        for turn in range(TURNS):
            page.get_by_role("link", name="Glossary", exact=True).click()
            page.get_by_role("heading", level=1, name="Glossary").wait_for()
            page.wait_for_timeout(1500)
            start = time.perf_counter()
            page.get_by_role("link", name="Results", exact=True).click()
            rows.nth(10).wait_for()
            opened.append(time.perf_counter() - start)
            page.wait_for_timeout(1500)
            search = page.get_by_role("searchbox")
            searched.append(search.evaluate(_SEARCH, ["lenet", "wide"][turn % 2]) / 1000)
            cleared.append(search.evaluate(_SEARCH, "") / 1000)
        browser.close()
    return {"opens": opened, "finds": searched, "shows all again": cleared}


# Milliseconds from a typed text to another number of rows, within the page.
_SEARCH = """async (input, text) => {
  const count = input.getRootNode().querySelector(".count");
  const before = count.textContent;
  const start = performance.now();
  input.value = text;
  input.dispatchEvent(new Event("input"));
  while (count.textContent === before) await new Promise((done) => setTimeout(done, 1));
  return performance.now() - start;
}"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Record, measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.table", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    count = parser.parse_args(arguments).runs
    with tempfile.TemporaryDirectory() as folder:
        folders = Folders(Path(folder) / "data", Path(folder) / "runs")
        with closing(RunStore(folders)) as store:
            record(store, count)
        measured = measure(folders)
    print(f"| the table of {count:,} runs | median | worst of {TURNS} |\n|---|---:|---:|")
    for action, seconds in measured.items():
        print(f"| {action} | {median(seconds):.2f} s | {max(seconds):.2f} s |")


if __name__ == "__main__":
    main()
