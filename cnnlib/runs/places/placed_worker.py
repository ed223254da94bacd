"""A worker on a machine of a cluster: checks that it is the right machine, and trains runs.

The cluster starts it in a process of its own (`cnnlib.runs.places.ray_cluster`). It takes the
database's address and all credentials from the environment of its machine: none of them is sent.
"""

from __future__ import annotations

import platform
from contextlib import closing
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import cnnlib
from cnnlib.errors import StoreError
from cnnlib.runs.database import WORKER_CONNECTIONS
from cnnlib.runs.store import RunStore


@dataclass(frozen=True)
class Expected:
    """What all machines of a cluster have in common, so that a run may go on on another one.

    Args:
        store: Id of the run store.
        program: Hash of the library's source.
    """

    store: str
    program: str
    torch: str
    numpy: str
    python: str

    @classmethod
    def of(cls, store: RunStore) -> Expected:
        """Return what this machine has."""
        return cls(
            store=store.database.identity(),
            program=_source_hash(),
            torch=version("torch"),
            numpy=version("numpy"),
            python=platform.python_version(),
        )


class Refused(StoreError):
    """A machine that differs from the one that uses it.

    Args:
        node: Id of the machine in the cluster.
    """

    def __init__(self, message: str, node: str) -> None:
        super().__init__(message)
        self.node = node

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str]]:
        return Refused, (str(self), self.node)


class PlacedWorker:
    """Trains one run after another in a process that a cluster has started.

    Args:
        expected: What this machine must have.
    """

    def __init__(self, expected: Expected) -> None:
        self._expected = expected

    def serve(self, threads: int, *, stays: bool) -> None:
        """Train runs until this worker was idle for a minute.

        Args:
            threads: Cores that it was given.
            stays: Whether it waits for runs without an end.

        Raises:
            Refused: This machine differs, in versions or in its run store.
            StoreError: The store cannot be opened.
        """
        with closing(RunStore(connections=WORKER_CONNECTIONS)) as store:
            self._check(Expected.of(store))
            serve = import_module("cnnlib.train.worker.process").serve_placed
            serve(store, threads, stays=stays)
        import ray

        ray.actor.exit_actor()  # type: ignore[no-untyped-call]

    def _check(self, found: Expected) -> None:
        differences = [
            f"{name} {value}, not {asdict(self._expected)[name]}"
            for name, value in asdict(found).items()
            if value != asdict(self._expected)[name] and name not in ("store", "program")
        ]
        if found.program != self._expected.program:
            differences.append("another version of cnnlib")
        if found.store != self._expected.store:
            differences.append("another run store (CNNLAB_DATABASE and CNNLAB_FILES)")
        if differences:
            import ray

            raise Refused(
                f"The machine {platform.node()} has {' and '.join(differences)}, so it gets no "
                "runs: the result of a run must not depend on its machine. Install the same "
                "versions there and set the same variables, then start Ray on it again.",
                ray.get_runtime_context().get_node_id(),
            )


def _source_hash() -> str:
    """Return a hash of all modules of the library."""
    folder = Path(cnnlib.__file__).parent
    hashed = sha256()
    for path in sorted(folder.rglob("*.py")):
        hashed.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return hashed.hexdigest()[:16]
