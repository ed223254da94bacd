"""A class of thirty on one server: how long a slider's answer takes, and what memory it costs.

python -m bench.thirty                     starts the real app; two and a half minutes, keep quiet
python -m bench.thirty --seconds 20

Thirty sessions over the real protocol (Streamlit's websocket, cookies, the routes), without thirty
browsers: 20 build and move a slider every one to three seconds, 7 watch a run and ask for its
curves 4.5 times a second, 3 train two runs each and watch them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "scripts"))

from typing import TYPE_CHECKING  # noqa: E402

from serving import Served, serving  # noqa: E402

from bench.session import Session  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

BUILDERS, WATCHERS, TRAINERS = 20, 7, 3
LOOKS_PER_SECOND = 4.5
PAUSE_SECONDS = (1.0, 3.0)  # of a builder between two moves
RUNS_EACH = 2
GOAL_SECONDS = 1.0
WARM_SECONDS = 120.0
_SETTINGS = "[class]\non = true\n"


def main() -> None:
    """Serve, open thirty sessions, let them work, and print what was seen."""
    parser = argparse.ArgumentParser(prog="python -m bench.thirty", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they work")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        runs.mkdir()
        (runs / "cnnlab.toml").write_text(_SETTINGS)
        env = {**os.environ, "CNNLAB_RUNS": str(runs), "CNNLAB_DATA": str(Path(folder) / "data")}
        with serving(Path(folder) / "server.log", env) as served:
            found = asyncio.run(_class(served, options.seconds))
    print(json.dumps(found) if options.json else _report(found))


async def _class(served: Served, seconds: float) -> dict[str, object]:
    """The whole lesson; returns what was seen."""
    server = _server_process(served)
    sessions = [Session(served.url) for _ in range(BUILDERS + WATCHERS + TRAINERS)]
    builders = sessions[:BUILDERS]
    watchers, trainers = sessions[BUILDERS:-TRAINERS], sessions[-TRAINERS:]
    try:
        await builders[0].open("build")
        await _until_warm(served)
        before = server.memory_info().rss
        answer_ms = await _cost_ms(server, lambda number: builders[0].move("build_width", number))
        asked = [await _ask_for_runs(each) for each in trainers]
        run_ids = [run_id for ids in asked for run_id in ids]
        opened = [await each.open("build") for each in builders[1:]]
        opened += [await each.open("train", f"run={run_ids[0]}") for each in watchers]
        after_opening = server.memory_info().rss
        look_ms = await _cost_ms(server, lambda _: _position(watchers[0], run_ids[0]))
        line = [await _position(trainers[0], run_id) for run_id in run_ids]
        end = time.monotonic() + seconds
        work = [_build(each, end, seed) for seed, each in enumerate(builders)]
        work += [_watch(each, run_ids[0], end) for each in watchers]
        work += [_watch(each, ids[0], end) for each, ids in zip(trainers, asked, strict=True)]
        server.cpu_percent()
        told = await asyncio.gather(*work)
        busy = server.cpu_percent() / 100
        steps = await _steps(trainers[0], run_ids)
        return {
            "sessions": len(sessions),
            "answers": sum(map(len, told[:BUILDERS])),
            "slider": _spread([each for some in told[:BUILDERS] for each in some]),
            "looks": _spread([each for some in told[BUILDERS:] for each in some]),
            "opening": _spread(opened),
            "server_cores": round(busy, 2),
            "cpu_ms_of_an_answer": answer_ms,  # these two hardly depend on what else runs
            "cpu_ms_of_a_look": look_ms,
            "rss_mb_one_session": round(before / 1e6),
            "rss_mb_thirty": round(after_opening / 1e6),
            "rss_mb_end": round(server.memory_info().rss / 1e6),
            "mb_per_session": round(
                (server.memory_info().rss - before) / 1e6 / (len(sessions) - 1), 2
            ),
            "places_in_queue": {
                f"person {number + 1}": line[number * RUNS_EACH : (number + 1) * RUNS_EACH]
                for number in range(TRAINERS)
            },
            "training_steps": steps,
        }
    finally:
        await asyncio.gather(*(each.close() for each in sessions))


async def _cost_ms(server: psutil.Process, ask: Callable[[int], Awaitable[object]]) -> float:
    """Processor time of the server for one question, in milliseconds: the mean of twenty."""
    await ask(100)
    before = sum(server.cpu_times()[:2])
    for number in range(20):
        await ask(20 + number)
    return round((sum(server.cpu_times()[:2]) - before) / 20 * 1000, 1)


async def _ask_for_runs(session: Session) -> list[str]:
    """Press Train on the home page, so many times; returns the ids of the runs."""
    ids = []
    for _ in range(RUNS_EACH):
        await session.open("")
        await session.press("home_train")
        ids += session.runs_in_address
    return ids


async def _build(session: Session, end: float, seed: int) -> list[float]:
    """Move the width to and fro until the end; seconds to each answer."""
    chance = random.Random(seed)
    answers, width = [], 8 + seed
    await asyncio.sleep(chance.uniform(0, PAUSE_SECONDS[1]))
    while time.monotonic() < end:
        width = 8 + (width - 7) % 32
        before = session.metrics.get("Parameters")
        answers.append(await session.move("build_width", width))
        assert session.metrics.get("Parameters") != before, "the page did not answer"
        await asyncio.sleep(chance.uniform(*PAUSE_SECONDS))
    return answers


async def _watch(session: Session, run_id: str, end: float) -> list[float]:
    """Ask for the curves as the live chart does until the end; seconds to each answer."""
    looks, after, after_epoch = [], 0, 0
    while time.monotonic() < end:
        begun = time.monotonic()
        told = await session.get_json(
            f"/api/runs/{run_id}/metrics?after={after}&after_epoch={after_epoch}"
        )
        looks.append(time.monotonic() - begun)
        after = max([after, *told["steps"]["step"]])
        after_epoch = max([after_epoch, *(each["epoch"] for each in told["epochs"])])
        await asyncio.sleep(max(0.0, 1 / LOOKS_PER_SECOND - looks[-1]))
    return looks


async def _position(session: Session, run_id: str) -> int | str:
    told = await session.get_json(f"/api/runs/{run_id}/metrics")
    return told["queue_position"] or told["state"]


async def _steps(session: Session, run_ids: Sequence[str]) -> int:
    """Training steps of all runs: the class's runs went on meanwhile."""
    told = [await session.get_json(f"/api/runs/{run_id}/metrics") for run_id in run_ids]
    return sum(each["step"] for each in told)


async def _until_warm(served: Served) -> None:
    """Until the server has imported what it imports behind the first page, and its worker too."""
    process = psutil.Process(served.process.pid)
    deadline = time.monotonic() + WARM_SECONDS
    quiet = 0
    while quiet < 4 and time.monotonic() < deadline:
        family = [process, *process.children(recursive=True)]
        before = sum(sum(each.cpu_times()[:2]) for each in family)
        await asyncio.sleep(1.0)
        used = sum(sum(each.cpu_times()[:2]) for each in family) - before
        quiet = quiet + 1 if used < 0.15 else 0


def _server_process(served: Served) -> psutil.Process:
    return psutil.Process(served.process.pid)


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile and worst, in seconds."""
    return {
        "median": round(median(seconds), 3),
        "p95": round(quantiles(seconds, n=20)[-1], 3),
        "worst": round(max(seconds), 3),
        "count": len(seconds),
    }


def _report(found: Mapping[str, object]) -> str:
    slider = found["slider"]
    assert isinstance(slider, dict)
    verdict = "reached" if slider["p95"] < GOAL_SECONDS else "MISSED"
    lines = [f"{name.replace('_', ' '):20} {value}" for name, value in found.items()]
    return "\n".join([*lines, f"Goal: p95 of slider to answer below {GOAL_SECONDS} s: {verdict}."])


if __name__ == "__main__":
    main()
