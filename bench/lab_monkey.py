"""Half an hour of random clicking in the Lab, in a real browser; every fault that it meets.

python -m bench.lab_monkey                           30 minutes
python -m bench.lab_monkey --minutes 3 --seed 7      a short one; the same seed acts the same way

A fault is an error in the browser's console, an error of a script, an answer with a
status from 400, an exception on the page or in the log of a process. Memory is listed once a
minute. The last line counts the sketches and the folders of sketches that are left over.
Needs MNIST in ``CNNLAB_DATA``.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
from PIL import Image
from playwright.sync_api import CDPSession, Error, FloatRect, Locator, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "scripts"))

from serving import serving  # noqa: E402

from cnnlib.data.prepare import prepare  # noqa: E402
from cnnlib.records.folders import Folders  # noqa: E402
from cnnlib.runs import RunStore  # noqa: E402
from cnnlib.runs.sketches import ABANDONED_SECONDS  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

WARM_MS = 120_000
LAST_ACTIONS = 20  # shown with a fault
SIZES = ((1440, 900), (1280, 720), (1024, 768), (420, 900))
HIDDEN = ("", "64", "120, 84", "10,10,10", "abc", "0", "-3", "99999", "32, x", "1 2")
NUMBERS = ("0", "7", "-1", "999999", "x", "1.5", "")  # of a picture
PAGES = ("build", "train", "results", "draw", "inspect", "data")
PROCESSES = {
    "viewer": "cnnlab-viewer",
    "worker": "cnnlab-worker",
    "server": "streamlit",
}


class Monkey:
    """Random actions on an open Lab.

    Args:
        faults: Gets a line for every fault.
    """

    def __init__(self, page: Page, url: str, seed: int, faults: list[str]) -> None:
        self._page, self._url, self._faults = page, url, faults
        self._random = random.Random(seed)
        self.count = 0
        self.last: deque[str] = deque(maxlen=LAST_ACTIONS)
        self._actions: list[tuple[int, Callable[[], str]]] = [
            (14, self._press_button),
            (14, self._drag_slider),
            (6, self._move_slider_by_key),
            (6, self._choose),
            (4, self._type_hidden),
            (10, self._draw),
            (3, self._upload),
            (3, self._browse),
            (14, self._point),
            (5, self._press_key),
            (2, self._resize),
            (2, self._leave_and_return),
            (2, self._go_in_history),
            (1, self._reload),
            (1, self._change_theme),
            (1, self._keep),
        ]

    def act(self) -> None:
        """Do one thing; what is hidden or disabled at this moment is left alone."""
        weights, actions = zip(*self._actions, strict=True)
        [action] = self._random.choices(actions, weights)
        try:
            self.last.append(action())
        except Error as error:
            if "Timeout" not in str(error) and "not attached" not in str(error):
                self._faults.append(f"the browser could not act: {str(error)[:200]}")
            self.last.append(f"{action.__name__.strip('_')}: not possible")
        self.count += 1
        self._page.wait_for_timeout(self._random.uniform(50, 800))

    def _one(self, selector: str) -> Locator:
        """A random visible element; the page's first button where there is none."""
        found = [each for each in self._page.locator(selector).all() if each.is_visible()]
        return self._random.choice(found) if found else self._page.get_by_test_id("lab-play")

    def _place_in(self, box: FloatRect) -> tuple[float, float]:
        """A random place of the window inside a box."""
        x = box["x"] + box["width"] * self._random.random()
        return x, box["y"] + box["height"] * self._random.random()

    def _press_button(self) -> str:
        button = self._one(
            ".lab-page button:not(:disabled):not([data-testid^=lab-keep])"
            ":not([data-testid^=lab-compare])"
        )
        name = button.get_attribute("aria-label") or button.inner_text(timeout=1000)
        button.click(timeout=1500)
        return f"press {name!r}"

    def _drag_slider(self) -> str:
        slider = self._one(".lab-page input[type=range]:not(:disabled)")
        box = slider.bounding_box()
        if box is None:
            return "no slider"
        y = box["y"] + box["height"] / 2
        self._page.mouse.move(box["x"] + box["width"] * self._random.random(), y)
        self._page.mouse.down()
        for _ in range(self._random.randint(1, 12)):
            self._page.mouse.move(box["x"] + box["width"] * self._random.random(), y, steps=3)
        self._page.mouse.up()
        return f"drag {slider.get_attribute('aria-label')!r}"

    def _move_slider_by_key(self) -> str:
        slider = self._one(".lab-page input[type=range]:not(:disabled)")
        key = self._random.choice(("ArrowRight", "ArrowLeft", "Home", "PageUp"))
        slider.press(key, timeout=1500)
        return f"{key} on {slider.get_attribute('aria-label')!r}"

    def _choose(self) -> str:
        select = self._one(".lab-page select:not(:disabled):not([data-testid=lab-rival])")
        values = select.evaluate("each => [...each.options].map((option) => option.value)")
        prepared = [
            each
            for each in values
            if select.get_attribute("data-testid") != "lab-dataset" or each in ("digits", "mnist")
        ]
        value = self._random.choice(prepared)
        select.select_option(value, timeout=1500)
        return f"choose {value!r}"

    def _type_hidden(self) -> str:
        text = self._random.choice(HIDDEN)
        field = self._page.get_by_test_id("lab-hidden")
        field.fill(text, timeout=1500)
        field.press("Enter", timeout=1500)
        return f"hidden units {text!r}"

    def _draw(self) -> str:
        draw = self._page.get_by_test_id("lab-draw")
        if draw.get_attribute("aria-pressed", timeout=1500) != "true":
            draw.click(timeout=1500)
        box = self._page.get_by_test_id("lab-input").bounding_box()
        if box is None:
            return "no pad"
        places = [self._place_in(box) for _ in range(self._random.randint(2, 6))]
        self._page.mouse.move(*places[0])
        self._page.mouse.down()
        for place in places[1:]:
            self._page.mouse.move(*place, steps=8)
        self._page.mouse.up()
        return "draw"

    def _upload(self) -> str:
        is_picture = self._random.random() < 0.7
        self._page.locator(".lab-page input[type=file]").set_input_files(
            {
                "name": "upload.png",
                "mimeType": "image/png",
                "buffer": _picture(self._random.random()) if is_picture else b"no picture",
            },
            timeout=1500,
        )
        return f"upload {'a picture' if is_picture else 'no picture'}"

    def _browse(self) -> str:
        text = self._random.choice(NUMBERS)
        field = self._page.get_by_label("Number of the picture")
        field.fill(text, timeout=1500)
        field.press("Enter", timeout=1500)
        return f"picture {text!r}"

    def _point(self) -> str:
        target = self._one(
            ".lab-page .network canvas, .lab-page .lens canvas, .lab-page .strip *,"
            " [data-testid^=lab-column], [data-testid^=lab-map], .lab-page .curves"
        )
        box = target.bounding_box()
        if box is None:
            return "nothing to point at"
        self._page.mouse.move(*self._place_in(box), steps=4)
        if self._random.random() < 0.6:
            self._page.mouse.down()
            self._page.mouse.up()
        return f"point at {target.get_attribute('data-testid') or 'a picture'}"

    def _press_key(self) -> str:
        key = self._random.choice(
            (
                "Space",
                "Control+z",
                "Control+Shift+z",
                "Tab",
                "ArrowLeft",
                "ArrowDown",
                "ArrowRight",
                "Enter",
                "Escape",
            )
        )
        self._page.keyboard.press(key)
        return f"key {key}"

    def _resize(self) -> str:
        width, height = self._random.choice(SIZES)
        self._page.set_viewport_size({"width": width, "height": height})
        return f"window {width} x {height}"

    def _change_theme(self) -> str:
        scheme = self._random.choice(("light", "dark"))
        self._page.emulate_media(color_scheme=scheme)
        return f"theme {scheme}"

    def _leave_and_return(self) -> str:
        page = self._random.choice(PAGES)
        self._page.get_by_role("link", name=page.capitalize(), exact=True).first.click(timeout=1500)
        self._page.wait_for_timeout(self._random.uniform(200, 3000))
        if self._random.random() < 0.5:
            self._page.go_back()
        self.return_to_lab()
        return f"page {page} and back"

    def _go_in_history(self) -> str:
        way = self._random.choice(("back", "forward"))
        (self._page.go_back if way == "back" else self._page.go_forward)(wait_until="commit")
        self.return_to_lab()
        return way

    def _reload(self) -> str:
        self._page.reload()
        self.return_to_lab()
        return "reload"

    def _keep(self) -> str:
        choice = self._random.choice(("lab-keep", "lab-compare"))
        self._page.get_by_test_id(choice).click(timeout=1500)
        answers = {
            "lab-keep": ("lab-keep-clean", "lab-keep-run"),
            "lab-compare": ("lab-compare-start",),
        }
        answer = self._random.choice(answers[choice])
        if self._random.random() < 0.3:
            self._page.get_by_test_id(answer).click(timeout=1500)
        else:
            self._page.get_by_role("button", name="Not now").first.click(timeout=1500)
        return f"{choice}, {answer}"

    def return_to_lab(self) -> None:
        """Open the Lab unless it is open."""
        play = self._page.get_by_test_id("lab-play")
        try:
            play.wait_for(timeout=3000)
        except Error:
            self._page.goto(self._url)
            play.wait_for(timeout=WARM_MS)


def main() -> None:
    """Act, and print the faults and the memory."""
    parser = argparse.ArgumentParser(prog="python -m bench.lab_monkey", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    data = Folders.from_environment().data
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        folders = Folders(data=data, runs=Path(folder) / "runs")
        for _ in prepare("mnist", folders):
            pass
        log = Path(folder) / "server.log"
        env = os.environ | {"CNNLAB_DATA": str(data), "CNNLAB_RUNS": str(folders.runs)}
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with serving(log, env) as served:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            faults = _listen(page)
            page.goto(served.url)
            page.get_by_test_id("lab-map-1-0").wait_for(timeout=WARM_MS)
            monkey = Monkey(page, served.url, options.seed, faults)
            _run(monkey, page, served.process.pid, log, options.minutes, faults)
            page.close()
            store = RunStore(folders)
            left = f"{_sketches_left(store)} sketches and {_folders_left(store, folders)} folders"
            faults += _tracebacks(folders)
        browser.close()
    print(f"{monkey.count} actions, {len(faults)} faults, {left} left over")


def _listen(page: Page) -> list[str]:
    """Collect what the browser reports; the list grows."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
    page.on(
        "console",
        lambda each: (
            each.type == "error"
            and faults.append(f"console: {each.text} {each.location.get('url', '')}")
        ),
    )
    page.on(
        "response",
        lambda each: each.status >= 400 and faults.append(f"status {each.status}: {each.url}"),
    )
    return faults


def _run(
    monkey: Monkey, page: Page, pid: int, log: Path, minutes: float, faults: list[str]
) -> None:
    """Act for some minutes; print each new fault with what came before, and memory."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    print(
        "| minute | actions | page, MB | nodes | listeners | server, MB | viewer, MB | worker, MB |"
    )
    print("|--:|--:|--:|--:|--:|--:|--:|--:|")
    start, told, minute, read = time.monotonic(), 0, 0, 0
    while (now := (time.monotonic() - start) / 60) < minutes:
        monkey.act()
        faults += [
            f"page: {each.inner_text()[:300]}"
            for each in page.locator("[data-testid=stException]").all()
        ]
        text = log.read_text(errors="replace")
        if "Traceback" in text[read:]:
            faults.append(f"log: {text[read:][-1500:]}")
        read = len(text)
        if len(faults) > told:
            print(*faults[told:], f"  after: {list(monkey.last)}", sep="\n", flush=True)
            told = len(faults)
        if now >= minute:
            cells = [minute, monkey.count, *_browser_memory(session), *_memory(pid)]
            print("|", " | ".join(f"{each:,.0f}" for each in cells), "|", flush=True)
            minute += 1


def _browser_memory(session: CDPSession) -> list[float]:
    """Megabytes of the page's objects after a collection, its nodes and its event listeners."""
    session.send("HeapProfiler.collectGarbage")
    metrics = {
        each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]
    }
    return [metrics["JSHeapUsedSize"] / 1e6, metrics["Nodes"], metrics["JSEventListeners"]]


def _memory(pid: int) -> list[float]:
    """Resident megabytes of the server, the viewer and the worker of runs."""
    found = dict.fromkeys(PROCESSES, 0.0)
    root = psutil.Process(pid)
    for process in [root, *root.children(recursive=True)]:
        try:
            command = " ".join([process.name(), *process.cmdline()])
            name = next((name for name, sign in PROCESSES.items() if sign in command), "")
            if name:
                found[name] += process.memory_info().rss / 1e6
        except psutil.NoSuchProcess:
            continue
    return [found[name] for name in ("server", "viewer", "worker")]


def _sketches_left(store: RunStore) -> int:
    """Sketches left after `ABANDONED_SECONDS` without a page; that time is taken off the rows."""
    with store.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE sketches SET seen = seen - {ABANDONED_SECONDS:g}")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with store.database.read() as connection:
            count = connection.exec_driver_sql("SELECT COUNT(*) FROM sketches").scalar()
        if not count:
            return 0
        time.sleep(1)
    return int(count)


def _folders_left(store: RunStore, folders: Folders) -> int:
    """Folders of runs that are not recorded."""
    recorded = {run.id for run in store.runs()}
    return sum(each.name not in recorded for each in folders.run("").iterdir())


def _tracebacks(folders: Folders) -> list[str]:
    """Exceptions in the logs of the viewer and the workers; they are printed as well."""
    found = []
    for log in (folders.runs / "logs").glob("*.log"):
        text = log.read_text(errors="replace")
        if (at := text.find("Traceback")) >= 0:
            found.append(f"log of {log.stem}: {text[at:][:3000]}")
            print(found[-1])
    return found


def _picture(share: float) -> bytes:
    """A PNG of a light square on dark, or dark on light."""
    pixels = np.full((60, 80, 3), 230 if share < 0.5 else 20, np.uint8)
    pixels[15:45, 25:55] = 250 - pixels[0, 0]
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG")
    return out.getvalue()


if __name__ == "__main__":
    main()
