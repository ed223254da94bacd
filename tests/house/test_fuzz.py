"""A short sample of every fuzzer, and regression tests of the failures that they found."""

import contextlib
import io
import json
import struct
import zipfile
from random import Random

import pytest
import torch
from compare_runs import a_finished_run, a_store
from fuzz.catalogue import FUZZERS
from fuzz.guard import Forbidden, Guard, guarded
from fuzz.running import folder_below, try_seed
from fuzz.web_fuzzers import NAMES, ask, assert_harmless
from safetensors.torch import save
from starlette.applications import Starlette
from starlette.middleware import Middleware

from cnnlib.compare.columns import COLUMNS, columns
from cnnlib.compare.results_table import ResultsTable
from cnnlib.data.image_folder.archive_reader import open_zip
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import DataError, ProbeError, RecipeError, StoreError, TrainError
from cnnlib.probe.weights import read_arrays
from cnnlib.records.events import EpochEnd, SplitResult
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import Machine, RunRequest
from cnnlib.report.page import to_html
from cnnlib.report.text import to_csv, to_latex, to_markdown
from cnnlib.runs import tables
from cnnlib.runs.archive.archive import export_bytes, import_runs
from cnnlib.runs.archive.schema import _EPOCH, _MACHINE, _RESULT, _RUN, NOT_EXPORTED
from cnnlib.train.checkpoint import read_checkpoint
from cnnlib.ui.server.server import POLICY, ContentPolicy

SAMPLES = {"pages": 1, "commands": 4, "parcels": 6, "zips": 6, "spec_files": 15, "weights": 15}


@pytest.mark.parametrize("name", FUZZERS)
def test_a_sample_of_a_fuzzer_finds_nothing(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fuzzer = FUZZERS[name](folder_below(tmp_path, name))
    for seed in range(SAMPLES.get(name, 30)):
        found = try_seed(name, fuzzer, seed)
        assert found is None, f"seed {seed}: {found.case}\n{found.trace}"


@pytest.mark.parametrize("name", FUZZERS)
def test_a_seed_gives_the_same_input_again(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fuzzer = FUZZERS[name](folder_below(tmp_path, name))
    assert fuzzer.draw(Random(3)) == fuzzer.draw(Random(3))


# -- the guard detects forbidden actions -----------------------------------------------------------


def test_the_guard_sees_a_file_outside(tmp_path):
    with pytest.raises(Forbidden, match="open"), guarded(Guard([tmp_path / "inside"])):
        with contextlib.suppress(PermissionError):
            (tmp_path / "outside").write_text("x")
    assert not (tmp_path / "outside").exists()


def test_the_guard_sees_a_pickle(tmp_path):
    torch.save({"x": torch.zeros(1)}, tmp_path / "x.pt")
    with pytest.raises(Forbidden, match="pickle"), guarded(Guard([tmp_path])):
        with contextlib.suppress(Exception):
            torch.load(tmp_path / "x.pt", weights_only=False)


# -- regressions -----------------------------------------------------------------------------------


def test_a_zip_whose_entry_has_no_name_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("cat/0.png", b"x")
        archive.filelist[0].filename = ""
    with pytest.raises(DataError, match="has no name"), open_zip(tmp_path / "x.zip"):
        pass


@pytest.mark.parametrize(
    "header",
    [
        {"progress": -1, "circumstances": {}},
        {"progress": {}, "circumstances": {"recipe": {"patience": 1e308}}},
        {"progress": {}, "circumstances": {"recipe": {}, "<script>": 1}},
        {"progress": {"step": 0, "unknown": 1}},
        [],
        "x",
    ],
)
def test_a_checkpoint_with_a_wrong_header_gives_an_error_message(tmp_path, header):
    (tmp_path / "x").write_bytes(save({"net/a": torch.zeros(1)}, {"cnnlib": json.dumps(header)}))
    with pytest.raises(TrainError, match="cannot be read|holds weights alone"):
        read_checkpoint(tmp_path / "x")


def test_a_checkpoint_with_an_invalid_json_header_gives_a_short_error_message(tmp_path):
    header = json.dumps("é" * 5000).encode()
    (tmp_path / "x").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(TrainError, match="cannot be read") as raised:
        read_checkpoint(tmp_path / "x")
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float8_e4m3fn])
def test_weights_of_a_dtype_that_numpy_lacks_give_an_error_message(tmp_path, kind):
    (tmp_path / "x").write_bytes(save({"a": torch.zeros(1).to(kind)}))
    with pytest.raises(ProbeError, match="cannot be read"):
        read_arrays(tmp_path / "x")


def _set(part: str, row: int, column: int, value):
    def change(run: dict) -> None:
        run[part][row][column] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("steps", 0, 0, 10**400),
        _set("steps", 0, 1, "[]"),
        lambda run: run["steps"].append(run["steps"][0]),
        lambda run: run["run"].update(intervened=None),
        lambda run: run["run"].update(created=1e308),
        lambda run: run["run"].update(reason="\ud800"),
        lambda run: run["run"]["summary"].update(test_accuracy=5.0),
        lambda run: run["run"]["summary"].update(forecast=3),
        lambda run: run["run"]["summary"].update(promised={"peak_memory_bytes": "much"}),
        lambda run: run["run"]["request"].update(origin={"run_id": "a", "step": "x"}),
        lambda run: run["run"]["request"]["spec"].update(channels=[4] * 9, pool_every=1),
        lambda run: run["run"].update(group_name="another"),
        _set("epochs", 0, 2, {"epoch": 1}),
        _set("epochs", 0, 3, [[1, 2]]),
    ],
)
def test_an_archive_with_invalid_values_is_refused(tmp_path, change):
    here, there = a_store(tmp_path / "here"), a_store(tmp_path / "there")
    archive = io.BytesIO(export_bytes(here, [a_finished_run(here)]))
    out = io.BytesIO()
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(out, "w") as new:
        content = json.loads(old.read("runs.json"))
        change(content["runs"][0])
        new.writestr("runs.json", json.dumps(content))
    with pytest.raises(StoreError, match="not a valid run archive"):
        import_runs(there, out)
    assert there.runs() == []
    here.close(), there.close()


def test_an_archive_with_one_damaged_run_imports_none(tmp_path):
    here, there = a_store(tmp_path / "here"), a_store(tmp_path / "there")
    ids = [a_finished_run(here), a_finished_run(here, seed=1)]
    file = here.folders.run(ids[1]) / "test.npz"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"to be found " * 100)
    archive = export_bytes(here, ids).replace(b"to be found to", b"to be lost  to")
    with pytest.raises(StoreError, match="Bad CRC-32"):
        import_runs(there, io.BytesIO(archive))
    assert there.runs() == []
    assert not list((there.folders.runs / "files").glob("*"))
    here.close(), there.close()


def test_every_field_of_a_run_is_validated_in_an_archive():
    assert set(_RUN) == set(tables.runs.c.keys()) - NOT_EXPORTED
    for record, known in ((EpochEnd, _EPOCH), (SplitResult, _RESULT), (Machine, _MACHINE)):
        assert set(known) >= set(record.__dataclass_fields__) - {"val_confusion"}


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_a_name_with_an_invalid_character_is_refused(name):
    with pytest.raises(RecipeError, match="a NUL or an invalid Unicode character"):
        RunRequest(CNNSpec(channels=(4,)), Recipe(), "digits", name=name)


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*NAMES, "=1+1", "</script><script>x", "a | b", "\\end{tabular}"])
def test_a_name_is_escaped_in_every_report(tmp_path, name):
    store = a_store(tmp_path)
    a_finished_run(store, name=name)
    rows, shown = ResultsTable(store).rows(), columns(COLUMNS)
    page = to_html(rows, shown)
    plain_store = a_store(tmp_path / "plain_store")
    a_finished_run(plain_store, name="plain_store")
    plain = to_html(ResultsTable(plain_store).rows(), shown)
    assert page.count("<script") == plain.count("<script")
    assert page.count("</script") == plain.count("</script")
    assert "<img src=x" not in page
    for line in to_markdown(rows, shown).splitlines():
        assert line.replace("\\|", "").count("|") == len(shown) + 1
        assert_harmless("markdown", line)
        assert "<img" not in line
    assert "\\end{tabular}" not in to_latex(rows, shown).removesuffix("\\end{tabular}\n")
    assert not any(cell.startswith("=") for cell in to_csv(rows, shown).split(","))
    store.close(), plain_store.close()


def test_a_page_loads_no_picture_from_elsewhere():
    server = Starlette(middleware=[Middleware(ContentPolicy)])
    assert ask(server, "/").headers["Content-Security-Policy"] == POLICY
    assert "img-src 'self' data: blob:" in POLICY
