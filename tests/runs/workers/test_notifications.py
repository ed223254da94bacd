"""Tests of connections to PostgreSQL and of its notifications, also behind a pooler."""

import sys
import threading
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from example_runs import a_request, a_running_run, a_store, wait_for
from postgres import POOLER_PORT, Postgres

from cnnlib.errors import StoreError
from cnnlib.records.events import Command
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore
from cnnlib.runs.database import CONNECTIONS, WORKER_CONNECTIONS, Database
from cnnlib.runs.places.local_place import LocalPlace
from cnnlib.runs.workers import notifications

COUNTING = (sys.executable, str(Path(__file__).parents[2] / "support" / "counting_worker.py"))


def user_of(address: str) -> str:
    return sa.make_url(address).username


def sessions(server: Postgres, address: str) -> list[int]:
    """The process ids of the server's sessions for the user of an address."""
    wanted = "SELECT pid FROM pg_stat_activity WHERE usename = %s"
    with server.connect() as session:
        return [pid for (pid,) in session.execute(wanted, [user_of(address)])]


def listening(server: Postgres, address: str) -> list[int]:
    """The process ids of the sessions that listen."""
    wanted = "SELECT pid FROM pg_stat_activity WHERE usename = %s AND query LIKE 'LISTEN%%'"
    with server.connect() as session:
        return [pid for (pid,) in session.execute(wanted, [user_of(address)])]


# -- connections -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("is_direct", "each"), [(True, 2), (False, 1)])
def test_a_worker_has_one_connection_and_one_more_to_listen(
    tmp_path, postgres_server, is_direct, each
):
    address = postgres_server.create_schema()
    folders = Folders(tmp_path, tmp_path, address, database_direct=address if is_direct else "")
    with closing(RunStore(folders, WORKER_CONNECTIONS)) as store:
        pool = LocalPlace(folders, 3, COUNTING)
        run_ids = store.submit_all([a_request(epochs=300)] * 6)
        pool.start()
        most = together = 0
        try:
            while any(store.run(run_id).is_live for run_id in run_ids):
                most = max(most, len(sessions(postgres_server, address)))
                together = max(together, len(store.runs(states=("running",))))
        finally:
            pool.shutdown()
    assert together == 3
    assert most == 3 * each + 2  # the pool and this test have one each


def test_a_page_server_has_a_bounded_number_of_connections(tmp_path, postgres_server):
    address = postgres_server.create_schema()
    with closing(Database(Folders(tmp_path, tmp_path, address))) as database:
        counts = []

        def ask() -> None:
            with database.read() as connection:
                connection.execute(sa.text("SELECT pg_sleep(0.02)"))
                counts.append(len(sessions(postgres_server, address)))

        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(counts) == 20 and max(counts) == CONNECTIONS


def test_a_store_keeps_no_setting_and_no_prepared_statement_in_a_session(tmp_path, postgres_server):
    with closing(a_store(tmp_path, postgres_server.create_schema())) as store:
        run_id, worker_id = a_running_run(store)
        for _ in range(10):  # psycopg prepares a statement at its sixth execution
            store.record_events(run_id, worker_id, [])
        with store.database.read() as connection:
            prepared = connection.scalar(sa.text("SELECT count(*) FROM pg_prepared_statements"))
            locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            held = connection.scalar(sa.text(locks))
            is_set = "SELECT count(*) FROM pg_settings WHERE source = 'session'"
            changed = connection.scalar(sa.text(is_set))
            channels = connection.execute(sa.text("SELECT pg_listening_channels()")).all()
    assert (prepared, held, changed, channels) == (0, 0, 0, [])


# -- notifications ---------------------------------------------------------------------------------


@pytest.fixture(params=["postgres", pytest.param("pgbouncer", marks=pytest.mark.pgbouncer)])
def listener_folders(request, tmp_path) -> Folders:
    """A store with a direct address, its database without and with a pooler before it."""
    is_pooled = request.param == "pgbouncer"
    server = request.getfixturevalue("pooled_server" if is_pooled else "postgres_server")
    direct = server.create_schema()
    pooled = server.address(user_of(direct), POOLER_PORT)
    return Folders(tmp_path, tmp_path, pooled if is_pooled else direct, database_direct=direct)


@pytest.fixture
def without_polls(monkeypatch) -> None:
    for name in ("LISTENING_SECONDS", "POLL_SECONDS", "FOUND_SECONDS"):
        monkeypatch.setattr(notifications, name, 1e6)


@pytest.fixture
def listening_store(listener_folders, without_polls) -> Generator[RunStore]:
    with closing(RunStore(listener_folders, WORKER_CONNECTIONS)) as store:
        yield store


def wait_until_listening(store: RunStore, finds: Callable[[], bool], server: Postgres) -> None:
    """Wait until the session listens, and has had the watcher read for the last time."""
    wait_for(lambda: bool(listening(server, store.folders.database_direct)))
    wait_for(lambda: store.database._listener._is_listening)
    finds()


def test_a_command_is_noticed_by_its_notification(listening_store, postgres_server):
    store = listening_store
    run_id, worker_id = a_running_run(store)
    with store.watch_commands(run_id) as has_commands:
        wait_until_listening(store, has_commands, postgres_server)
        assert not has_commands()
        store.submit_command(run_id, Command("pause"))
        wait_for(has_commands)
    assert [each.kind for each in store.record_events(run_id, worker_id, [])] == ["pause"]


def test_a_command_to_another_run_asks_the_database_nothing(listening_store, postgres_server):
    store = listening_store
    (first, _), (second, _) = a_running_run(store), a_running_run(store)
    reads = []
    sa.event.listen(store.database._engine, "before_cursor_execute", lambda *_: reads.append(1))
    with store.watch_commands(first) as has_commands, store.watch_commands(second) as of_second:
        wait_until_listening(store, has_commands, postgres_server)
        of_second()
        store.submit_command(second, Command("pause"))
        wait_for(of_second)
        reads.clear()
        assert not has_commands()
    assert reads == []


def test_a_waiting_run_and_a_waiting_job_are_noticed_by_their_notifications(
    listening_store, postgres_server
):
    store = listening_store
    with store.watch_queue() as has_queued, store.jobs.watch() as has_job:
        wait_until_listening(store, has_queued, postgres_server)
        has_job()
        assert not has_queued() and not has_job()
        store.submit(a_request())
        wait_for(has_queued)
        assert not has_job()
        store.jobs.submit("prepare", {"name": "digits"})
        wait_for(has_job)


def test_what_was_sent_while_the_session_was_lost_is_found(
    listening_store, postgres_server, capfd, monkeypatch
):
    store, address = listening_store, listening_store.folders.database_direct
    run_id, _ = a_running_run(store)
    with store.watch_commands(run_id) as has_commands:
        wait_until_listening(store, has_commands, postgres_server)
        monkeypatch.setattr(notifications, "_RETRY_SECONDS", 0.2)
        [before] = listening(postgres_server, address)
        with postgres_server.connect() as session:
            session.execute("SELECT pg_terminate_backend(%s)", [before])
            store.submit_command(run_id, Command("pause"))
        wait_for(has_commands)
        wait_for(lambda: listening(postgres_server, address) not in ([], [before]))
    assert "CNNLAB_DATABASE_DIRECT cannot be used" in capfd.readouterr().err


def test_without_a_direct_address_a_worker_reads_once_a_second(
    tmp_path, postgres_server, monkeypatch
):
    clock = [100.0]
    monkeypatch.setattr(notifications.time, "monotonic", lambda: clock[0])
    with closing(a_store(tmp_path, postgres_server.create_schema())) as store:
        run_id, _ = a_running_run(store)
        with store.watch_commands(run_id) as has_commands:
            assert not has_commands()
            store.submit_command(run_id, Command("pause"))
            clock[0] += 0.99
            assert not has_commands()
            clock[0] += 0.02
            assert has_commands()
    assert store.database.note.startswith("Workers look for commands once a second.")


def test_a_store_says_how_commands_reach_its_workers(tmp_path, listener_folders):
    with closing(Database(listener_folders)) as database:
        assert database.note.startswith("Commands reach workers at once")
    with closing(a_store(tmp_path / "own")) as store:
        assert store.database.note == ""


@pytest.mark.parametrize(
    ("database", "direct", "found"),
    [
        ("", "postgresql+psycopg://ada@host/lab", "set, but CNNLAB_DATABASE is not"),
        ("postgresql+psycopg://ada@host/lab", "somewhere", "not the address of a PostgreSQL"),
        ("postgresql+psycopg://ada@host/lab", "sqlite:///lab.db", "not the address of a Postgre"),
    ],
)
def test_a_direct_address_belongs_to_a_postgresql_database(tmp_path, database, direct, found):
    with pytest.raises(StoreError, match=f"CNNLAB_DATABASE_DIRECT is {found}"):
        Database(Folders(tmp_path, tmp_path, database, database_direct=direct))


def test_no_message_about_the_direct_address_holds_its_password(listener_folders, capfd):
    wrong = "postgresql+psycopg://ada:s3cret@127.0.0.1:1/lab"  # port 1 is closed
    folders = replace(listener_folders, database_direct=wrong)
    with closing(RunStore(folders)) as store, store.watch_queue():
        wait_for(lambda: bool(said := capfd.readouterr().err) and "s3cret" not in said)
    assert "s3cret" not in repr(folders)
