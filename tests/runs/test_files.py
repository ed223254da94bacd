"""Tests of written files: they are complete, or unchanged after an error."""

import os
import stat
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from compare_runs import a_finished_run
from disks import fill, small_disk

from cnnlib.cli.main import main
from cnnlib.data.catalogue import dataset_info
from cnnlib.data.drawings import save_drawing
from cnnlib.records.files import replacing
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore


def test_a_file_has_its_new_content_when_the_block_ends(tmp_path):
    target = tmp_path / "a.txt"
    for content in ("first", "second"):
        with replacing(target) as file:
            file.write_text(content)
        assert target.read_text() == content
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_file_stays_as_it_was_where_writing_fails(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("before")
    with pytest.raises(OSError, match="full"), replacing(target) as file:
        file.write_text("half")
        raise OSError("full")
    assert target.read_text() == "before"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_link_goes_on_pointing_and_rights_stay(tmp_path):
    target, link = tmp_path / "a.txt", tmp_path / "link.txt"
    target.write_text("before")
    target.chmod(0o640)
    link.symlink_to(target)
    with replacing(link) as file:
        file.write_text("after")
    assert link.is_symlink()
    assert target.read_text() == "after"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_what_is_no_plain_file_is_written_into_and_not_replaced():
    with replacing(Path("/dev/null")) as file:
        file.write_text("gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_the_first_of_two_writers_wins_where_the_old_file_is_kept(tmp_path):
    target = tmp_path / "a.txt"
    for content in ("first", "second"):
        with replacing(target, keeps_old=True) as file:
            file.write_text(content)
    assert target.read_text() == "first"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    for is_full in (True, False):
        with suppress(OSError), replacing(tmp_path / "folder") as folder:
            folder.mkdir()
            (folder / "a.txt").write_text("a")
            if is_full:
                raise OSError("full")
        assert os.listdir(tmp_path) == ([] if is_full else ["folder"])
    assert (tmp_path / "folder" / "a.txt").read_text() == "a"


# -- the commands that write a file ----------------------------------------------------------------


@pytest.fixture
def disk(tmp_path):
    """A full disk with one older file."""
    with small_disk(tmp_path / "disk", 200_000) as disk:
        (disk / "net.py").write_text("before")
        fill(disk)
        yield disk


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["export-runs", "FILE", "--all"], "runs.zip"),
        (["table", "--csv", "--output", "FILE"], "table.csv"),
        (["lessons", "export", "digits", "FILE"], "kept.zip"),
        (["export", "--preset", "lenet5", "--to", "FOLDER", "--force"], "net.py"),
    ],
)
def test_a_full_disk_takes_nothing_that_was_there(command, name, disk, capsys):
    store = RunStore()
    run_id = a_finished_run(store)
    store.folders.run(run_id).mkdir(parents=True)
    (store.folders.run(run_id) / "predictions.npz").write_bytes(os.urandom(8000))
    store.close()
    drawing = np.zeros((1, 28, 28), np.uint8)
    save_drawing(drawing, 7, dataset_info("digits"), Folders.from_environment())
    (disk / "net.py").rename(disk / name)
    paths = {"FILE": str(disk / name), "FOLDER": str(disk)}
    assert main([paths.get(argument, argument) for argument in command]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert (disk / name).read_text() == "before"
    assert sorted(os.listdir(disk)) == sorted(["filler", name])
