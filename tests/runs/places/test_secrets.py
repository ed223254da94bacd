"""A test that a run on a Ray cluster leaves no password, key or token where others can read it."""

import secrets
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest
from example_runs import a_request
from postgres import Postgres

from cnnlib.data.prepare import prepare
from cnnlib.records.events import Command
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore

pytest.importorskip("ray", reason="needs Ray: pip install 'ray==2.60.0'")

pytestmark = pytest.mark.ray

LONGEST_SECONDS = 120.0


@pytest.fixture
def cluster(monkeypatch):
    """The head of a Ray cluster that asks for a token."""
    from ray_nodes import running_ray

    with running_ray() as cluster:
        for name, value in cluster.environment.items():
            if name.startswith("RAY_"):
                monkeypatch.setenv(name, value)
        yield cluster


def wait(is_met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not is_met():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def in_command_lines(hidden: list[str]) -> list[str]:
    """The command lines of all processes that hold one of the secrets."""
    lines = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        lines += [line] if any(each in line for each in hidden) else []
    return lines


def in_files(folder: Path, hidden: list[str]) -> list[str]:
    """The files below a folder that hold one of the secrets."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and path != folder / "token":
            content = path.read_bytes()
            found += [str(path)] if any(each.encode() in content for each in hidden) else []
    return found


def in_rows(store: RunStore, hidden: list[str]) -> list[str]:
    """The tables of which a row holds one of the secrets."""
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    found = []
    with store.database.read() as connection:
        for [name] in connection.exec_driver_sql(tables).all():
            rows = connection.exec_driver_sql(f'SELECT t::text FROM "{name}" t').scalars().all()
            found += [name] if any(each in row for each in hidden for row in rows) else []
    return found


def test_no_secret_of_a_cluster_is_in_a_command_line_a_log_or_a_row(
    cluster, postgres_server: Postgres, s3_server, s3_address
):
    from cnnlib.runs.places.placed_worker import Expected
    from cnnlib.runs.places.ray_place import RayPlace

    password = f"pg-{secrets.token_hex(8)}"
    address = postgres_server.create_schema().replace("@", f":{password}@", 1)
    assert password in address
    token = (cluster.folder / "token").read_text()
    hidden = [password, s3_server.environment["AWS_SECRET_ACCESS_KEY"], token]
    own = Folders(cluster.folder / "data", cluster.folder / "app", address, s3_address, address)
    variables = s3_server.environment | {
        "CNNLAB_DATA": str(own.data),
        "CNNLAB_DATABASE": address,
        "CNNLAB_DATABASE_DIRECT": address,
        "CNNLAB_FILES": s3_address,
    }
    with closing(RunStore(own)) as store:
        for _ in prepare("digits", own):
            pass
        place = RayPlace(own)
        place.start()
        try:
            cluster.add_node(variables)
            run_id = store.submit(a_request(epochs=10_000))
            wait(lambda: store.run(run_id).step > 0)
            assert in_command_lines(["cnnlib.runs.places.reconciler"])  # they are looked through
            assert in_command_lines(hidden) == []
            # Errors are written to logs, too.
            postgres_server.control("restart", "-m", "fast")
            step = store.run(run_id).step
            wait(lambda: store.run(run_id).step > step)
            store.submit_command(run_id, Command("stop"))
            wait(lambda: store.run(run_id).state == "stopped")
            assert in_command_lines(hidden) == []
            assert {"runs", "weights"} <= {*in_rows(store, [run_id])}
            assert in_rows(store, hidden) == []
            assert not any(each in repr(asdict(Expected.of(store))) for each in hidden)
        finally:
            place.shutdown()
    assert in_files(cluster.folder, hidden) == []
    logs = {Path(path).name for path in in_files(cluster.folder, ["\n"])}
    assert "raylet.out" in logs and any(name.startswith("python-core-worker") for name in logs)
