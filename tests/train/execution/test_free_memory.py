"""Tests that a further run starts only where the machine has memory for it."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest
from example_runs import a_request, a_store, started

from cnnlib.design.presets import preset
from cnnlib.runs import RunStore
from cnnlib.train.execution.forecast import forecast_for_run
from cnnlib.train.execution.free_memory import FreeMemory, available_bytes

REQUEST = replace(
    a_request(), spec=preset("resnet20").adapt((1, 28, 28), 10), dataset="digits", device="cpu"
)


@pytest.fixture
def store(tmp_path, store_address, monkeypatch) -> Generator[RunStore]:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with closing(a_store(tmp_path, store_address)) as store:
        yield store


def let_be_free(monkeypatch, free: int) -> None:
    monkeypatch.setattr("cnnlib.train.execution.free_memory.available_bytes", lambda: free)


def test_a_run_waits_until_its_forecast_fits_beside_what_the_others_will_take(store, monkeypatch):
    need = forecast_for_run(REQUEST, store.folders)["peak_memory_bytes"]
    worker_id, other = store.workers.register(), store.workers.register()
    memory = FreeMemory(store)
    first, second = store.submit(REQUEST), store.submit(REQUEST)
    let_be_free(monkeypatch, 0)
    assert memory.lack(first, worker_id) == ""  # alone it may try
    store.claim(worker_id, first)
    store.record_events(first, worker_id, [started()])
    # Both are in this process, so the first has taken nothing of its need yet.
    let_be_free(monkeypatch, 2 * need)
    assert memory.lack(second, other) == ""
    let_be_free(monkeypatch, 2 * need - 1_000_000)
    reason = memory.lack(second, other)
    assert reason.startswith("waits for memory: it needs ")
    assert reason.endswith(" are free beside 1 run in training")


def test_a_container_has_what_its_limit_leaves(monkeypatch, tmp_path):
    monkeypatch.setattr("cnnlib.train.execution.free_memory._CGROUP", tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8000))
    assert available_bytes() == 8000
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("5000\n")
    (tmp_path / "memory.stat").write_text("anon 4000\ninactive_file 500\nactive_file 400\n")
    assert available_bytes() == 8000
    (tmp_path / "memory.max").write_text("6000\n")
    assert available_bytes() == 1500
