"""Tests that the password of a database is in no message, record or log."""

import subprocess
import sys
import traceback

import pytest

from cnnlib.cli.main import main
from cnnlib.errors import StoreError
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore

SECRET = "s3cret-w0rd"
ADDRESSES = [
    f"postgresql+psycopg://ada:{SECRET}@127.0.0.1:1/lab",  # port 1 is closed
    f"postgresql+psycopg://ada@127.0.0.1:1/lab?password={SECRET}",
    f"postgresql+psycopg://ada:{SECRET}@127.0.0.1:1/lab?nonsense={SECRET}",
    f"postgresql+nonsense://ada:{SECRET}@127.0.0.1/lab",
    f"no address {SECRET}",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_error_of_the_store_holds_the_password(tmp_path, address):
    folders = Folders(data=tmp_path, runs=tmp_path, database=address)
    with pytest.raises(StoreError) as raised:
        RunStore(folders)
    assert SECRET not in str(raised.value)
    assert SECRET not in repr(folders)


@pytest.mark.parametrize("address", ADDRESSES[:2])
def test_no_trace_of_the_store_holds_the_password(tmp_path, address):
    with pytest.raises(StoreError) as raised:
        RunStore(Folders(data=tmp_path, runs=tmp_path, database=address))
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_neither_the_command_line_nor_the_log_of_a_worker_holds_the_password(monkeypatch, capsys):
    monkeypatch.setenv("CNNLAB_DATABASE", ADDRESSES[0])
    assert main(["runs"]) == 2
    assert SECRET not in "".join(capsys.readouterr())
    worker = [sys.executable, "-m", "cnnlib.train.worker"]
    completed = subprocess.run(worker, capture_output=True, text=True, timeout=300)
    assert completed.returncode != 0 and completed.stderr
    assert SECRET not in completed.stdout + completed.stderr
