"""Tests of saved designs: any name is possible."""

import json
import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa

from cnnlib.design.presets import preset
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import StoreError
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore
from cnnlib.runs.saved_designs import MOST_DESIGNS, NAME_LIMIT, SavedDesigns
from cnnlib.runs.tables import saved_designs

RESNET = preset("resnet20").spec


@pytest.fixture
def store():
    with closing(RunStore()) as store:
        yield store


@pytest.fixture
def designs(store) -> SavedDesigns:
    return SavedDesigns(store)


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


@pytest.mark.parametrize("values", ["x", [], {"chanels": [1]}, {"channels": "x"}])
def test_a_design_that_this_version_cannot_read_is_passed_over(designs, store, values):
    designs.save("net", CNNSpec())
    with store.database.write() as connection:
        row = {"owner": "", "name": "other", "spec": values}
        connection.execute(sa.insert(saved_designs).values(**row))
    assert names(designs) == ["net"]


def test_a_design_of_an_earlier_version_lacks_fields_and_is_read(designs, store):
    designs.save("net", CNNSpec())
    with store.database.write() as connection:
        connection.execute(sa.update(saved_designs).values(spec={"channels": [6, 16]}))
    assert designs.designs()[0].spec == CNNSpec(channels=(6, 16))


def test_who_has_the_most_designs_saves_no_other_one_but_still_replaces(designs, monkeypatch):
    monkeypatch.setattr("cnnlib.runs.saved_designs.MOST_DESIGNS", 1)
    designs.save("net", CNNSpec())
    designs.save("net", RESNET)
    with pytest.raises(StoreError, match="Remove one first"):
        designs.save("another", CNNSpec())
    assert [(design.name, design.spec) for design in designs.designs()] == [("net", RESNET)]
    assert MOST_DESIGNS > 1


def test_each_person_has_own_designs_and_may_have_as_many_as_another(designs, store, monkeypatch):
    monkeypatch.setattr("cnnlib.runs.saved_designs.MOST_DESIGNS", 1)
    ada = SavedDesigns(store.on_behalf_of("ada"))
    ada.save("net", RESNET)
    designs.save("net", CNNSpec())
    ada.remove("other")
    assert [design.spec for design in ada.designs()] == [RESNET]
    ada.remove("net")
    assert (names(ada), names(designs)) == ([], ["net"])


def test_the_files_of_designs_of_version_7_are_read_once():
    folders = Folders.from_environment()
    with closing(RunStore(folders)):
        pass
    with closing(sqlite3.connect(folders.runs / "cnnlab.db")) as connection:
        connection.executescript(
            "DROP TABLE saved_designs; UPDATE meta SET value = '7' WHERE key = 'schema_version'"
        )
    own, adas = folders.runs / "designs", folders.runs / "designs" / "browser-ada"
    adas.mkdir(parents=True)
    spec = RESNET.to_dict()
    (own / "1.json").write_text(json.dumps({"name": "mine", "spec": spec}))
    (adas / "1.json").write_text(json.dumps({"name": "ada's", "spec": spec}))
    (own / "2.json").write_text("[" * 9999)
    (own / "3.json").write_text("{}")
    for _ in range(2):
        with closing(RunStore(folders)) as store:
            of_ada = SavedDesigns(store.on_behalf_of("browser-ada"))
            assert [d.spec for d in SavedDesigns(store).designs()] == [RESNET]
            assert (names(SavedDesigns(store)), names(of_ada)) == (["mine"], ["ada's"])
