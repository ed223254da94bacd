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
from cnnlib.errors import FilesUnreachable, StoreError
from cnnlib.runs.database import WORKER_CONNECTIONS, StoreUnreachable
from cnnlib.runs.store import RunStore


@dataclass(frozen=True)
class Expected:
    """What all machines of a cluster have in common, so that a run may go on on another one.

    Args:
        store: Id of the database, and a hash of the address of the files.
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
            store=f"{store.database.identity()} {sha256(store.folders.files.encode()).hexdigest()}",
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
        with closing(_open_store()) as store:
            self._check(Expected.of(store))
            serve = import_module("cnnlib.train.worker.process").serve_placed
            serve(store, threads, stays=stays)
        import ray

        ray.actor.exit_actor()  # type: ignore[no-untyped-call]

    def _check(self, found: Expected) -> None:
        if not (different := differences(self._expected, found)):
            return
        raise _refused(
            f"has {' and '.join(different)}, so it gets no runs: the result of a run must not "
            "depend on its machine. Install the same versions there and set the same variables, "
            "then start Ray on it again."
        )


def _open_store() -> RunStore:
    """Open the run store of this machine's environment.

    Raises:
        Refused: It is another one.
        StoreError: It cannot be reached, which may be temporary.
    """
    try:
        return RunStore(connections=WORKER_CONNECTIONS)
    except (StoreUnreachable, FilesUnreachable):
        raise
    except StoreError as error:
        raise _refused(
            f"gets no runs, because it cannot open the run store: {error} Set the same variables "
            "there as for this program, then start Ray on it again."
        ) from error


def _refused(reason: str) -> Refused:
    import ray

    node = ray.get_runtime_context().get_node_id()
    return Refused(f"The machine {platform.node()} {reason}", node)


def differences(expected: Expected, found: Expected) -> list[str]:
    """Return what a machine has that is not expected, in words."""
    there, here = asdict(found), asdict(expected)
    told = [
        f"{name} {there[name]}, not {here[name]}"
        for name in ("torch", "numpy", "python")
        if there[name] != here[name]
    ]
    if found.program != expected.program:
        told.append("another version of cnnlib")
    if found.store != expected.store:
        told.append("another run store (CNNLAB_DATABASE and CNNLAB_FILES)")
    return told


def _source_hash() -> str:
    """Return a hash of all modules of the library."""
    folder = Path(cnnlib.__file__).parent
    hashed = sha256()
    for path in sorted(folder.rglob("*.py")):
        hashed.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return hashed.hexdigest()[:16]
