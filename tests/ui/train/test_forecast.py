"""Tests of the forecast on the Train page and of the waiting time in the queue."""

from dataclasses import replace
from io import BytesIO

import pytest
from example_runs import a_request, a_running_run, a_store

from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.events import Command
from cnnlib.records.folders import Folders
from cnnlib.runs.archive.archive import export_bytes, import_runs
from cnnlib.runs.polling import metrics_since
from cnnlib.train.execution.forecast import Forecast, forecast, forecast_for_run
from cnnlib.ui.train.cost_card import forecast_lines, picture_lines


def test_the_card_shows_time_and_memory(monkeypatch):
    monkeypatch.setenv("CNNLAB_WORKERS", "2")
    estimate = Forecast(12.04, 36.1, 180_000_000, "this design")
    assert forecast_lines(estimate, epochs=3, seeds=1) == [
        ("Time in total", "about 36 s", "3 epochs"),
        ("Time per epoch", "about 12 s", ""),
        (
            "Memory, whole run",
            "about 180 MB, give or take 50 MB",
            "the dataset, and a step with the working memory of its program",
        ),
    ]
    # Of four seeds, two train at once: 2 * 36.1 s, rounded.
    several = forecast_lines(estimate, epochs=3, seeds=4)
    assert several[0] == ("Time in total", "about 1 min 12 s", "3 epochs, 4 runs")
    assert several[2] == (
        "Memory, whole run",
        "about 180 MB, give or take 50 MB",
        "the dataset, and a step with the working memory of its program; for each run",
    )


def test_the_card_counts_the_pictures_of_the_run():
    info = DatasetInfo("own", "own", (1, 28, 28), ("a", "b"), 200, 10)
    [line] = picture_lines(a_request(validation=0.1), info)
    assert line == ("Training pictures", "180", "20 more for validation")
    [line] = picture_lines(replace(a_request(validation=0.0), train_limit=50), info)
    assert line == ("Training pictures", "50", "no validation split")


def test_forecast_for_run_contains_seconds_and_basis(tmp_path):
    # Digits: 1,797 pictures; the catalogue contains the number before they are prepared.
    found = forecast_for_run(a_request(epochs=2), Folders(tmp_path, tmp_path))
    assert found["seconds"] == pytest.approx(2 * found["seconds_per_epoch"])
    assert found["basis"] == "a guess"


def test_forecast_counts_the_pictures_of_an_own_validation_split(tmp_path):
    info = DatasetInfo("folder:own", "own", (1, 28, 28), ("a", "b"), 200, 10, validation_count=100)
    parts = forecast(a_request(validation=0.1), info, Folders(tmp_path, tmp_path))
    whole = forecast(a_request(validation=0.0), info, Folders(tmp_path, tmp_path))
    assert whole.seconds_per_epoch > 1.5 * parts.seconds_per_epoch


def test_forecast_for_a_missing_dataset_is_empty(tmp_path):
    assert forecast_for_run(a_request(dataset="folder:gone"), Folders(tmp_path, tmp_path)) == {}


def test_metrics_of_a_queued_run_contain_the_waiting_time(tmp_path):
    store = a_store(tmp_path)
    a_running_run(store, epochs=2)  # its forecast: 3 s an epoch
    store.submit(a_request(epochs=4), forecast={"seconds_per_epoch": 2.0})
    last = store.submit(a_request())
    # 2 epochs of 3 s are at work, and 4 of 2 s are ahead.
    assert metrics_since(store, last)["wait_seconds"] == 2 * 3.0 + 4 * 2.0
    store.close()


def test_archive_keeps_the_forecast_of_a_run(tmp_path):
    here, there = a_store(tmp_path / "here"), a_store(tmp_path / "there")
    forecast = {"seconds_per_epoch": 2.0, "basis": "a guess"}
    run_id = here.submit(a_request(), forecast=forecast)
    here.submit_command(run_id, Command("stop"))
    import_runs(there, BytesIO(export_bytes(here, [run_id])))
    assert there.runs()[0].summary["promised"] == forecast
    here.close()
    there.close()
