"""Reading of untrusted zips: unsafe ones are refused, and nothing is unpacked to disk."""

from __future__ import annotations

import stat
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sample_data import class_folders, encoded, prepared_now, write_zip

from cnnlib.data.catalogue import dataset_info
from cnnlib.data.image_folder import archive_reader as bounds
from cnnlib.data.image_folder.archive_reader import UnreadableFile, open_zip
from cnnlib.data.prepare import prepare
from cnnlib.data.prepared import is_prepared
from cnnlib.errors import DataError
from cnnlib.records.folders import Folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def folders() -> Folders:
    folders = Folders.from_environment()
    folders.data.mkdir()
    return folders


def entries(*pairs: tuple[str | zipfile.ZipInfo, bytes]) -> Callable[[Path], None]:
    """Return a function that writes a zip with a valid picture and these entries."""

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a/good.png", encoded())
            for name, content in pairs:
                archive.writestr(name, content)

    return write


def special(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def lying_over_one_another(path: Path) -> None:
    """Write a zip with 1,000 names for one entry (Fifield, "A better zip bomb", 2019)."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/0.png", bytes(500_000))
        (first,) = archive.filelist
        for number in range(1000):
            other = zipfile.ZipInfo(f"a/{number}.png")
            for name in ("CRC", "compress_size", "file_size", "header_offset"):
                setattr(other, name, getattr(first, name))
            archive.filelist.append(other)


def changed_byte(marker: bytes, offset: int, value: bytes) -> Callable[[Path], None]:
    """Return a function that writes a valid zip and changes bytes after the last ``marker``."""

    def write(path: Path) -> None:
        write_zip(path, class_folders({"a": 2, "b": 2}))
        content = bytearray(path.read_bytes())
        at = content.rindex(marker) + offset
        content[at : at + len(value)] = value
        path.write_bytes(content)

    return write


def large_table_of_contents(path: Path) -> None:
    """Write a sparse file that declares a central directory of 100 MB."""
    size = 100_000_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 9, 9, size, 0, 0)
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(end)


CENTRAL = b"PK\1\2"
UNSAFE = {
    "entry '../evil.png' points outside": entries(("../evil.png", encoded())),
    "entry 'a/../../evil.png' points outside": entries(("a/../../evil.png", encoded())),
    "entry '/etc/evil.png' points outside": entries(("/etc/evil.png", encoded())),
    "entry 'C:/evil.png' points outside": entries(("C:\\evil.png", encoded())),
    "entry 'a/../../b.png' points outside": entries(("a\\..\\..\\b.png", encoded())),
    "entry '../a/' points outside": entries(("../a/", b"")),
    "entry 'a/link.png' is a link": entries((special("a/link.png", stat.S_IFLNK), b"/etc/passwd")),
    "entry 'a/pipe.png' is a link or a device": entries((special("a/pipe.png", stat.S_IFIFO), b"")),
    "'a/bomb.png' unpacks .* more than the allowed factor of 200": entries(
        ("a/bomb.png", bytes(5_000_000))
    ),
    "its entries overlap": lying_over_one_another,
    "has a table of contents of 100,000,000 bytes": large_table_of_contents,
    "is encrypted.*without a password": changed_byte(CENTRAL, 8, b"\1"),
    "uses the unsupported compression method 14": changed_byte(CENTRAL, 10, b"\x0e"),
    "cannot be read as a zip: it is another kind of file": lambda path: path.write_bytes(b"no zip"),
    "cannot be read as a zip": lambda path: path.write_bytes(b""),
    "cannot be read as a zip: .*damaged": changed_byte(b"PK\5\6", 12, b"\xff\xff\xff"),
    "cannot be read as a zip: .*incomplete": changed_byte(CENTRAL, 6, b"\xff\xff"),
}


@pytest.mark.parametrize("sentence", UNSAFE)
def test_an_unsafe_zip_is_refused_in_a_sentence(sentence: str, folders: Folders):
    UNSAFE[sentence](folders.data / "gift.zip")
    before = {path for path in folders.data.parent.rglob("*") if path.name != "gift.zip"}
    with pytest.raises(DataError, match=f"^(gift.zip|The zip) .*{sentence}"):
        dataset_info("folder:gift")
    with pytest.raises(DataError, match=sentence):
        list(prepare("folder:gift"))
    assert not is_prepared("folder:gift")
    made = {path for path in folders.data.parent.rglob("*") if path.name != "gift.zip"} - before
    assert {path.name.split("-")[0] for path in made} <= {"prepared", ".lock"}


def test_too_many_files_are_refused(folders: Folders, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bounds, "MAX_FILES", 5)
    write_zip(folders.data / "gift.zip", class_folders({"a": 6}))
    with pytest.raises(DataError, match="gift.zip has more than 5 files"):
        dataset_info("folder:gift")


def test_too_many_bytes_in_all_are_refused(folders: Folders, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bounds, "MAX_TOTAL_BYTES", 1000)
    write_zip(folders.data / "gift.zip", class_folders({"a": 6}))
    with pytest.raises(DataError, match="unpacks to .* bytes; the maximum is 1,000"):
        dataset_info("folder:gift")


def test_a_file_that_is_too_large_is_left_out(folders: Folders, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bounds, "MAX_FILE_BYTES", 400)
    good = class_folders({"a": 3, "b": 3})
    write_zip(folders.data / "gift.zip", good | {"a/large.png": encoded(size=(50, 50))})
    gift = prepared_now("folder:gift")
    assert gift.info.train_count + gift.info.test_count == 6
    assert [(skipped.path, skipped.reason[:7]) for skipped in gift.skipped] == [
        ("a/large.png", "it has ")
    ]


@pytest.mark.parametrize(
    ("field", "value"), [(16, b"\0\0\0\0"), (24, b"\1\0\0\0"), (42, b"\xff\xff\0\0")]
)
def test_an_entry_with_wrong_header_fields_is_skipped(field: int, value: bytes, folders: Folders):
    # Fields of the last entry in the central directory: checksum, unpacked size, offset.
    changed_byte(CENTRAL, field, value)(folders.data / "gift.zip")
    gift = prepared_now("folder:gift")
    assert [skipped.path for skipped in gift.skipped] == ["b/0003.png"]


def test_names_of_any_script_are_read_without_the_utf8_flag(folders: Folders):
    path = write_zip(folders.data / "gift.zip", class_folders({"猫": 2, "собака": 2}))
    assert dataset_info("folder:gift").classes == ("собака", "猫")
    # Some programs write UTF-8 without setting its flag (bit 11).
    content = path.read_bytes()
    for marker, offset in ((CENTRAL, 8), (b"PK\3\4", 6)):
        parts = content.split(marker)
        content = marker.join(
            [parts[0], *(part[: offset - 4] + b"\0\0" + part[offset - 2 :] for part in parts[1:])]
        )
    path.write_bytes(content)
    assert dataset_info("folder:gift").classes == ("собака", "猫")
    assert prepared_now("folder:gift").skipped == ()


def test_backslashes_separate_folders(folders: Folders):
    files = {name.replace("/", "\\"): it for name, it in class_folders({"a": 2, "b": 2}).items()}
    write_zip(folders.data / "gift.zip", files)
    assert dataset_info("folder:gift").classes == ("a", "b")


def test_files_are_read_from_the_zip_one_at_a_time(tmp_path: Path):
    content = encoded()
    path = write_zip(tmp_path / "gift.zip", {"a/1.png": content, "a/2.png": b"x"})
    with open_zip(path) as files:
        assert list(files.paths) == ["a/1.png", "a/2.png"]
        assert files.read(0) == content
        assert files.total_bytes == len(content) + 1
    with pytest.raises(UnreadableFile):
        files.read(1)  # the zip is closed


GOOD = class_folders({"a": 2, "b": 2})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10_000), noise_bytes=st.binary(min_size=1, max_size=6), cut=st.booleans())
def test_a_damaged_zip_is_read_in_part_or_refused(
    at: int, noise_bytes: bytes, cut: bool, tmp_path: Path
):
    path = write_zip(tmp_path / "gift.zip", GOOD)
    content = bytearray(path.read_bytes())
    at %= len(content)
    content[at : len(content) if cut else at + len(noise_bytes)] = noise_bytes
    path.write_bytes(content)
    try:
        with open_zip(path) as files:
            for index in range(len(files.paths)):
                try:
                    assert len(files.read(index)) <= bounds.MAX_FILE_BYTES
                except UnreadableFile as error:
                    assert str(error)
    except DataError as error:
        assert str(error).startswith(("gift.zip", "The zip"))
    assert [path.name for path in tmp_path.iterdir()] == ["gift.zip"]
