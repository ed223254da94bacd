"""A lane in a process of its own: ``python -m bench.lanes.child texts lenet5 2``.

Each line of standard input is a number of seconds to train for; the answer is a line with the
pictures per second.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.lanes import BATCH_SIZES, Workload, images_per_second
from cnnlib.records.folders import Folders

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# Makes glibc keep freed memory instead of returning it to the system after every step; the lab
# starts its workers with the same settings.
ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "268435456",
}
OURS = ("engine", "bfloat16", "limit")


class Child:
    """A lane in a child process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def images_per_second(self, seconds: float) -> float:
        """Train for some seconds; return the pictures per second."""
        print(seconds, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self._process.args} ended; its error is above")
        return float(answer)


@contextmanager
def child(lane: str, net: str, threads: int, folders: Folders) -> Generator[Child]:
    """Start a lane in a child process, and kill it at the end of the block."""
    own = {"CNNLAB_DATA": str(folders.data), "CNNLAB_RUNS": str(folders.runs)}
    common = {name: value for name, value in os.environ.items() if name not in ALLOCATOR}
    allocator = ALLOCATOR if lane in OURS else {}  # the others run under Python's defaults
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.lanes.child", lane, net, str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=common | own | allocator,
    )
    try:
        process.stdout.readline()  # ready: it measured its modes while nothing else ran
        yield Child(process)
    finally:
        process.kill()
        process.communicate()


def build_lane(name: str, workload: Workload, folders: Folders) -> Iterator[int]:
    """Build the lane of that name; imports only the modules that this lane needs."""
    if name in ("engine", "bfloat16"):
        from bench.lanes.ours import engine

        return engine(workload, folders, precision="auto" if name == "engine" else "bf16")
    if name == "limit":
        from bench.lanes.ours import limit

        return limit(workload, folders)
    if name == "texts":
        from bench.lanes.texts import texts

        return texts(workload, folders)
    from bench.lanes import others

    return {"lightning": others.lightning, "skorch": others.skorch, "keras": others.keras}[name](
        workload, folders
    )


def main() -> None:
    """Answer each line of standard input until its end."""
    name, net, threads = sys.argv[1:]
    answers, sys.stdout = sys.stdout, sys.stderr  # keeps a framework's output out of the answers
    lane = build_lane(
        name, Workload(net, BATCH_SIZES[net], int(threads)), Folders.from_environment()
    )
    images_per_second(lane, 0.5)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        print(images_per_second(lane, float(line)), file=answers, flush=True)


if __name__ == "__main__":
    main()
