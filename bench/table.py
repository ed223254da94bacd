"""Time to open and to filter the results table: ``python -m bench.table``.

Hundreds of tiny networks are trained on digits, then a browser opens the page and searches it.
Needs Chromium. ``--runs N`` sets their number; ``--folder`` keeps them and uses them again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from cnnlib.data.prepare import prepare
from cnnlib.design.spec import CNNSpec
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.runs import RunStore
from cnnlib.train.control import Control
from cnnlib.train.worker.execute_run import execute_run

TURNS = 7
ROW = "canvas [role=gridcell]"


def train(folders: Folders, count: int) -> None:
    """Train `count` networks, three seeds of each design."""
    for _ in prepare("digits", folders):
        pass
    store = RunStore(folders)
    with store.workers.registered("runs") as worker_id:
        for number in range(count):
            design = number // 3
            spec = CNNSpec(channels=(2 + design % 20,), hidden_dims=(8 + design // 20,))
            recipe = Recipe(epochs=2, batch_size=64, lr=0.01)
            request = RunRequest(
                spec,
                recipe,
                "digits",
                seed=number % 3,
                train_limit=128,
                mode="t1-nchw-fp32",
                name=f"tiny{design:03}",
            )
            run_id = store.submit(request)
            run = store.claim(worker_id, run_id)
            assert run is not None
            execute_run(run, store, worker_id, Control())
    store.close()


def measure(folders: Folders) -> dict[str, list[float]]:
    """Seconds from a click on Results to the painted table, and from Enter to fewer rows.

    The table exposes its rows to screen readers 200 ms after painting them; both are measured.
    """
    from playwright.sync_api import sync_playwright

    sys.path.append(str(Path(__file__).parents[1] / "scripts"))
    from serving import serving

    env = os.environ | {"CNNLAB_RUNS": str(folders.runs), "CNNLAB_DATA": str(folders.data)}
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    painted, opened, filtered = [], [], []
    with serving(folders.runs / "server.log", env) as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{served.url}/results")
        page.locator(ROW).first.wait_for(state="attached", timeout=60_000)
        for _ in range(TURNS):
            page.get_by_role("link", name="Lab", exact=True).click()
            page.get_by_role("heading", level=1, name="Lab").wait_for()
            page.wait_for_timeout(1000)
            start = time.perf_counter()
            page.get_by_role("link", name="Results", exact=True).click()
            page.wait_for_function(_IS_PAINTED)
            painted.append(time.perf_counter() - start)
            page.locator(ROW).first.wait_for(state="attached")
            opened.append(time.perf_counter() - start)
        for turn in range(TURNS):
            search = page.get_by_role("textbox", name="Search")
            search.fill(f"tiny{turn + 1:03}")
            start = time.perf_counter()
            search.press("Enter")
            page.wait_for_function(_FIRST_ROW_IS, arg=f"tiny{turn + 1:03}")
            filtered.append(time.perf_counter() - start)
        browser.close()
    return {"opens": painted, "opens for a screen reader": opened, "filters": filtered}


# Whether letters are painted below the header: pixels that differ from the first one there.
_IS_PAINTED = """() => {
  const canvas = document.querySelector('[data-testid="stDataFrame"] canvas');
  if (!canvas || !canvas.width) return false;
  const { data } = canvas.getContext("2d").getImageData(0, 40, Math.min(300, canvas.width), 100);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) count += Math.abs(data[i] - data[0]) > 60;
  return count > 50;
}"""

_FIRST_ROW_IS = """text => [...document.querySelectorAll("canvas [role=row]")].slice(1)
  .every((row, _, rows) => rows.length && row.textContent.includes(text))"""


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--folder", type=Path, help="default: a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folders = Folders(folder / "data", folder / "runs")
        if not (folders.runs / "cnnlab.db").exists():
            start = time.perf_counter()
            train(folders, options.runs)
            print(f"{options.runs} runs trained in {time.perf_counter() - start:.0f} s", flush=True)
        measured = measure(folders)
    for action, seconds in measured.items():
        print(f"{action}: median {median(seconds):.2f} s, worst {max(seconds):.2f} s of {TURNS}")


if __name__ == "__main__":
    main()
