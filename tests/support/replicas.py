"""Page servers of one laboratory, each on a disk of its own, whose machines can be killed."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from serving import Served, serving

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping


@dataclass(frozen=True)
class Replica:
    """A page server with its workers.

    Args:
        disk: Its folder of runs.
    """

    served: Served
    disk: Path

    @property
    def url(self) -> str:
        return self.served.url

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self.served.process.pid)

    def kill(self) -> None:
        """Kill all its processes at once, as if its power was cut."""
        own = [self.process, *self.process.children(recursive=True)]
        for action in (psutil.Process.suspend, psutil.Process.kill):  # none sees another one's end
            for process in own:
                with suppress(psutil.NoSuchProcess):
                    action(process)
        psutil.wait_procs(own, timeout=30)


@contextmanager
def running_replicas(
    folder: Path, variables: Mapping[str, str], count: int
) -> Generator[list[Replica]]:
    """Start page servers, and end them with the block."""
    with ExitStack() as stack:
        replicas = []
        for number in range(1, count + 1):
            disk = folder / f"replica{number}"
            disk.mkdir()
            environment = {**os.environ, **variables, "CNNLAB_RUNS": str(disk)}
            log = folder / f"replica{number}.log"
            replicas.append(Replica(stack.enter_context(serving(log, environment)), disk))
        yield replicas
