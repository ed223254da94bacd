"""Tests of saved designs: any name is possible."""

import json
from pathlib import Path

import pytest

from cnnlib.design.presets import preset
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import StoreError
from cnnlib.records.folders import Folders
from cnnlib.runs.saved_designs import MOST_DESIGNS, NAME_LIMIT, SavedDesigns

RESNET = preset("resnet20").spec


@pytest.fixture
def designs(tmp_path: Path) -> SavedDesigns:
    return SavedDesigns(Folders(data=tmp_path / "data", runs=tmp_path / "runs"))


def names(designs: SavedDesigns) -> list[str]:
    return [design.name for design in designs.designs()]


def test_there_are_no_designs_before_anything_is_saved(designs):
    assert designs.designs() == []


def test_a_design_comes_back_as_it_was_saved(designs):
    designs.save("My net", RESNET)
    assert [(design.name, design.spec) for design in designs.designs()] == [("My net", RESNET)]


def test_a_name_that_is_taken_replaces_the_design_before(designs):
    designs.save("net", RESNET)
    designs.save("net", CNNSpec())
    assert [design.spec for design in designs.designs()] == [CNNSpec()]


def test_designs_are_sorted_by_name_whatever_their_case(designs):
    for name in ("b", "C", "a"):
        designs.save(name, CNNSpec())
    assert names(designs) == ["a", "b", "C"]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..", "a/b\\c", "CON", "Netz größer 网络 🙂", "'\""]
)
def test_any_name_is_safe(designs, name):
    designs.save(name, CNNSpec())
    assert names(designs) == [name]
    assert [file.parent for file in designs.folder.rglob("*")] == [designs.folder]


def test_blanks_around_and_inside_a_name_are_tidied(designs):
    assert designs.save("  my \n net ", CNNSpec()) == "my net"


@pytest.mark.parametrize("name", ["", "   ", "x" * (NAME_LIMIT + 1)])
def test_an_empty_or_endless_name_is_refused(designs, name):
    with pytest.raises(StoreError, match=f"it needs 1 to {NAME_LIMIT}"):
        designs.save(name, CNNSpec())


def test_a_removed_design_is_gone_and_removing_it_again_is_fine(designs):
    designs.save("net", CNNSpec())
    designs.remove("net")
    designs.remove("net")
    assert designs.designs() == []


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"name": "x"}', '{"name": "x", "spec": {"chanels": [1]}}', "[" * 9999],
)
def test_a_file_that_is_no_design_is_passed_over(designs, content):
    designs.save("net", CNNSpec())
    (designs.folder / "other.json").write_text(content)
    assert names(designs) == ["net"]


def test_a_design_of_an_earlier_version_lacks_fields_and_is_read(designs):
    designs.save("net", CNNSpec())
    file = next(designs.folder.glob("*.json"))
    file.write_text(json.dumps({"name": "net", "spec": {"channels": [6, 16]}}))
    assert designs.designs()[0].spec == CNNSpec(channels=(6, 16))


def test_a_full_folder_takes_no_new_design_but_still_replaces(designs, monkeypatch):
    monkeypatch.setattr("cnnlib.runs.saved_designs.MOST_DESIGNS", 1)
    designs.save("net", CNNSpec())
    designs.save("net", RESNET)
    with pytest.raises(StoreError, match="Remove one first"):
        designs.save("another", CNNSpec())
    assert MOST_DESIGNS > 1


def test_a_folder_that_cannot_be_made_is_a_sentence(designs):
    designs.folder.parent.mkdir(parents=True)
    designs.folder.write_text("a file in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        designs.save("net", CNNSpec())


def test_nothing_half_written_is_left_behind(designs):
    designs.save("net", RESNET)
    assert [file.suffix for file in designs.folder.iterdir()] == [".json"]
