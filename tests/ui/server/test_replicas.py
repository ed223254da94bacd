"""A test of two page servers as processes, of which one is killed while its Lab trains elsewhere.

The servers have no workers of their own; one of another machine trains.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from typing import Any

import pytest
from replicas import Replica, running_replicas

from bench.session import Session
from cnnlib.data.prepare import prepare
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore

LONGEST_SECONDS = 60.0


class Lab:
    """The Lab of a browser."""

    def __init__(self, replica: Replica) -> None:
        self.session = Session(replica.url)
        self._number = 0

    @property
    def run_id(self) -> str:
        return self.session.components["lab"]["run"]["id"]

    async def act(self, **action: Any) -> None:
        """Press a button."""
        self._number += 1
        actions = [action | {"number": self._number}]
        await self.session.trigger("lab", "action", {"actions": actions})

    async def run(self, is_met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """What the curves are told of the sketch, once a condition is met."""
        return await self._eventually(f"/api/runs/{self.run_id}/metrics", is_met)

    async def weights(self, before: str = "") -> str:
        """The weights of which the maps are, once they are others than before."""
        address = f"/api/runs/{self.run_id}/maps?picture=0"
        found = await self._eventually(
            address, lambda found: found.get("weights") not in (None, before)
        )
        return found["weights"]

    async def _eventually(self, address: str, is_met: Callable[[Any], bool]) -> Any:
        deadline = time.monotonic() + LONGEST_SECONDS
        while not is_met(found := await self.session.get_json(address)):
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.1)
        return found


@pytest.fixture
def variables(tmp_path, postgres_server, s3_address) -> dict[str, str]:
    """What all machines of the laboratory have in common."""
    address = postgres_server.create_schema()
    config = tmp_path / "cnnlab.toml"
    config.write_text("[class]\non = true\n")
    return {
        "CNNLAB_DATA": str(tmp_path / "data"),
        "CNNLAB_DATABASE": address,
        "CNNLAB_DATABASE_DIRECT": address,
        "CNNLAB_FILES": s3_address,
        "CNNLAB_CONFIG": str(config),
        # Without a cluster, so that the servers have no workers and say why.
        "CNNLAB_PLACE": "ray",
        "RAY_ADDRESS": "",
    }


@pytest.fixture
def worker(tmp_path, variables):
    """A worker of a third machine."""
    own = {**os.environ, **variables, "CNNLAB_RUNS": str(tmp_path / "worker")}
    command = [sys.executable, "-m", "cnnlib.train.worker"]
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=own, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        yield process
        process.terminate()
        process.wait(LONGEST_SECONDS)


async def follow_a_lab_to_another_server(first: Replica, second: Replica) -> None:
    lab = Lab(first)
    again = Lab(second)
    async with AsyncExitStack() as stack:
        for each in (lab, again):
            stack.push_async_callback(each.session.close)
        await _follow(lab, again, first)


async def _follow(lab: Lab, again: Lab, first: Replica) -> None:
    await lab.session.open("")
    await lab.act(kind="play")
    await lab.run(lambda run: run["step"] > 0)
    live = await lab.weights()
    await lab.weights(before=live)  # the maps follow the training
    await lab.act(kind="pause")
    paused = await lab.run(lambda run: run["state"] == "paused")
    first.kill()

    again.session.take_cookies(lab.session)
    await again.session.open("")
    assert again.run_id == lab.run_id  # the browser's cookie is known on every server
    found = await again.run(lambda run: run["state"] == "paused")
    assert found["step"] == paused["step"]
    seen = await again.weights()
    for number in (1, 2):
        await again.act(kind="step")
        await again.run(lambda run, number=number: run["step"] == paused["step"] + number)
        seen = await again.weights(before=seen)
    await again.act(kind="play")
    await again.run(lambda run: run["step"] > paused["step"] + 2)


def test_a_lab_goes_on_at_another_server_when_its_own_is_killed(tmp_path, variables, worker):
    folders = Folders(
        tmp_path / "data",
        tmp_path / "worker",
        variables["CNNLAB_DATABASE"],
        variables["CNNLAB_FILES"],
        variables["CNNLAB_DATABASE_DIRECT"],
    )
    with closing(RunStore(folders)):
        for _ in prepare("digits", folders):
            pass
    with running_replicas(tmp_path, variables, 2) as (first, second):
        asyncio.run(follow_a_lab_to_another_server(first, second))
