"""The shelf keeps designs by name, whatever the name."""

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
def shelf(tmp_path: Path) -> SavedDesigns:
    return SavedDesigns(Folders(data=tmp_path / "data", runs=tmp_path / "runs"))


def names(shelf: SavedDesigns) -> list[str]:
    return [design.name for design in shelf.designs()]


def test_a_shelf_is_empty_before_anything_is_saved(shelf):
    assert shelf.designs() == []


def test_a_design_comes_back_as_it_was_saved(shelf):
    shelf.save("My net", RESNET)
    assert [(design.name, design.spec) for design in shelf.designs()] == [("My net", RESNET)]


def test_a_name_that_is_taken_replaces_the_design_before(shelf):
    shelf.save("net", RESNET)
    shelf.save("net", CNNSpec())
    assert [design.spec for design in shelf.designs()] == [CNNSpec()]


def test_designs_are_sorted_by_name_whatever_their_case(shelf):
    for name in ("b", "C", "a"):
        shelf.save(name, CNNSpec())
    assert names(shelf) == ["a", "b", "C"]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..", "a/b\\c", "CON", "Netz größer 网络 🙂", "'\""]
)
def test_any_name_is_safe(shelf, name):
    shelf.save(name, CNNSpec())
    assert names(shelf) == [name]
    assert [file.parent for file in shelf.folder.rglob("*")] == [shelf.folder]


def test_blanks_around_and_inside_a_name_are_tidied(shelf):
    assert shelf.save("  my \n net ", CNNSpec()) == "my net"


@pytest.mark.parametrize("name", ["", "   ", "x" * (NAME_LIMIT + 1)])
def test_an_empty_or_endless_name_is_refused(shelf, name):
    with pytest.raises(StoreError, match=f"it needs 1 to {NAME_LIMIT}"):
        shelf.save(name, CNNSpec())


def test_a_removed_design_is_gone_and_removing_it_again_is_fine(shelf):
    shelf.save("net", CNNSpec())
    shelf.remove("net")
    shelf.remove("net")
    assert shelf.designs() == []


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"name": "x"}', '{"name": "x", "spec": {"chanels": [1]}}', "[" * 9999],
)
def test_a_file_that_is_no_design_is_passed_over(shelf, content):
    shelf.save("net", CNNSpec())
    (shelf.folder / "other.json").write_text(content)
    assert names(shelf) == ["net"]


def test_a_design_of_an_earlier_version_lacks_fields_and_is_read(shelf):
    shelf.save("net", CNNSpec())
    file = next(shelf.folder.glob("*.json"))
    file.write_text(json.dumps({"name": "net", "spec": {"channels": [6, 16]}}))
    assert shelf.designs()[0].spec == CNNSpec(channels=(6, 16))


def test_a_full_shelf_takes_no_more_but_still_replaces(shelf, monkeypatch):
    monkeypatch.setattr("cnnlib.runs.saved_designs.MOST_DESIGNS", 1)
    shelf.save("net", CNNSpec())
    shelf.save("net", RESNET)
    with pytest.raises(StoreError, match="Remove one first"):
        shelf.save("another", CNNSpec())
    assert MOST_DESIGNS > 1


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(shelf):
    shelf.folder.parent.mkdir(parents=True)
    shelf.folder.write_text("a file in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        shelf.save("net", CNNSpec())


def test_nothing_half_written_is_left_behind(shelf):
    shelf.save("net", RESNET)
    assert [file.suffix for file in shelf.folder.iterdir()] == [".json"]
