"""Tests of the connection to the viewer process, with a real process and without torch."""

import threading
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client

import pytest
from example_runs import a_store, wait_for

from cnnlib.design.spec import CNNSpec
from cnnlib.errors import DataError, FaultError, SpecError, ViewerError
from cnnlib.probe.viewer.process import serve
from cnnlib.records.maps import MapsRequest, NetworkSource, SplitSource
from cnnlib.runs.places.local_place import LocalPlace
from cnnlib.runs.workers.viewer import ADDRESS_VARIABLE, KEY_VARIABLE, Viewer


def connect(viewer: Viewer, functions) -> threading.Thread:
    """Serve functions at the other end, on a thread."""
    address, key = (viewer.environment[name] for name in (ADDRESS_VARIABLE, KEY_VARIABLE))

    def run() -> None:
        with suppress(SystemExit), Client(address, authkey=bytes.fromhex(key)) as connection:
            serve(connection, functions)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_for(lambda: viewer.is_ready, seconds=10)
    return thread


@pytest.fixture
def viewer():
    viewer = Viewer()
    yield viewer
    viewer.close()


def test_before_a_process_is_connected_it_is_not_ready(viewer):
    with pytest.raises(ViewerError, match="is starting"):
        viewer.ask("maps")


def test_it_returns_values_and_raises_errors_of_the_same_type(viewer):
    def refuse():
        raise SpecError("It is too large.", layer="conv1", repair={"channels": (8,)})

    connect(viewer, {"add": lambda a, b: a + b, "refuse": refuse, "fail": lambda: 1 / 0})
    assert viewer.ask("add", 1, 2) == 3
    with pytest.raises(SpecError, match=r"It is too large\.") as refused:
        viewer.ask("refuse")
    assert (refused.value.layer, refused.value.repair) == ("conv1", {"channels": (8,)})
    with pytest.raises(FaultError, match="internal error"):
        viewer.ask("fail")
    assert viewer.ask("add", 3, 4) == 7


def test_another_process_takes_over_after_one_has_ended(viewer):
    connect(viewer, {"die": lambda: (_ for _ in ()).throw(SystemExit)})
    with pytest.raises(ViewerError, match="another one is starting"):
        viewer.ask("die")
    connect(viewer, {"name": lambda: "second"})
    assert viewer.ask("name") == "second"


def test_a_process_without_the_key_is_refused(viewer):
    address = viewer.environment[ADDRESS_VARIABLE]
    with pytest.raises(AuthenticationError):
        Client(address, authkey=b"wrong")
    assert not viewer.is_ready


def test_close_does_not_wait_for_a_thread_that_has_ended():
    """The thread may see that it is closed after any refused connection, and accept none more."""
    for _ in range(20):
        viewer = Viewer()
        Client(viewer.environment[ADDRESS_VARIABLE]).close()
        viewer.close()


def test_close_ends_the_process(viewer):
    thread = connect(viewer, {})
    viewer.close()
    thread.join(timeout=10)
    assert not thread.is_alive()


def test_the_pool_starts_it_and_restarts_it(tmp_path):
    store = a_store(tmp_path)
    pool = LocalPlace(store.folders, count=1, viewer=Viewer())
    request = MapsRequest(NetworkSource(CNNSpec()), SplitSource("digits", ""))
    try:
        pool.start()
        wait_for(lambda: pool.viewer.is_ready, seconds=120)
        with pytest.raises(DataError):
            pool.viewer_answer("maps", request)  # digits is not prepared in this folder
    finally:
        pool.shutdown()
        store.close()
    with pytest.raises(ViewerError):
        pool.viewer_answer("maps", request)
