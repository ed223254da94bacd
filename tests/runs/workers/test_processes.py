"""Tests of the fork server: what it forks, what becomes of it, and how it ends."""

import os
import signal
from collections.abc import Collection, Generator
from contextlib import closing, suppress

import psutil
import pytest
from example_runs import a_request, a_store, wait_for

from cnnlib.runs import RunStore
from cnnlib.runs.places.local_place import LocalPlace
from cnnlib.runs.workers.processes import CAN_FORK, ForkServer, StartedProcess
from cnnlib.runs.workers.slot import worker_environment
from cnnlib.runs.workers.viewer import Viewer

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="cannot run here: processes are not forked")


@pytest.fixture
def store(tmp_path) -> Generator[RunStore]:
    with closing(a_store(tmp_path)) as store:
        yield store


@pytest.fixture(scope="module")
def shared_pool(tmp_path_factory) -> Generator[LocalPlace]:
    with closing(a_store(tmp_path_factory.mktemp("lab"))) as store:
        pool = LocalPlace(store.folders, count=1, viewer=Viewer())
        pool.start()
        yield pool
        pool.shutdown()


@pytest.fixture
def pool(shared_pool) -> LocalPlace:
    """A pool with one worker and the viewer, both ready."""
    wait_for(lambda: shared_pool.pids and shared_pool.viewer.is_ready, seconds=120)
    return shared_pool


def ids_below() -> set[int]:
    """The ids of the processes below this one."""
    return {process.pid for process in psutil.Process().children(recursive=True)}


def own_processes(apart_from: Collection[int] = ()) -> dict[str, psutil.Process]:
    """The processes below this one, by name; the fork server is "server"."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has ended meanwhile
            if process.pid in apart_from:
                continue
            if process.name().startswith("cnnlab-"):
                found[process.name()] = process
            elif "cnnlib.train.worker.fork_server" in process.cmdline():
                found["server"] = process
    return found


def test_workers_and_viewer_share_the_memory_of_one_process(pool):
    found = own_processes()
    assert found.keys() == {"server", "cnnlab-worker", "cnnlab-viewer"}
    for name in ("cnnlab-worker", "cnnlab-viewer"):
        assert found[name].ppid() == found["server"].pid
        memory = found[name].memory_full_info()
        assert memory.uss < memory.rss / 2


def test_a_worker_that_was_killed_is_forked_anew(pool):
    [before] = pool.pids
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: pool.pids and pool.pids != [before], seconds=60)
    assert own_processes()["server"].is_running()


def test_a_fork_server_that_was_killed_is_started_anew_and_its_processes_leave(pool):
    before = own_processes()
    before["server"].kill()
    psutil.wait_procs([before["cnnlab-worker"]], timeout=60)
    assert not before["cnnlab-worker"].is_running()
    wait_for(lambda: pool.pids and pool.viewer.is_ready, seconds=120)
    wait_for(
        lambda: (
            own_processes().get("cnnlab-viewer", before["server"]).pid
            not in (before["cnnlab-viewer"].pid, before["server"].pid)
        ),
        seconds=120,
    )


def test_nothing_is_left_after_the_end(store):
    of_others = ids_below()
    pool = LocalPlace(store.folders, count=2, viewer=Viewer())
    for _ in range(2):  # the second worker starts because two runs wait
        store.submit(a_request(epochs=10_000))
    pool.start()
    wait_for(lambda: len(pool.pids) == 2, seconds=120)
    pool.shutdown(patience_seconds=30)
    assert own_processes(of_others) == {}


def test_an_end_before_the_import_leaves_nothing(tmp_path):
    of_others = ids_below()
    server = ForkServer(dict(os.environ), tmp_path / "server.log")
    process = server.start("worker", ["--follow"], {}, tmp_path / "worker.log")
    assert (process.pid, process.poll()) == (None, None)
    server.close()
    assert process.poll() == 1
    wait_for(lambda: own_processes(of_others) == {}, seconds=60)


def test_a_process_that_is_started_afresh_ends_on_request(store):
    command = ["python3", "-c", "import sys; sys.exit(sys.stdin.buffer.read(1) != b'q')"]
    log = store.folders.runs / "log.txt"
    process = StartedProcess(command, worker_environment(store.folders), log)
    assert process.poll() is None
    process.request_exit()
    wait_for(lambda: process.poll() is not None)
    assert process.poll() == 0
