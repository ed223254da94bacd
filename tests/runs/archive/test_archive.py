"""Tests of archives: export and import of runs, and refused files."""

import io
import json
import zipfile
from dataclasses import replace

import pytest
from compare_runs import a_finished_run, a_store
from example_runs import a_running_run

from cnnlib.cli.main import main
from cnnlib.compare.results_table import ResultsTable
from cnnlib.errors import StoreError
from cnnlib.runs import RunStore
from cnnlib.runs.archive.archive import export_bytes, export_runs, import_runs


@pytest.fixture
def here(tmp_path):
    store = a_store(tmp_path / "here")
    yield store
    store.close()


@pytest.fixture
def there(tmp_path):
    store = a_store(tmp_path / "there")
    yield store
    store.close()


def with_file(store: RunStore, run_id: str, name: str = "test.npz") -> None:
    folder = store.folders.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"\x00\x01 content of " + name.encode())


def transfer(here: RunStore, there: RunStore, **options) -> list[str]:
    file = io.BytesIO()
    export_runs(here, [run.id for run in here.runs()], file, **options)
    return import_runs(there, file)


def changed(archive: bytes, change) -> io.BytesIO:
    """An archive with a changed list of runs."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(out, "w") as new:
        content = json.loads(old.read("runs.json"))
        change(content)
        new.writestr("runs.json", json.dumps(content))
    return out


def test_a_run_is_imported_with_all_its_events(here, there):
    run_id = a_finished_run(here, val=0.9, test=0.91, name="mine")
    with_file(here, run_id)
    assert transfer(here, there) == [run_id]
    assert replace(there.run(run_id), threads=1) == here.run(run_id)  # no cores are held there
    assert there.epochs(run_id) == here.epochs(run_id)
    assert there.steps_after(run_id) == here.steps_after(run_id)
    assert there.result(run_id) == here.result(run_id)
    name = "test.npz"
    read = [(store.folders.run(run_id) / name).read_bytes() for store in (here, there)]
    assert read[0] == read[1]
    assert [row.name for row in ResultsTable(there).rows()] == ["mine"]


def test_weights_may_stay_behind(here, there):
    run_id = a_finished_run(here)
    for name in ("test.npz", "step-5.safetensors"):
        with_file(here, run_id, name)
    transfer(here, there, weights=False)
    assert [file.name for file in there.folders.run(run_id).iterdir()] == ["test.npz"]


def test_a_run_that_is_there_already_is_not_taken_twice(here, there):
    a_finished_run(here)
    assert transfer(here, there) == transfer(here, there)
    assert len(there.runs()) == 1


def test_another_run_of_the_same_id_gets_a_new_one(here, there):
    run_id = a_finished_run(here)
    transfer(here, there)
    there.rename(run_id, "something else")
    [new] = transfer(here, there)
    assert new != run_id
    assert len(there.runs()) == 2


def test_a_live_run_is_not_exported(here):
    run_id, _ = a_running_run(here)
    with pytest.raises(StoreError, match="only runs that have ended can be exported"):
        export_bytes(here, [run_id])


def test_a_file_that_is_no_archive_is_refused(there):
    with pytest.raises(StoreError, match="not a valid run archive: it cannot be unpacked"):
        import_runs(there, io.BytesIO(b"hello"))


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(format="other"),
        lambda content: content["runs"][0]["run"].update(id="../../etc"),
        lambda content: content["runs"][0]["run"].update(state="running"),
        lambda content: content["runs"][0]["run"]["request"].update(dataset="folder:.."),
        lambda content: content["runs"][0]["run"].update(created=float("nan")),
        lambda content: content["runs"][0]["run"].update(intervened=1),
        lambda content: content["runs"][0]["run"]["plan_cost"].update(params=-1),
        lambda content: content["runs"][0]["run"].pop("created"),
        lambda content: content["runs"][0]["epochs"].append([1]),
        lambda content: content["runs"][0]["weights"].append(["../x", 1, "snapshot", 4]),
        lambda content: content.update(runs=None),
        lambda content: content["runs"].append(3),
    ],
)
def test_a_changed_archive_is_refused_and_leaves_nothing(here, there, change):
    archive = export_bytes(here, [a_finished_run(here)])
    with pytest.raises(StoreError, match="not a valid run archive"):
        import_runs(there, changed(archive, change))
    assert there.runs() == []


def test_a_file_outside_the_folder_of_a_run_is_refused(here, there, tmp_path):
    archive = io.BytesIO(export_bytes(here, [a_finished_run(here)]))
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("files/../../../evil", "x")
    with pytest.raises(StoreError, match="which is not a file of a run"):
        import_runs(there, archive)
    assert not list(tmp_path.rglob("evil"))


def test_the_commands_carry_runs_from_one_folder_to_another(tmp_path, monkeypatch, capsys):
    store = RunStore()
    run_id = a_finished_run(store)
    store.close()
    file = str(tmp_path / "runs.zip")
    assert main(["export-runs", file, "--all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": file, "run_ids": [run_id]}
    monkeypatch.setenv("CNNLAB_RUNS", str(tmp_path / "elsewhere"))
    assert main(["import-runs", file]) == 0
    assert capsys.readouterr().out == f"{run_id}\n"


def test_no_run_named_is_a_sentence(capsys):
    assert main(["export-runs", "x.zip"]) == 2
    assert "No run is selected" in capsys.readouterr().err
