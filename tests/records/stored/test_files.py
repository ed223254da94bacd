"""The files of the run store: in the folder of runs, in a folder as an object store, and in S3."""

import os
from pathlib import Path

import pytest
from s3 import unused_port

from cnnlib.errors import FileMissing, FilesUnreachable, StoreError
from cnnlib.records.folders import Folders, attempt_name, run_key, run_prefix
from cnnlib.records.stored.files import Files
from cnnlib.records.stored.opening import open_files

KEY = run_key("r1", "snapshot-00000001.safetensors")


@pytest.fixture(params=["folder", "file", "s3"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    """Each kind of place, empty."""
    (tmp_path / "runs").mkdir()
    address = ""
    if request.param == "file":
        (tmp_path / "objects").mkdir()
        address = (tmp_path / "objects").as_uri()
    elif request.param == "s3":
        address = request.getfixturevalue("s3_address")
    return open_files(Folders(tmp_path / "data", tmp_path / "runs", files=address))


def other_node(tmp_path: Path, address: str) -> Files:
    """The same object store as another machine sees it, which has fetched nothing yet."""
    return open_files(Folders(tmp_path / "data", tmp_path / "other-runs", files=address))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_what_was_put_is_fetched_listed_and_removed(files: Files, tmp_path: Path) -> None:
    files.put(KEY, write(tmp_path / "made", "weights"))

    assert files.fetch(KEY).read_text() == "weights"
    [listed] = files.names(run_prefix("r1"))
    assert (listed.key, listed.size_bytes) == (KEY, 7)
    assert files.names("datasets/") == []

    files.remove([KEY, "files/r1/never-was"])
    assert files.names() == []
    with pytest.raises(FileMissing, match="it was deleted"):
        files.fetch(KEY)


def test_a_prefix_removes_all_below_it_and_nothing_beside(files: Files, tmp_path: Path) -> None:
    for key in ("files/r1/a", "files/r1/b/c", "files/r10/a"):
        files.put(key, write(tmp_path / "made", key))

    files.remove(["files/r1/", "files/r2/"])

    assert [each.key for each in files.names()] == ["files/r10/a"]


def test_temporary_files_are_not_listed(files: Files, tmp_path: Path) -> None:
    files.put("files/r1/.half", write(tmp_path / "made", "half"))
    assert files.names() == []


def test_a_copy_is_a_file_of_its_own(files: Files, tmp_path: Path) -> None:
    files.put(KEY, write(tmp_path / "made", "weights"))
    files.copy_to(KEY, tmp_path / "deep" / "copy")
    files.remove([KEY])
    assert (tmp_path / "deep" / "copy").read_text() == "weights"
    with pytest.raises(FileMissing):
        files.copy_to(KEY, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_the_folder_of_runs_keeps_files_where_they_were_written(tmp_path: Path) -> None:
    path = write(tmp_path / "runs" / KEY, "weights")
    files = open_files(Folders(tmp_path / "data", tmp_path / "runs"))
    before = path.stat()

    files.put(KEY, path)

    assert files.fetch(KEY) == path
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [each for each in (tmp_path / "runs").rglob("*") if each.is_file()] == [path]


def test_a_file_is_downloaded_once_per_machine(tmp_path: Path, files_address: str) -> None:
    first = other_node(tmp_path / "first", files_address)
    first.put(KEY, write(tmp_path / "made", "weights"))
    second = other_node(tmp_path / "second", files_address)

    path = second.fetch(KEY)
    assert path == tmp_path / "second" / "other-runs" / KEY
    inode = path.stat().st_ino
    assert second.fetch(KEY).stat().st_ino == inode
    assert second.fetch(KEY, refresh=True).stat().st_ino == inode  # it has not changed


def test_refresh_downloads_what_was_rewritten(tmp_path: Path, files_address: str) -> None:
    first, second = (other_node(tmp_path / name, files_address) for name in ("1", "2"))
    first.put(KEY, write(tmp_path / "made", "old"))
    second.fetch(KEY)
    first.put(KEY, write(tmp_path / "made", "new"))
    # S3 counts whole seconds in some servers; the time of the copy is set to tell them apart.
    os.utime(second.fetch(KEY), ns=(1, 1))
    assert second.fetch(KEY).read_text() == "old"
    assert second.fetch(KEY, refresh=True).read_text() == "new"


def test_a_missing_folder_is_unreachable_and_not_empty(tmp_path: Path) -> None:
    nowhere = (tmp_path / "nowhere").as_uri()
    for files in (
        open_files(Folders(tmp_path / "data", tmp_path / "runs", files=nowhere)),
        open_files(Folders(tmp_path / "data", tmp_path / "runs-gone")),
    ):
        with pytest.raises(FilesUnreachable):
            files.names(run_prefix("r1"))
    files = open_files(Folders(tmp_path / "data", tmp_path / "runs", files=nowhere))
    with pytest.raises(FilesUnreachable, match="there is no folder"):
        files.fetch(KEY)
    with pytest.raises(FilesUnreachable):
        files.put(KEY, write(tmp_path / "made", "weights"))
    assert not (tmp_path / "nowhere").exists()


def test_a_missing_bucket_is_unreachable_and_not_empty(tmp_path: Path, s3_address: str) -> None:
    files = other_node(tmp_path, s3_address.replace("bucket", "no-such-bucket"))
    with pytest.raises(FilesUnreachable, match="there is no bucket"):
        files.names()
    with pytest.raises(FilesUnreachable, match="there is no bucket"):
        files.fetch(KEY)


def test_a_server_that_refuses_is_unreachable(tmp_path: Path, s3_address: str) -> None:
    gone = f"s3://bucket/lab?endpoint_override=127.0.0.1:{unused_port()}&scheme=http"
    files = other_node(tmp_path, gone)
    for use in (lambda: files.names(), lambda: files.fetch(KEY), lambda: files.remove([KEY])):
        with pytest.raises(FilesUnreachable, match="not taken for deleted"):
            use()
    with pytest.raises(FilesUnreachable):
        files.put(KEY, write(tmp_path / "made", "weights"))


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("ftp://bucket/x", "not the address of an object store"),
        ("s3:///x", "not the address of an object store"),
        ("file://host/x", "not the address of an object store"),
        ("s3://key:hush@bucket/x", "AWS_ACCESS_KEY_ID"),
        ("s3://bucket/x?secret=hush", "takes only endpoint_override, region, scheme"),
    ],
)
def test_a_wrong_address_is_refused_and_not_repeated(
    tmp_path: Path, address: str, sentence: str
) -> None:
    with pytest.raises(StoreError, match=sentence) as raised:
        other_node(tmp_path, address)
    assert "hush" not in str(raised.value)


def test_no_two_attempts_write_the_same_key() -> None:
    names = [attempt_name("checkpoint-00000100.safetensors", attempt) for attempt in (1, 2, 12)]
    assert names == [
        "checkpoint-00000100.safetensors",  # as versions without attempts in names wrote it
        "checkpoint-00000100.a2.safetensors",
        "checkpoint-00000100.a12.safetensors",
    ]
