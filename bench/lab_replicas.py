"""120 Labs on three page servers: PostgreSQL, an S3 server, and ten workers that count steps.

python -m bench.lab_replicas               a minute; starts the real app three times
python -m bench.lab_replicas --people 60 --seconds 20

The clients are those of `bench.lab_class`, without a browser, each at one server. Ten press play;
the others drag a slider for a second every eight to 24 seconds. All of it, servers included, is on
this machine. Needs MNIST in ``CNNLAB_DATA`` and PostgreSQL.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support"), str(ROOT / "scripts")]

from postgres import find_programs, running_server  # noqa: E402
from replicas import running_replicas  # noqa: E402
from s3 import running_server as running_s3  # noqa: E402

from bench.lab_class import Client, Cpu, spread  # noqa: E402
from cnnlib.data.prepare import prepare  # noqa: E402
from cnnlib.records.folders import Folders  # noqa: E402
from cnnlib.runs import RunStore  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from postgres import Postgres
    from replicas import Replica

REPLICAS, WORKERS = 3, 10
PAUSE_SECONDS = (8.0, 24.0)
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.lab_replicas", description=__doc__)
    parser.add_argument("--people", type=int, default=120)
    parser.add_argument("--seconds", type=float, default=40.0, help="how long all work at once")
    options = parser.parse_args()
    programs = find_programs()
    if programs is None:
        raise SystemExit("This needs PostgreSQL: apt install postgresql")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        postgres = stack.enter_context(running_server(programs))
        s3 = stack.enter_context(running_s3())
        os.environ.update(s3.environment)
        address, files = postgres.create_schema(), s3.create_bucket()
        own = Folders(Folders.from_environment().data, folder / "own", address, files, address)
        with closing(RunStore(own)):
            for _ in prepare("mnist", own):
                pass
        config = folder / "cnnlab.toml"
        config.write_text("[class]\non = true\n")
        variables = {
            "CNNLAB_DATABASE": address,
            "CNNLAB_DATABASE_DIRECT": address,
            "CNNLAB_FILES": files,
            "CNNLAB_CONFIG": str(config),
        }
        stack.enter_context(_workers(folder, variables))
        no_workers = {"CNNLAB_PLACE": "ray", "RAY_ADDRESS": ""}  # of the page servers' own
        replicas = stack.enter_context(running_replicas(folder, variables | no_workers, REPLICAS))
        for row in asyncio.run(_measure(replicas, postgres, options.people, options.seconds)):
            print("| " + " | ".join(row) + " |")


@contextmanager
def _workers(folder: Path, variables: Mapping[str, str]) -> Generator[None]:
    """Start workers that count steps, each with a disk of its own."""
    worker = ROOT / "tests" / "support" / "counting_worker.py"
    path = os.pathsep.join([str(ROOT), str(worker.parent)])
    processes = []
    for number in range(WORKERS):
        more = {"CNNLAB_RUNS": str(folder / f"worker{number}"), "PYTHONPATH": path}
        with (folder / f"worker{number}.log").open("wb") as log:
            command = [sys.executable, str(worker), "--at-once", str(WORKERS)]
            environment = {**os.environ, **variables, **more}
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def _measure(
    replicas: Sequence[Replica], postgres: Postgres, people: int, seconds: float
) -> list[tuple[str, str]]:
    """Open all Labs, let them work, and return the rows of the table."""
    clients = [Client(replicas[number % REPLICAS].url) for number in range(people)]
    trainers, others = clients[:WORKERS], clients[WORKERS:]
    cpus = [Cpu(each.served) for each in replicas]
    try:
        for each in clients:
            await each.open()
        for each in trainers:
            await each.act(kind="play")
        for cpu in cpus:
            cpu.begin()
        before, end = sum(each.requests for each in clients), time.monotonic() + seconds
        counting = asyncio.create_task(_most_connections(postgres, end))
        work = [each.drag_now_and_then(end, n, PAUSE_SECONDS) for n, each in enumerate(others)]
        await asyncio.gather(*work)
        took = time.monotonic() - end + seconds
        asked = sum(each.requests for each in clients) - before
        cores = [cpu.cores() for cpu in cpus]
        connections = await counting
    finally:
        await asyncio.gather(*(each.close() for each in clients))
    plans = [1000 * each for client in others for each in client.times]
    refused: dict[int, int] = {}
    for each in clients:
        for status, count in each.statuses.items():
            refused[status] = refused.get(status, 0) + count
    pages = sum(used["server"] + used.get("viewer", 0.0) for used in cores)
    return [
        ("what", "measured"),
        ("---", "---"),
        (f"{people} Labs: plan asked for to plan received, ms", spread(plans)),
        ("requests a second", f"{asked / took:.0f}"),
        ("statuses besides 200 and 204", str(refused or "none")),
        ("trainers whose network was trained", str(sum(bool(each.turns) for each in trainers))),
        ("most connections to PostgreSQL", str(connections)),
        ("memory of the page servers, MB", ", ".join(f"{cpu.megabytes:.0f}" for cpu in cpus)),
        ("cores of page servers and viewers", f"{pages:.2f}"),
        ("cores of the clients", f"{cores[0]['clients']:.2f}"),
        (
            "processor of page server and viewer for a request, ms",
            f"{pages * took / asked * 1000:.1f}",
        ),
    ]


async def _most_connections(postgres: Postgres, end: float) -> int:
    """Return the most connections at once, without the one that counts them."""
    most = 0
    with postgres.connect() as session:
        session.autocommit = True
        while time.monotonic() < end:
            row = session.execute(_CONNECTIONS).fetchone()
            most = max(most, row[0] - 1 if row else 0)
            await asyncio.sleep(0.5)
    return most


if __name__ == "__main__":
    main()
