"""A class of thirty on one server: response time of a slider, and memory of the server.

python -m bench.thirty                     two and a half minutes; starts the real app
python -m bench.thirty --seconds 20

Keep the machine quiet. Thirty sessions use the real protocol (Streamlit's websocket, cookies, the
routes) without browsers: 20 build and move a slider every one to three seconds, 7 watch a run and
request its curves 4.5 times a second, 3 train two runs each and watch them.
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
from itertools import chain
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
POLLS_PER_SECOND = 4.5
PAUSE_SECONDS = (1.0, 3.0)  # a builder's shortest and longest pause between two moves
RUNS_EACH = 2
GOAL_SECONDS = 1.0
WARM_SECONDS = 120.0
_SETTINGS = "[class]\non = true\n"


def main() -> None:
    """Serve the app, run thirty sessions, and print the measurements."""
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
            results = asyncio.run(_simulate_class(served, options.seconds))
    print(json.dumps(results) if options.json else _report(results))


async def _simulate_class(served: Served, seconds: float) -> dict[str, object]:
    """Open all sessions, run them for `seconds`, and return the measurements."""
    server = _server_process(served)
    sessions = [Session(served.url) for _ in range(BUILDERS + WATCHERS + TRAINERS)]
    builders = sessions[:BUILDERS]
    watchers, trainers = sessions[BUILDERS:-TRAINERS], sessions[-TRAINERS:]
    try:
        await builders[0].open("build")
        await _wait_until_warm(served)
        before = server.memory_info().rss
        answer_ms = await _cost_ms(server, lambda number: builders[0].move("build_width", number))
        submitted = [await _submit_runs(each) for each in trainers]
        run_ids = [run_id for ids in submitted for run_id in ids]
        opened = [await each.open("build") for each in builders[1:]]
        opened += [await each.open("train", f"run={run_ids[0]}") for each in watchers]
        after_opening = server.memory_info().rss
        poll_ms = await _cost_ms(server, lambda _: _position(watchers[0], run_ids[0]))
        positions = [await _position(trainers[0], run_id) for run_id in run_ids]
        end = time.monotonic() + seconds
        tasks = [_build(each, end, seed) for seed, each in enumerate(builders)]
        tasks += [_watch(each, run_ids[0], end) for each in watchers]
        tasks += [_watch(each, ids[0], end) for each, ids in zip(trainers, submitted, strict=True)]
        server.cpu_percent()
        seconds_each = await asyncio.gather(*tasks)
        busy = server.cpu_percent() / 100
        steps = await _steps(trainers[0], run_ids)
        return {
            "sessions": len(sessions),
            "answers": sum(map(len, seconds_each[:BUILDERS])),
            "slider": _spread(list(chain.from_iterable(seconds_each[:BUILDERS]))),
            "looks": _spread(list(chain.from_iterable(seconds_each[BUILDERS:]))),
            "opening": _spread(opened),
            "server_cores": round(busy, 2),
            "cpu_ms_of_an_answer": answer_ms,  # these two hardly depend on the machine's load
            "cpu_ms_of_a_look": poll_ms,
            "rss_mb_one_session": round(before / 1e6),
            "rss_mb_thirty": round(after_opening / 1e6),
            "rss_mb_end": round(server.memory_info().rss / 1e6),
            "mb_per_session": round(
                (server.memory_info().rss - before) / 1e6 / (len(sessions) - 1), 2
            ),
            "places_in_queue": {
                f"person {number + 1}": positions[number * RUNS_EACH : (number + 1) * RUNS_EACH]
                for number in range(TRAINERS)
            },
            "training_steps": steps,
        }
    finally:
        await asyncio.gather(*(each.close() for each in sessions))


async def _cost_ms(server: psutil.Process, request: Callable[[int], Awaitable[object]]) -> float:
    """Processor time of the server for one request in milliseconds, the mean of twenty."""
    await request(100)
    before = sum(server.cpu_times()[:2])
    for number in range(20):
        await request(20 + number)
    return round((sum(server.cpu_times()[:2]) - before) / 20 * 1000, 1)


async def _submit_runs(session: Session) -> list[str]:
    """Press Train on the Train page `RUNS_EACH` times; return the ids of the runs."""
    ids = []
    for _ in range(RUNS_EACH):
        await session.open("train")
        await session.press("train_start")
        ids += session.runs_in_address
    return ids


async def _build(session: Session, end: float, seed: int) -> list[float]:
    """Move the slider for width until the end; return the seconds to each answer."""
    generator = random.Random(seed)
    answers, width = [], 8 + seed
    await asyncio.sleep(generator.uniform(0, PAUSE_SECONDS[1]))
    while time.monotonic() < end:
        width = 8 + (width - 7) % 32
        before = _parameters(session)
        answers.append(await session.move("build_width", width))
        assert _parameters(session) != before, "the page did not answer"
        await asyncio.sleep(generator.uniform(*PAUSE_SECONDS))
    return answers


def _parameters(session: Session) -> str:
    return session.components["build_picture"]["numbers"][0]["text"]


async def _watch(session: Session, run_id: str, end: float) -> list[float]:
    """Poll the curves as the live chart does until the end; return the seconds to each answer."""
    answers, after, after_epoch = [], 0, 0
    while time.monotonic() < end:
        begun = time.monotonic()
        metrics = await session.get_json(
            f"/api/runs/{run_id}/metrics?after={after}&after_epoch={after_epoch}"
        )
        answers.append(time.monotonic() - begun)
        after = max([after, *metrics["steps"]["step"]])
        after_epoch = max([after_epoch, *(each["epoch"] for each in metrics["epochs"])])
        await asyncio.sleep(max(0.0, 1 / POLLS_PER_SECOND - answers[-1]))
    return answers


async def _position(session: Session, run_id: str) -> int | str:
    """The run's position in the queue, or its state once it has started."""
    metrics = await session.get_json(f"/api/runs/{run_id}/metrics")
    return metrics["queue_position"] or metrics["state"]


async def _steps(session: Session, run_ids: Sequence[str]) -> int:
    """Sum of the training steps of all runs so far."""
    metrics = [await session.get_json(f"/api/runs/{run_id}/metrics") for run_id in run_ids]
    return sum(each["step"] for each in metrics)


async def _wait_until_warm(served: Served) -> None:
    """Wait until the server and its worker have finished the imports of their start."""
    process = psutil.Process(served.process.pid)
    deadline = time.monotonic() + WARM_SECONDS
    quiet = 0
    while quiet < 4 and time.monotonic() < deadline:
        processes = [process, *process.children(recursive=True)]
        before = sum(sum(each.cpu_times()[:2]) for each in processes)
        await asyncio.sleep(1.0)
        used = sum(sum(each.cpu_times()[:2]) for each in processes) - before
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


def _report(results: Mapping[str, object]) -> str:
    slider = results["slider"]
    assert isinstance(slider, dict)
    verdict = "reached" if slider["p95"] < GOAL_SECONDS else "MISSED"
    lines = [f"{name.replace('_', ' '):20} {value}" for name, value in results.items()]
    return "\n".join([*lines, f"Goal: p95 of slider to answer below {GOAL_SECONDS} s: {verdict}."])


if __name__ == "__main__":
    main()
