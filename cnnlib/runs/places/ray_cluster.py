"""The connection to a Ray cluster: its machines, and the workers on them. (Imports Ray.)

Only the process that keeps a cluster supplied connects to it: a process that loses its Ray cluster
for a minute is ended by Ray. See `cnnlib.runs.places.reconciler`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.util import list_named_actors

from cnnlib.errors import StoreError
from cnnlib.runs.places.place import Node, Report
from cnnlib.runs.places.placed_worker import Expected, PlacedWorker, Refused

if TYPE_CHECKING:
    from cnnlib.records.settings import ClusterNeeds

_NAMESPACE = "cnnlab"
_PROBE_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 60.0


class RayCluster:
    """Workers on a Ray cluster: detached actors, each of which trains one run after another.

    Args:
        needs: What one worker takes of a machine.
        expected: What a machine must have in common with this one.

    Raises:
        StoreError: (on opening) There is no cluster at RAY_ADDRESS, or it has no tokens.
    """

    def __init__(self, needs: ClusterNeeds, expected: Expected) -> None:
        self._needs, self._expected = needs, expected
        self._serving: dict[str, Any] = {}  # name of a worker -> the reference to its end
        self._refused: dict[str, str] = {}  # id of a node -> why
        self._trouble = ""
        self._failures, self._next_start = 0, 0.0
        _connect()

    def report(self) -> Report:
        """Return the machines of the cluster, its workers, and why one could not start."""
        nodes = tuple(self._node(each) for each in ray.nodes())  # type: ignore[no-untyped-call]
        refused = (node.refused for node in nodes if node.is_alive and node.refused)
        trouble = self._trouble or next(refused, "")
        if not trouble and not any(node.room for node in nodes if node.is_alive):
            trouble = (
                f"No machine of the cluster has room for a run, which takes {self._needs.cpus} "
                f"cores, {self._needs.gpus:g} GPUs and {self._needs.memory_mb:,} MB. Add a "
                "machine, or ask for less in the section [cluster] of the settings."
            )
        return Report(nodes, len(self._names()), trouble)

    def keep_workers(self, wanted: int) -> None:
        """Start workers until there are as many as wanted, or as the machines have room for.

        The first stays when it is idle, the others end after a minute.
        """
        self._settle()
        known, room = self._names(), self.report().room
        for name in (self._name(number) for number in range(min(wanted, room))):
            if name not in known and time.monotonic() >= self._next_start:
                self._start(name)

    def end_workers(self) -> int:
        """End all workers at once, and return their number; runs go back to their checkpoints."""
        names = self._names()
        for name in names:
            _end(name)
        return len(names)

    def close(self) -> None:
        """End the connection; the workers stay."""
        ray.shutdown()

    def _names(self) -> set[str]:
        """Return the names of the workers of this store."""
        start = self._name(None)
        named = list_named_actors(all_namespaces=True)
        return {
            each["name"]
            for each in named
            if each["namespace"] == _NAMESPACE and each["name"].startswith(start)
        }

    def _name(self, number: int | None) -> str:
        return f"{self._expected.store[:8]}-{'' if number is None else number}"

    def _start(self, name: str) -> None:
        """Start a worker, unless another process has just done it."""
        needs = self._needs
        selector = {"ray.io/node-id": f"!in({','.join(self._refused)})"} if self._refused else {}
        try:
            worker: Any = (
                ray.remote(PlacedWorker)
                .options(
                    name=name,
                    namespace=_NAMESPACE,
                    lifetime="detached",
                    max_restarts=0,
                    num_cpus=needs.cpus,
                    num_gpus=needs.gpus,
                    memory=needs.memory_mb * 1_000_000 or None,
                    label_selector=selector,
                )
                .remote(self._expected)
            )
        except ValueError:  # the name is taken
            return
        stays = name == self._name(0)
        self._serving[name] = worker.serve.remote(needs.cpus, stays=stays)

    def _settle(self) -> None:
        """Look at the workers that have ended; one that failed delays the next start."""
        ended, _ = ray.wait(list(self._serving.values()), num_returns=len(self._serving), timeout=0)
        for name in [name for name, end in self._serving.items() if end in ended]:
            try:
                ray.get(self._serving.pop(name))
                self._trouble, self._failures = "", 0
            except RayTaskError as error:
                _end(name)
                self._record_failure(error.cause)
            except (
                RayActorError
            ):  # it was killed, or its machine: what it trained goes on elsewhere
                continue

    def _record_failure(self, cause: BaseException) -> None:
        if isinstance(cause, Refused):
            self._refused[cause.node] = str(cause)
            return
        self._failures += 1
        pause = min(_LONGEST_PAUSE_SECONDS, 2.0 ** min(10, self._failures - 1))
        self._next_start = time.monotonic() + pause
        self._trouble = f"A worker of the cluster has failed: {cause}"

    def _node(self, found: dict[str, Any]) -> Node:
        resources = found["Resources"]
        cpus, gpus = resources.get("CPU", 0.0), resources.get("GPU", 0.0)
        memory_mb = int(resources.get("memory", 0)) // 1_000_000
        needs = self._needs
        rooms = [cpus / needs.cpus]
        rooms += [gpus / needs.gpus] if needs.gpus else []
        rooms += [memory_mb / needs.memory_mb] if needs.memory_mb else []
        refused = self._refused.get(found["NodeID"], "")
        return Node(
            id=found["NodeID"],
            host=found["NodeManagerHostname"],
            address=found["NodeManagerAddress"],
            is_alive=found["Alive"],
            cpus=cpus,
            gpus=gpus,
            memory_mb=memory_mb,
            room=0 if refused else int(min(rooms)),
            refused=refused,
        )


def _end(name: str) -> None:
    """End a worker at once."""
    with suppress(ValueError):  # it has ended meanwhile
        ray.kill(ray.get_actor(name, namespace=_NAMESPACE))


def _connect() -> None:
    """Connect to the cluster at RAY_ADDRESS, after the check that it asks for a token."""
    address = os.environ.get("RAY_ADDRESS", "")
    if not address:
        raise StoreError(
            "CNNLAB_PLACE=ray needs RAY_ADDRESS, the address of the cluster's head, such as "
            "10.0.0.1:6379. Set it, or unset CNNLAB_PLACE to train on this machine."
        )
    if os.environ.get("RAY_AUTH_MODE") != "token" or _is_open(address):
        raise StoreError(
            "The Ray cluster runs without tokens, so everyone who reaches its ports could run "
            "programs on it. Set RAY_AUTH_MODE=token and a token (RAY_AUTH_TOKEN_PATH) for this "
            "program and on each machine, before 'ray start'."
        )
    try:
        ray.init(
            address=address, namespace=_NAMESPACE, log_to_driver=False, configure_logging=False
        )
    except (RayError, ConnectionError, RuntimeError) as error:
        raise StoreError(
            f"The Ray cluster at {address} cannot be reached: {error} Start it, set RAY_ADDRESS to "
            "its head, and give this program the cluster's token."
        ) from error


# Ray reads its mode once in a process, so that this is tried in another one.
_PROBE = """
import sys
from ray._raylet import GcsClient
from ray.exceptions import AuthenticationError
try:
    GcsClient(address=sys.argv[1])
except AuthenticationError:
    sys.exit(3)
"""


def _is_open(address: str) -> bool:
    """Return whether a cluster answers to a program that has no token."""
    environment = {name: value for name, value in os.environ.items() if "RAY_AUTH" not in name}
    probe = subprocess.run(
        [sys.executable, "-c", _PROBE, address],
        env=environment | {"RAY_AUTH_MODE": "disabled"},
        capture_output=True,
        timeout=_PROBE_SECONDS,
        check=False,
    )
    return probe.returncode == 0
