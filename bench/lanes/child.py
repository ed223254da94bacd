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

from bench.lanes import BATCH_SIZES, Work, images_per_second
from cnnlib.records.folders import Folders

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# glibc keeps freed memory instead of returning it to the system after every step; the lab starts
# its workers so.
ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "268435456",
}
OURS = ("engine", "bfloat16", "limit")


class Child:
    """A lane that runs when it is asked to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def images_per_second(self, seconds: float) -> float:
        """Let it train for a while."""
        print(seconds, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self._process.args} ended; its error is above")
        return float(answer)


@contextmanager
def child(lane: str, net: str, threads: int, folders: Folders) -> Generator[Child]:
    """Start a lane, and end it with the block."""
    own = {"CNNLAB_DATA": str(folders.data), "CNNLAB_RUNS": str(folders.runs)}
    common = {name: value for name, value in os.environ.items() if name not in ALLOCATOR}
    allocator = ALLOCATOR if lane in OURS else {}  # people start Python as it is
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.lanes.child", lane, net, str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=common | own | allocator,
    )
    try:
        process.stdout.readline()  # ready: what it chose, it chose with nothing beside it
        yield Child(process)
    finally:
        process.kill()
        process.communicate()


def lane_of(name: str, work: Work, folders: Folders) -> Iterator[int]:
    """The lane of that name; only what it needs is imported."""
    if name in ("engine", "bfloat16"):
        from bench.lanes.ours import engine

        return engine(work, folders, precision="auto" if name == "engine" else "bf16")
    if name == "limit":
        from bench.lanes.ours import limit

        return limit(work, folders)
    if name == "texts":
        from bench.lanes.texts import texts

        return texts(work, folders)
    from bench.lanes import others

    return {"lightning": others.lightning, "skorch": others.skorch, "keras": others.keras}[name](
        work, folders
    )


def main() -> None:
    """Answer lines until there are no more."""
    name, net, threads = sys.argv[1:]
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever a framework prints is not an answer
    lane = lane_of(name, Work(net, BATCH_SIZES[net], int(threads)), Folders.from_environment())
    images_per_second(lane, 0.5)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        print(images_per_second(lane, float(line)), file=answers, flush=True)


if __name__ == "__main__":
    main()
