"""What all places have in common: where runs execute, and with what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from cnnlib.runs.workers.viewer import Viewer

MOST_ATTEMPTS = 5  # a run whose machine was lost goes on elsewhere until it has begun this often


@dataclass(frozen=True)
class Node:
    """A machine of a place.

    Args:
        is_alive: Whether it answers.
        room: Runs that it could train at once, by its cores, GPUs and memory.
        refused: Why it gets no runs, as a sentence; "" if it does.
    """

    id: str
    host: str
    address: str
    is_alive: bool
    cpus: float
    gpus: float
    memory_mb: int
    room: int
    refused: str = ""


@dataclass(frozen=True)
class Report:
    """What is known of a place.

    Args:
        nodes: Its machines.
        workers: Processes that train runs or wait for them.
        trouble: Why runs do not start, as a sentence; "" if nothing is wrong.
    """

    nodes: tuple[Node, ...] = field(default=())
    workers: int = 0
    trouble: str = ""

    @property
    def room(self) -> int:
        """Runs that can train at once."""
        return sum(node.room for node in self.nodes if node.is_alive and not node.refused)


class Place(Protocol):
    """Where runs execute. The store decides which run is next, a place only has workers for it."""

    viewer: Viewer | None

    def start(self) -> None:
        """Keep workers ready from now on; a second call does nothing."""

    def ensure(self) -> None:
        """Start the workers that are missing.

        Raises:
            StoreError: The store cannot be read.
        """

    def report(self) -> Report:
        """Return the machines, the number of workers, and what is wrong."""

    def viewer_answer(self, function: str, *arguments: Any) -> Any:
        """Call a function of the viewer process; see `Viewer.ask`."""

    def shutdown(self, patience_seconds: float = 10.0) -> None:
        """End what this process has started. Runs on other machines go on."""
