"""A class of thirty Labs on one server: from a slider to its number, turns, and what the Labs cost.

python -m bench.lab_class                  three minutes; starts the real app and Chromium
python -m bench.lab_class --seconds 30

Keep the machine quiet. 29 clients use the real protocol (Streamlit's websocket, a cookie each, and
the routes at the rates of the Lab's JavaScript), and one real browser drags a slider. Three clients
press play and train in turns; the other 26 drag a slider for a second every two to six seconds.

Needs MNIST in ``CNNLAB_DATA``.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import os
import random
import re
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import psutil
from playwright.async_api import async_playwright, expect

from bench.lab import FIND, WARM_MS
from bench.session import Session

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "scripts"))

from serving import Served, serving  # noqa: E402

from cnnlib.data.prepare import prepare  # noqa: E402
from cnnlib.records.folders import Folders  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from playwright.async_api import Page

CLIENTS, TRAINERS = 29, 3
GOAL_MS = 300
ALONE_SECONDS, IDLE_SECONDS = 15.0, 10.0
STROKE_SECONDS = 3.0  # the browser drags so long, then releases
DRAG_SECONDS = 1.0  # a client drags so long
PAUSE_SECONDS = (2.0, 6.0)  # a client's shortest and longest pause between two drags

# The rates of requests.js, maps.js and live/feed.js, in seconds.
MOVE, MAPS_WHILE_DRAGGED, MAPS_FASTEST = 1 / 60, 0.1, 0.08
MAPS_PACE = {"running": 0.25, "starting": 0.25, "queued": 20.0, "paused": 1.5}
CURVES_PACE = {"running": 1 / 4.5, "starting": 1 / 4.5, "paused": 1 / 4.5, "queued": 1.0}
CURVES_ENDED = 5.0

# Records the milliseconds from each input of the slider to the first number that was planned for it
# or for a later one.
_WATCH = (
    FIND
    + """
([source, shown, address]) => {
  window.waits = []; window.pending = [];
  const send = window.fetch;
  let last = 0, answered = 0;
  window.find(source).addEventListener("input", () => {
    last = performance.now();
    window.pending.push(last);
  }, true);
  window.fetch = async (...request) => {
    const asked = last;
    const response = await send(...request);
    if (request[0].endsWith(address)) answered = asked;
    return response;
  };
  new MutationObserver(() => {
    const now = performance.now();
    while (window.pending.length && window.pending[0] <= answered)
      window.waits.push(now - window.pending.shift());
  }).observe(window.find(shown), { subtree: true, childList: true, characterData: true });
}
"""
)


class Client:
    """A Lab without a browser: what its scripts ask for, and when.

    Attributes:
        times: Seconds from asking for a plan to its numbers.
        places: Places in line that it was told.
        turns: Times at which its network began to train.
        statuses: Number of the answers with each status that was not 200 or 204.
    """

    def __init__(self, url: str) -> None:
        self._session = Session(url)
        self._actions = 0
        self._data: dict[str, Any] = {}
        self._plan: dict[str, Any] = {}
        self._facts: dict[str, Any] = {}
        self._rows = {"after": 0, "after_epoch": 0, "after_sample": 0}
        self._is_dirty = asyncio.Event()
        self._followed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.times: list[float] = []
        self.places: set[int] = set()
        self.turns: list[float] = []
        self.statuses: dict[int, int] = {}
        self.requests = 0

    async def open(self) -> None:
        """Open the page; it then asks for maps and curves as the scripts do."""
        await self._session.open("")
        self._update()
        self._tasks = [asyncio.create_task(self._ask_maps()), asyncio.create_task(self._follow())]

    async def close(self) -> None:
        """Close the page."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self._session.close()

    async def act(self, **action: Any) -> None:
        """Send an action to the page."""
        self._actions += 1
        actions = [action | {"number": self._actions}]
        await self._session.trigger("lab", "action", {"actions": actions})
        self._update()

    async def drag_now_and_then(
        self, end: float, seed: int, pause: tuple[float, float] = PAUSE_SECONDS
    ) -> None:
        """Drag the slider of the channels, and release it, until the end."""
        generator = random.Random(seed)
        await asyncio.sleep(generator.uniform(0, pause[1]))
        while time.monotonic() < end:
            await self._drag(generator.randint(4, 40))
            await asyncio.sleep(generator.uniform(*pause))

    async def _drag(self, channels: int) -> None:
        """Ask for plans one after the other, and for maps at most ten times a second."""
        spec, released = copy.deepcopy(self._plan["spec"]), time.monotonic() + DRAG_SECONDS
        asked_maps = 0.0
        while (begun := time.monotonic()) < released:
            channels = channels + 1 if channels < 48 else 4
            spec["channels"][0] = channels
            recipe = self._data["recipe"]
            body = {"batch_size": recipe["batch_size"], "optimizer": recipe["optimizer"]}
            found = await self._post(self._data["api"]["plan"], body | {"spec": spec})
            if found is None:
                continue
            now = time.monotonic()
            self.times.append(now - begun)
            self._plan = found
            if now - asked_maps >= MAPS_WHILE_DRAGGED:
                asked_maps = now
                self._is_dirty.set()
            await asyncio.sleep(max(0.0, begun + MOVE - time.monotonic()))
        await self.act(kind="design", spec=self._plan["spec"])

    def _update(self) -> None:
        self._data = self._session.components["lab"]
        self._plan = self._data["plan"]
        self._is_dirty.set()
        self._followed.set()

    async def _post(self, address: str, body: Any) -> Any:
        """Return the answer; None for another status than 200."""
        self.requests += 1
        status, answer = await self._session.post_json(address, body)
        if status not in (200, 204):
            self.statuses[status] = self.statuses.get(status, 0) + 1
        return answer if status == 200 else None

    @property
    def state(self) -> str:
        """Of the sketch; "" without one."""
        run = self._data["run"]
        return str(self._facts.get("state") or run["state"]) if run else ""

    async def _ask_maps(self) -> None:
        """As `MapsFeed`: at once after a change, and by the pace of the state."""
        version, before = None, None
        while True:
            self._is_dirty.clear()
            run = self._data["run"]
            wanted = (self._plan["link"], run and run["id"])
            pace = MAPS_PACE.get(self.state)
            if wanted != before or pace:
                body = {
                    "run": run and run["id"],
                    "spec": self._plan["spec"],
                    "seed": self._data["seed"],
                    "dataset": self._data["dataset"]["name"],
                    "picture": self._data["picture"],
                    "tiles": 8,
                    "strip": True,
                }
                body |= {"after": version} if wanted == before else {}
                answer = await self._post(self._data["api"]["maps"], body)
                if answer is not None:
                    version, before = answer["version"], wanted
                elif wanted != before:
                    pace = 1.0  # the viewer starts
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_dirty.wait(), pace)
            await asyncio.sleep(MAPS_FASTEST)

    async def _follow(self) -> None:
        """As `Feed`: ask for the rows of the sketch, by the pace of its state."""
        while True:
            self._followed.clear()
            run = self._data["run"]
            if run is None:
                await self._followed.wait()
                continue
            query = "&".join(f"{name}={value}" for name, value in self._rows.items())
            self.requests += 1
            begun, before = time.monotonic(), self.state
            facts = await self._session.get_json(
                f"{self._data['api']['runs']}/{run['id']}/metrics?{query}"
            )
            self._take(facts, before)
            pace = CURVES_PACE.get(self.state, CURVES_ENDED)
            with suppress(TimeoutError):
                rest = max(0.0, pace - (time.monotonic() - begun))
                await asyncio.wait_for(self._followed.wait(), rest)

    def _take(self, facts: dict[str, Any], before: str) -> None:
        if facts["step"] < self._facts.get("step", 0):
            self._rows = dict.fromkeys(self._rows, 0)
        else:
            self._rows["after"] = max([self._rows["after"], *facts["steps"]["step"]])
            last_epochs = [each["epoch"] for each in facts["epochs"]]
            self._rows["after_epoch"] = max([self._rows["after_epoch"], *last_epochs])
            last_samples = [each[0] for each in facts["samples"]]
            self._rows["after_sample"] = max([self._rows["after_sample"], *last_samples])
        self._facts = facts
        if facts["queue_position"]:
            self.places.add(facts["queue_position"])
        if facts["state"] == "running" and before != "running":
            self.turns.append(time.monotonic())
        if facts["state"] != before:
            self._is_dirty.set()


class Cpu:
    """Processor time of the app's processes between two moments, in cores."""

    def __init__(self, served: Served) -> None:
        self._server = psutil.Process(served.process.pid)
        self.begin()

    def begin(self) -> None:
        """Begin to count."""
        self._at, self._before = time.monotonic(), self._seconds()

    def cores(self) -> dict[str, float]:
        """Cores in use since the beginning: of server, viewer, worker and these clients."""
        seconds, now = time.monotonic() - self._at, self._seconds()
        return {name: (now[name] - self._before.get(name, 0.0)) / seconds for name in now}

    @property
    def megabytes(self) -> float:
        """Memory of the server."""
        return float(self._server.memory_info().rss / 1e6)

    def _seconds(self) -> dict[str, float]:
        found = {"server": _used(self._server), "clients": _used(psutil.Process())}
        for child in self._server.children(recursive=True):
            with suppress(psutil.Error):
                kind = "viewer" if child.name() == "cnnlab-viewer" else "worker"
                found[kind] = found.get(kind, 0.0) + _used(child)
        return found


def _used(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


class RealLab:
    """The Lab in a real browser."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def open(self, url: str) -> None:
        """Open it until its maps are there, and watch its slider."""
        await self._page.goto(url)
        answer = self._page.get_by_test_id("lab-answer")
        await expect(answer).to_contain_text(re.compile(r"\d"), timeout=WARM_MS)
        await self._page.wait_for_timeout(5000)  # the worker loads torch, and Chromium settles
        await self._page.evaluate(_WATCH, ["lab-channels", "lab-params", "/api/plan"])

    async def drag(self, seconds: float) -> list[float]:
        """Drag the slider in strokes; return the milliseconds from it to the new number."""
        await self._page.evaluate("window.waits.length = 0")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self._stroke(min(STROKE_SECONDS, end - time.monotonic()))
            await self._page.wait_for_timeout(1000)
        return list(await self._page.evaluate("window.waits"))

    async def _stroke(self, seconds: float) -> None:
        mouse = self._page.mouse
        await self._page.evaluate("window.pending.length = 0")
        box = await self._page.get_by_test_id("lab-channels").bounding_box()
        assert box is not None
        y, end, moves = box["y"] + box["height"] / 2, time.monotonic() + seconds, 0
        await mouse.move(box["x"] + box["width"] * 0.2, y)
        await mouse.down()
        while time.monotonic() < end:
            moves += 1
            share = 0.1 + 0.8 * abs((moves % 40) / 20 - 1)
            await mouse.move(box["x"] + box["width"] * share, y)
            await self._page.wait_for_timeout(10)
        await mouse.up()

    async def play(self) -> tuple[str, float]:
        """Press play; return what it says while it waits, and the seconds to its first step."""
        shown = self._page.get_by_test_id("lab-state").locator("xpath=..")
        begun, said = time.monotonic(), list[str]()
        await self._page.get_by_test_id("lab-play").click()
        while time.monotonic() < begun + 120:
            text = await shown.inner_text()
            said += [each for each in re.findall(r"In line: \d+", text) if each not in said]
            if re.search(r"step [1-9]", text):
                return ", ".join(said) or "nothing", time.monotonic() - begun
            await self._page.wait_for_timeout(50)
        sys.exit("The browser's network did not get a turn within two minutes.")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.lab_class", description=__doc__)
    parser.add_argument("--seconds", type=float, default=70.0, help="how long all work at once")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        data = Folders.from_environment().data
        folders = Folders(data=data, runs=Path(folder) / "runs")
        folders.runs.mkdir()
        (folders.runs / "cnnlab.toml").write_text("[class]\non = true\n")
        for _ in prepare("mnist", folders):
            pass
        env = os.environ | {"CNNLAB_DATA": str(data), "CNNLAB_RUNS": str(folders.runs)}
        with serving(Path(folder) / "server.log", env) as served:
            for row in asyncio.run(_measure(served, seconds)):
                print("| " + " | ".join(row) + " |")


async def _measure(served: Served, seconds: float) -> list[tuple[str, str]]:
    """Open all Labs, let them work, and return the rows of the table."""
    clients = [Client(served.url) for _ in range(CLIENTS)]
    trainers, others = clients[:TRAINERS], clients[TRAINERS:]
    path = shutil.which("chromium") or shutil.which("google-chrome")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 1440, "height": 900})
        lab, cpu = RealLab(page), Cpu(served)
        try:
            await lab.open(served.url)
            alone = await lab.drag(ALONE_SECONDS)
            memory = [cpu.megabytes]
            for each in clients:
                await each.open()
            await asyncio.sleep(5)
            cpu.begin()
            await asyncio.sleep(IDLE_SECONDS)
            idle = cpu.cores()
            memory.append(cpu.megabytes)
            for each in trainers:
                await each.act(kind="play")
            cpu.begin()
            before, end = sum(each.requests for each in clients), time.monotonic() + seconds
            work: list[Awaitable[Any]] = [lab.drag(seconds)]
            work += [each.drag_now_and_then(end, seed) for seed, each in enumerate(others)]
            beside, *_ = await asyncio.gather(*work)
            busy, asked = cpu.cores(), sum(each.requests for each in clients) - before
            begun = {number: each.turns for number, each in enumerate(trainers, start=1)}
            said, waited = await lab.play()
            memory.append(cpu.megabytes)
        finally:
            await asyncio.gather(*(each.close() for each in clients))
            await browser.close()
    plans = [1000 * each for client in others for each in client.times]
    refused = {
        status: sum(each.statuses.get(status, 0) for each in clients)
        for status in sorted({status for each in clients for status in each.statuses})
    }
    places = sorted({place for each in trainers for place in each.places})
    had = [sum(turn < end for turn in turns) for turns in begun.values()]
    return [
        ("what", "measured"),
        ("---", "---"),
        ("slider to number in the browser, no other Lab, ms", spread(alone)),
        (f"slider to number, beside {CLIENTS} Labs, three of them training, ms", spread(beside)),
        (f"  goal: 95th percentile below {GOAL_MS} ms", _verdict(beside)),
        ("plan asked for to plan received by the clients, ms", spread(plans)),
        ("requests of the clients a second", f"{asked / seconds:.0f}"),
        ("statuses besides 200 and 204", str(refused or "none")),
        ("cores in use, thirty Labs open and untouched", _cores(idle)),
        ("cores in use, thirty Labs at work", _cores(busy)),
        (
            "memory of the server: one Lab, thirty, at the end, MB",
            ", ".join(f"{each:.0f}" for each in memory),
        ),
        (f"turns of the three in {seconds:.0f} s", ", ".join(map(str, had))),
        ("places in line that the three were told", ", ".join(map(str, places)) or "none"),
        ("the browser presses play then: it says", said),
        ("  and takes its first step after, s", f"{waited:.0f}"),
    ]


def spread(values: Sequence[float]) -> str:
    """Median, 95th percentile and worst."""
    high = p95(values)
    return f"{median(values):.0f}, p95 {high:.0f}, worst {max(values):.0f} ({len(values)} times)"


def _verdict(values: Sequence[float]) -> str:
    return "reached" if p95(values) < GOAL_MS else "MISSED"


def p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1]


def _cores(cores: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in sorted(cores.items()))


if __name__ == "__main__":
    main()
