"""Runs on a Ray cluster of two machines without a shared folder, with PostgreSQL and S3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import pytest
from example_runs import wait_for
from outcomes import outcome

from cnnlib.data.prepare import prepare
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import StoreError
from cnnlib.records.events import Command
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.runs import RunStore
from cnnlib.runs.places.local_place import LocalPlace
from cnnlib.runs.places.ray_place import RayPlace
from cnnlib.runs.workers.liveness import SILENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from ray_nodes import RayCluster, RayNode

    from cnnlib.runs.places.place import Node

pytestmark = pytest.mark.ray

PATIENCE = 120.0  # a machine joins, a process imports torch, or the cluster notices a death
SPEC = CNNSpec(channels=(4, 8))


def a_long_run(seed: int = 0, epochs: int = 20) -> RunRequest:
    """The request of a run of some seconds, the same to the bit wherever it trains."""
    recipe = Recipe(epochs=epochs, batch_size=16)
    return RunRequest(SPEC, recipe, "digits", seed=seed, mode="t1-nchw-fp32")


@dataclass
class Site:
    """A run store, the cluster that works for it, and the variables of its machines."""

    store: RunStore
    cluster: RayCluster
    variables: dict[str, str]

    @contextmanager
    def page_server(self) -> Generator[RayPlace]:
        place = RayPlace(self.store.folders)
        place.start()
        try:
            yield place
        finally:
            place.shutdown(patience_seconds=60)


@pytest.fixture(scope="module")
def site(tmp_path_factory, postgres_server, s3_server) -> Generator[Site]:
    pytest.importorskip("ray", reason="needs Ray: pip install 'cnnlib[ray]'")
    from ray_nodes import running_ray

    folder = tmp_path_factory.mktemp("site")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in s3_server.environment.items():
            patch.setenv(name, value)
        address = postgres_server.create_schema()
        folders = Folders(
            folder / "data", folder / "app", address, s3_server.create_bucket(), address
        )
        variables = {
            "CNNLAB_DATABASE": folders.database,
            "CNNLAB_DATABASE_DIRECT": folders.database_direct,
            "CNNLAB_FILES": folders.files,
            **s3_server.environment,
        }
        store = stack.enter_context(closing(RunStore(folders)))
        cluster = stack.enter_context(running_ray())
        for name, value in cluster.environment.items():
            if name.startswith("RAY_") or name == "PYTHONPATH":
                patch.setenv(name, value)
        for _ in range(2):
            cluster.add_node(variables)
        yield Site(store, cluster, variables)


def ended(store: RunStore, *run_ids: str) -> bool:
    states = [store.run(run_id).state for run_id in run_ids]
    assert "failed" not in states, [store.run(run_id).reason for run_id in run_ids]
    return all(state == "finished" for state in states)


def here(tmp_path: Path, request: RunRequest) -> dict:
    """What a run produces on this machine, undisturbed."""
    folders = Folders(tmp_path / "data", tmp_path / "here")
    for _ in prepare("digits", folders):
        pass
    with closing(RunStore(folders)) as store:
        place = LocalPlace(folders, count=1)
        place.start()
        try:
            run_id = store.submit(request)
            wait_for(lambda: ended(store, run_id), PATIENCE)
            return outcome(store, run_id)
        finally:
            place.shutdown()


def machine_of(site: Site, run_id: str) -> RayNode:
    """The machine on which a run trains, by the files in its folder."""
    (node,) = [node for node in site.cluster.nodes if (node.disk / "files" / run_id).exists()]
    return node


def test_a_run_goes_on_elsewhere_after_its_machine_and_its_disk_are_gone(site, tmp_path):
    request = a_long_run()
    with site.page_server() as place:
        wait_for(lambda: place.report().room == 2, PATIENCE)
        run_id = site.store.submit(request)
        wait_for(lambda: site.store.run(run_id).epoch >= 3, PATIENCE)
        machine_of(site, run_id).kill(wipe=True)
        wait_for(lambda: ended(site.store, run_id), PATIENCE)
        assert site.store.run(run_id).attempt == 2
        found = outcome(site.store, run_id)
    [node.start() for node in site.cluster.nodes if not node.is_running]
    assert found == here(tmp_path, request)


def test_a_run_elsewhere_is_paused_stepped_changed_and_read_live(site):
    with site.page_server():
        run_id = site.store.submit(a_long_run(epochs=1000))
        wait_for(lambda: site.store.run(run_id).step > 20, PATIENCE)
        site.store.submit_command(run_id, Command("pause"))
        wait_for(lambda: site.store.run(run_id).state == "paused")
        step = site.store.run(run_id).step
        site.store.submit_command(run_id, Command("look"))
        site.store.submit_command(run_id, Command("step"))
        wait_for(lambda: site.store.run(run_id).step == step + 1)
        wait_for(lambda: site.store.saved_weights(run_id)[-1].step == step + 1)
        assert site.store.weights_file(run_id, site.store.saved_weights(run_id)[-1]).is_file()
        site.store.submit_command(run_id, Command("set", "lr", 0.5))
        site.store.submit_command(run_id, Command("resume"))
        wait_for(lambda: site.store.run(run_id).step > step + 20)
        assert site.store.steps_after(run_id, step + 10)["lr"][0] == 0.5
        site.store.submit_command(run_id, Command("stop"))
        wait_for(lambda: site.store.run(run_id).state == "stopped")


def test_page_servers_may_come_and_go_while_runs_train(site):
    with site.page_server() as first:
        with site.page_server():
            wait_for(lambda: first.report().room == 2, PATIENCE)
            run_ids = site.store.submit_all([a_long_run(seed) for seed in range(2)])
            at_work = lambda: [site.store.run(each).state for each in run_ids]  # noqa: E731
            wait_for(lambda: at_work() == ["running"] * 2, PATIENCE)
            assert first.report().workers == 2  # each was started once
        os.kill(first._reconciler.pid, 9)
    wait_for(lambda: ended(site.store, *run_ids), PATIENCE)
    assert [site.store.run(each).attempt for each in run_ids] == [1, 1]


def test_a_machine_that_is_taken_away_hands_its_run_on_with_a_checkpoint(site):
    with site.page_server():
        run_id = site.store.submit(a_long_run(epochs=1000))
        wait_for(lambda: site.store.run(run_id).step > 100, PATIENCE)
        with site.store.database.read() as connection:
            pid = connection.exec_driver_sql(
                f"SELECT w.pid FROM workers w JOIN runs r ON r.worker_id = w.id "
                f"WHERE r.id = '{run_id}'"
            ).scalar_one()
        psutil.Process(pid).terminate()
        wait_for(lambda: site.store.run(run_id).attempt == 2, SILENCE_SECONDS)
        assert site.store.run(run_id).step > 100  # nothing was lost
        wait_for(lambda: site.store.run(run_id).state == "running", PATIENCE)
        site.store.submit_command(run_id, Command("stop"))
        wait_for(lambda: site.store.run(run_id).state == "stopped")


@pytest.mark.parametrize(
    ("variable", "reason"),
    [("CNNLAB_DATABASE", "cannot open the run store"), ("CNNLAB_FILES", "another run store")],
)
def test_a_machine_with_another_store_gets_no_runs(site, variable, reason):
    stranger = site.cluster.add_node(site.variables | {variable: ""}, cpus=8)
    try:
        with site.page_server() as place:
            run_ids = site.store.submit_all([a_long_run(epochs=2, seed=s) for s in range(6)])
            wait_for(lambda: refused_by(place, stranger), PATIENCE)
            (refused,) = refused_by(place, stranger)
            assert refused.room == 0 and reason in refused.refused
            assert "gets no runs" in place.report().trouble
            wait_for(lambda: ended(site.store, *run_ids), PATIENCE)
    finally:
        stranger.kill()


def refused_by(place: RayPlace, machine: RayNode) -> list[Node]:
    return [node for node in place.report().nodes if node.host == machine.name and node.refused]


def run_command(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | site.variables | {"CNNLAB_RUNS": str(site.store.folders.runs)}
    command = [sys.executable, "-m", "cnnlib", "cluster", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_command_shows_the_machines_and_ends_the_workers(site):
    with site.page_server():
        run_id = site.store.submit(a_long_run(epochs=1000))
        wait_for(lambda: site.store.run(run_id).step > 20, PATIENCE)
    shown = json.loads(run_command(site, "show", "--json").stdout)
    assert {"node1", "node2"} <= {node["host"] for node in shown["nodes"] if node["room"] == 1}
    assert shown["workers"] >= 1
    ending = run_command(site, "end")
    assert "1 run can be resumed" in ending.stdout, ending.stderr
    run = site.store.run(run_id)
    assert run.state == "interrupted" and run.attempt == 1
    assert json.loads(run_command(site, "show", "--json").stdout)["workers"] == 0


def test_a_cluster_without_tokens_is_refused(monkeypatch):
    pytest.importorskip("ray", reason="needs Ray: pip install 'cnnlib[ray]'")
    from ray_nodes import running_ray

    from cnnlib.runs.places.reconciler import open_cluster

    with running_ray(tokens=False) as cluster, closing(RunStore()) as store:
        monkeypatch.setenv("RAY_ADDRESS", cluster.environment["RAY_ADDRESS"])
        monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
        with pytest.raises(StoreError, match="runs without tokens"):
            open_cluster(store)
        monkeypatch.setenv("RAY_AUTH_MODE", "token")  # here, and not on the cluster
        with pytest.raises(StoreError, match="runs without tokens"):
            open_cluster(store)


def test_an_address_is_asked_for(monkeypatch):
    pytest.importorskip("ray", reason="needs Ray: pip install 'cnnlib[ray]'")
    from cnnlib.runs.places.reconciler import open_cluster

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with closing(RunStore()) as store, pytest.raises(StoreError, match="needs RAY_ADDRESS"):
        open_cluster(store)
