"""A Ray cluster of two machines without a shared folder, whose machines are killed.

python -m bench.cluster --kills 20     machines killed at random moments, every second with its disk
python -m bench.cluster --speed 5      eight short runs on two machines of one core, and on one
python -m bench.cluster --start 5      one run: the cluster beside this machine's own workers

The rows are in PostgreSQL, the files in an S3 server, Ray asks for tokens; all of them are of
this program's own, on this machine. Needs MNIST in ``CNNLAB_DATA``; nothing else may run.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from outcomes import outcome  # noqa: E402
from postgres import find_programs, running_server  # noqa: E402
from ray_nodes import running_ray  # noqa: E402
from s3 import running_server as running_s3  # noqa: E402

from cnnlib.data.prepare import prepare  # noqa: E402
from cnnlib.design.presets import preset  # noqa: E402
from cnnlib.records.folders import Folders  # noqa: E402
from cnnlib.records.recipe import Recipe  # noqa: E402
from cnnlib.records.run import RunRequest  # noqa: E402
from cnnlib.runs import RunStore  # noqa: E402
from cnnlib.runs.places.local_place import LocalPlace  # noqa: E402
from cnnlib.runs.places.ray_place import RayPlace  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ray_nodes import RayCluster, RayNode

    from cnnlib.runs.places.place import Place

MODE = "t1-nhwc-fp32"
READY_SECONDS = 120.0
FINISH_SECONDS = 600.0


def request(
    seed: int = 0, name: str = "lenet5", epochs: int = 5, limit: int = 12_000
) -> RunRequest:
    """Return the request of a run of some seconds."""
    spec = preset(name).adapt((1, 28, 28), 10)
    fields: dict[str, Any] = {"mode": MODE, "preset": name, "seed": seed, "train_limit": limit}
    return RunRequest(spec, Recipe(epochs=epochs), "mnist", **fields)


@dataclass
class Laboratory:
    """A run store and the cluster that works for it."""

    store: RunStore
    cluster: RayCluster
    variables: dict[str, str]

    def add_node(self) -> RayNode:
        """Start a machine of one core."""
        return self.cluster.add_node(self.variables)

    def end_workers(self) -> None:
        """End all workers of the cluster."""
        command = [sys.executable, "-m", "cnnlib", "cluster", "end"]
        own = {"CNNLAB_RUNS": str(self.store.folders.runs)}
        environment = os.environ | self.variables | own
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)

    @contextmanager
    def place(self, kind: type[RayPlace] | type[LocalPlace], **options: Any) -> Generator[Place]:
        """Keep workers ready; at the end of the block they end."""
        place = kind(self.store.folders, **options)
        place.start()
        try:
            yield place
        finally:
            place.shutdown()


@contextmanager
def laboratory() -> Generator[Laboratory]:
    """Start the servers and the head of a cluster, and end them with the block."""
    programs = find_programs()
    if programs is None:
        raise SystemExit("This needs PostgreSQL: apt install postgresql")
    own = Folders.from_environment()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        postgres = stack.enter_context(running_server(programs))
        s3 = stack.enter_context(running_s3())
        os.environ.update(s3.environment)
        address = postgres.create_schema()
        folders = Folders(own.data, folder / "app", address, s3.create_bucket(), address)
        variables = {
            "CNNLAB_DATA": str(folders.data),
            "CNNLAB_DATABASE": folders.database,
            "CNNLAB_DATABASE_DIRECT": folders.database_direct,
            "CNNLAB_FILES": folders.files,
            **s3.environment,
        }
        cluster = stack.enter_context(running_ray())
        os.environ.update({n: v for n, v in cluster.environment.items() if n.startswith("RAY_")})
        with closing(RunStore(folders)) as store:
            for _ in prepare("mnist", folders):
                pass
            yield Laboratory(store, cluster, variables)


def wait_for_nodes(place: Place, count: int) -> None:
    """Wait until a number of machines have room for runs."""
    deadline = time.monotonic() + READY_SECONDS
    while place.report().room < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"The machines do not come: {place.report()}")
        time.sleep(0.2)


def wait_for_runs(store: RunStore, run_ids: Sequence[str]) -> None:
    """Wait until runs have ended; one that waits to go on elsewhere has not."""
    deadline = time.monotonic() + FINISH_SECONDS
    while any(store.run(each).is_live or store.run(each).state == "lost" for each in run_ids):
        if time.monotonic() > deadline:
            states = [(each.id, each.state, each.reason) for each in map(store.run, run_ids)]
            raise SystemExit(f"The runs do not end: {states}")
        time.sleep(0.2)


def undisturbed(requests: Sequence[RunRequest]) -> list[dict[str, Any]]:
    """Return what runs produce on this machine, where nothing is killed."""
    own = Folders.from_environment()
    with tempfile.TemporaryDirectory() as folder:
        folders = Folders(own.data, Path(folder))
        for _ in prepare("mnist", folders):
            pass
        with closing(RunStore(folders)) as store:
            place = LocalPlace(folders, 1)
            place.start()
            try:
                run_ids = store.submit_all(requests)
                wait_for_runs(store, run_ids)
                return [outcome(store, run_id) for run_id in run_ids]
            finally:
                place.shutdown()


def measure_kills(kills: int, seed: int) -> None:
    """Kill machines at random moments, and compare what their runs have produced."""
    chance = random.Random(seed)
    requests = [request(seed=number) for number in range(2)]
    begin = time.monotonic()
    expected = undisturbed(requests)
    usual = (time.monotonic() - begin) / 2
    equal = 0
    with laboratory() as lab, lab.place(RayPlace) as place:
        nodes = [lab.add_node(), lab.add_node()]
        wait_for_nodes(place, 2)
        wait_for_runs(lab.store, [lab.store.submit(request(limit=256, epochs=1))])
        for number in range(kills):
            run_ids = lab.store.submit_all(requests)
            moment, wipe = chance.uniform(0.2, usual), number % 2 == 1
            node = chance.choice(nodes)
            time.sleep(moment)
            before = [lab.store.run(each) for each in run_ids]
            node.kill(wipe=wipe)
            node.start()
            wait_for_runs(lab.store, run_ids)
            found = [outcome(lab.store, run_id) for run_id in run_ids]
            equal += found == expected
            after = [lab.store.run(each) for each in run_ids]
            print(
                f"{number + 1:3}: {node.name} killed after {moment:4.1f} s"
                f"{' with its disk' if wipe else '':15} "
                f"at steps {', '.join(f'{run.step:,}' for run in before)}; attempts "
                f"{', '.join(str(run.attempt) for run in after)}; "
                f"{'equal' if found == expected else 'DIFFERENT'}",
                flush=True,
            )
            wait_for_nodes(place, 2)
    print(f"{equal} of {kills}")


def measure_speed(turns: int) -> None:
    """Train eight short runs on one machine and on two, in turns."""
    ratios = []
    with laboratory() as lab:
        lab.add_node()
        requests = [request(seed=number, epochs=3) for number in range(8)]
        with lab.place(RayPlace) as place:
            wait_for_nodes(place, 1)
        for _ in range(turns):
            seconds = []
            for count in (1, 2):
                while len([node for node in lab.cluster.nodes if node.is_running]) < count:
                    lab.add_node()
                with lab.place(RayPlace) as place:
                    wait_for_nodes(place, count)
                    warm = [request(limit=256, epochs=1, seed=number) for number in range(count)]
                    wait_for_runs(lab.store, lab.store.submit_all(warm))
                    begin = time.time()
                    run_ids = lab.store.submit_all(requests)
                    wait_for_runs(lab.store, run_ids)
                    ended = max(lab.store.run(each).ended or 0.0 for each in run_ids)
                    seconds.append(ended - begin)
            lab.cluster.nodes[-1].kill()
            time.sleep(15)  # until the cluster knows
            ratios.append(seconds[0] / seconds[1])
            print(f"one machine {seconds[0]:.1f} s, two {seconds[1]:.1f} s", flush=True)
    print(f"two over one: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); goal 1.8")


def measure_start(turns: int) -> None:
    """Train one run on this machine's own worker and on a cluster of this machine, in turns."""
    starts: dict[str, list[float]] = {"local": [], "ray": []}
    speeds: dict[str, list[float]] = {"local": [], "ray": []}
    with laboratory() as lab:
        lab.add_node()
        with lab.place(RayPlace) as place:
            wait_for_nodes(place, 1)
        for turn in range(turns):
            for name, kind in (("local", LocalPlace), ("ray", RayPlace)):
                options = {"count": 1} if kind is LocalPlace else {}
                with lab.place(kind, **options) as place:
                    if kind is RayPlace:
                        wait_for_nodes(place, 1)
                    wait_for_runs(lab.store, [lab.store.submit(request(limit=256, epochs=1))])
                    begin = time.time()
                    run_id = lab.store.submit(replace(request(epochs=3), seed=turn))
                    while not lab.store.run(run_id).step:
                        time.sleep(0.01)
                    starts[name].append(time.time() - begin)
                    wait_for_runs(lab.store, [run_id])
                    run = lab.store.run(run_id)
                    speeds[name].append(run.summary["images_per_second"])
                    if kind is RayPlace:
                        lab.end_workers()
    later = [ray - local for ray, local in zip(starts["ray"], starts["local"], strict=True)]
    ratio = [ray / local for ray, local in zip(speeds["ray"], speeds["local"], strict=True)]
    print(f"first step: local {median(starts['local']):.2f} s, ray {median(starts['ray']):.2f} s")
    print(f"ray later by {median(later):.2f} s ({min(later):.2f} to {max(later):.2f}); goal 2")
    print(f"images per second: {median(ratio):.2f} ({min(ratio):.2f} to {max(ratio):.2f}) of local")


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--speed", type=int, default=0, metavar="TURNS")
    parser.add_argument("--start", type=int, default=0, metavar="TURNS")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not (options.kills or options.speed or options.start):
        options.kills, options.speed, options.start = 20, 5, 5
    if options.kills:
        measure_kills(options.kills, options.seed)
    if options.speed:
        measure_speed(options.speed)
    if options.start:
        measure_start(options.start)


if __name__ == "__main__":
    main()
