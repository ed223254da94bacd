"""Tests that files of each version open in later ones: store, links, designs and archive.

The fixtures under ``tests/versions/<version>`` are never changed. The next version adds its own::

    python -m tests.versions.write 0.2.0        (from the repository's root)
"""

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from example_runs import a_request

from cnnlib.compare.results_table import ResultsTable
from cnnlib.design.cost import cost
from cnnlib.design.link import decode
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.records.events import Command
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore, studies
from cnnlib.runs.archive.archive import import_runs
from cnnlib.runs.saved_designs import SavedDesigns
from cnnlib.train.api import load_run
from cnnlib.train.checkpoint import read_checkpoint

VERSIONS = sorted(
    path for path in (Path(__file__).parents[1] / "versions").iterdir() if path.is_dir()
)
KINDS = ("duel", "grid", "search")
VERSIONS = [path for path in VERSIONS if (path / "told.json").exists()]


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name)
def version(request) -> Path:
    """The folder of one version's fixtures."""
    return request.param


@pytest.fixture
def recorded(version) -> dict:
    """The facts that this version recorded about its fixtures."""
    return json.loads((version / "told.json").read_text())


@pytest.fixture
def folders(version, tmp_path) -> Folders:
    """The folders of a writable copy of its store."""
    shutil.copytree(version / "runs", tmp_path / "runs")
    return Folders.from_environment()


def test_a_store_opens_with_all_its_runs(folders, recorded):
    with closing(RunStore(folders)) as store:
        assert [run.id for run in store.runs()] == list(recorded["runs"])
        for run_id, facts in recorded["runs"].items():
            run = store.run(run_id)
            assert (run.state, run.step) == (facts["state"], facts["step"])
            # Since then a given name stands alone, without the dataset and the seed.
            assert run.title == facts["title"].removesuffix(" on digits, seed 0")
            assert store.steps_after(run_id)["loss"] == facts["losses"]
            assert [epoch.val_accuracy for epoch in store.epochs(run_id)] == facts["val_accuracies"]
            assert store.result(run_id).accuracy == facts["test_accuracy"]
            assert [saved.step for saved in store.saved_weights(run_id)] == facts["saved"]
            assert len(store.interventions(run_id)) == facts["interventions"]
        [row] = ResultsTable(store).rows()
        assert row.name == recorded["row"]
        assert [find.kind for find in studies.find_all(store, KINDS)] == recorded["plans"]


def test_its_networks_are_read_with_the_weights_that_they_had(folders, recorded):
    for run_id, facts in recorded["runs"].items():
        trained = load_run(run_id, folders=folders)
        total = sum(float(value.detach().sum()) for value in trained.net.parameters())
        assert total == pytest.approx(facts["sum_of_weights"], rel=1e-6)


def test_its_checkpoints_can_be_resumed(folders, recorded):
    for run_id, facts in recorded["runs"].items():
        files = sorted(folders.run(run_id).glob("checkpoint-*.safetensors"))
        assert read_checkpoint(files[-1]).progress.step == facts["step"]


def test_its_links_describe_the_same_networks(recorded):
    for one in recorded["designs"]:
        spec = decode(one["link"])
        assert spec == CNNSpec.from_dict(one["spec"])
        assert cost(plan(spec)).params == one["params"]


def test_its_archive_is_imported(version, recorded):
    with closing(RunStore()) as store, (version / "runs.zip").open("rb") as archive:
        assert import_runs(store, archive) == list(recorded["runs"])


def test_its_saved_designs_are_the_same(folders, recorded):
    with closing(RunStore(folders)) as store:
        found = {design.name: design.spec.to_dict() for design in SavedDesigns(store).designs()}
    assert {
        name: CNNSpec.from_dict(spec).to_dict() for name, spec in recorded["shelf"].items()
    } == found


def test_a_store_with_studies_of_the_version_before_opens(tmp_path):
    # Written by `duel`, `experiment grid` and `experiment search` when the schema had version 2.
    (tmp_path / "runs").mkdir(exist_ok=True)
    written = Path(__file__).parents[1] / "versions" / "studies" / "cnnlab.db"
    shutil.copy(written, tmp_path / "runs" / "cnnlab.db")
    with closing(RunStore(Folders.from_environment())) as store:
        found = studies.find_all(store, KINDS)
        assert [(each.kind, each.state) for each in found] == [
            ("search", "done"),
            ("grid", "done"),
            ("duel", "done"),
        ]
        runs = {each.kind: len(studies.find(store, each.id).runs) for each in found}
        assert runs == {"search": 2, "grid": 2, "duel": 6}  # three pairs of two runs
        assert len(ResultsTable(store).rows()) == 6  # two designs of the duel, four settings


def test_a_run_in_the_place_of_a_deleted_one_changes_the_version_of_the_table(tmp_path):
    with closing(RunStore(Folders.from_environment())) as store:
        versions = []
        for name in ("abc", "xyz"):
            run_id = store.submit(a_request(name=name))
            versions.append(ResultsTable(store).version())
            store.submit_command(run_id, Command("stop"))
            store.delete(run_id)
        assert versions[0] != versions[1]


def test_a_rename_to_a_name_of_the_same_length_changes_the_version_of_the_table(tmp_path):
    with closing(RunStore(Folders.from_environment())) as store:
        run_id = store.submit(a_request())
        store.rename(run_id, "abc")
        before = ResultsTable(store).version()
        store.rename(run_id, "xyz")
        assert ResultsTable(store).version() != before
