"""CIFAR's pickles are loaded, from any archive or folder, after their MD5s were checked."""

from __future__ import annotations

import ast
import gzip
import hashlib
import pickle
import tarfile
from dataclasses import replace
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from sample_data import prepared_now, write_folder

from cnnlib.data.builtin import cifar_checks
from cnnlib.data.builtin.cifar import PARTS, cifar_problem, read_cifar
from cnnlib.data.catalogue import dataset_info
from cnnlib.data.prepare import prepare
from cnnlib.errors import DataError
from cnnlib.records.folders import Folders
from cnnlib.vocabulary.datasets import BUILTIN


@pytest.fixture
def folders() -> Folders:
    return Folders.from_environment()


def published(module: str, name: str) -> dict[str, object]:
    """Parse the constants of a torchvision class from its source; importing takes seconds."""
    (root,) = find_spec("torchvision").submodule_search_locations
    tree = ast.parse(Path(root, "datasets", f"{module}.py").read_text(encoding="utf-8"))
    (found,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    assigned = (node for node in found.body if isinstance(node, ast.Assign))
    return {node.targets[0].id: ast.literal_eval(node.value) for node in assigned}


@pytest.mark.parametrize(("name", "kind"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")])
def test_addresses_and_md5s_of_mnist_are_those_of_torchvision(name: str, kind: str):
    theirs = published("mnist", kind)
    assert [(file.name, file.md5) for file in BUILTIN[name].files] == theirs["resources"]
    for file in BUILTIN[name].files:
        assert list(file.urls) == [f"{mirror}{file.name}" for mirror in theirs["mirrors"]]
    assert BUILTIN[name].folder == f"{kind}/raw"
    assert len(BUILTIN[name].classes) == len(theirs["classes"])


@pytest.mark.parametrize(("name", "kind"), [("cifar10", "CIFAR10"), ("cifar100", "CIFAR100")])
def test_addresses_and_md5s_of_cifar_are_those_of_torchvision(name: str, kind: str):
    theirs = published("cifar", kind)
    (file,) = BUILTIN[name].files
    assert (file.name, file.md5) == (theirs["filename"], theirs["tgz_md5"])
    assert file.urls == (theirs["url"],)
    assert BUILTIN[name].folder == theirs["base_folder"]


@pytest.mark.parametrize(("name", "kind"), [("cifar10", "CIFAR10"), ("cifar100", "CIFAR100")])
def test_md5s_of_the_parts_of_cifar_are_those_of_torchvision(name: str, kind: str):
    theirs = published("cifar", kind)
    assert PARTS[name]["train"] == dict(theirs["train_list"])
    assert PARTS[name]["test"] == dict(theirs["test_list"])


def test_fashion_mnists_classes_are_those_of_torchvision():
    assert list(BUILTIN["fashion-mnist"].classes) == published("mnist", "FashionMNIST")["classes"]


class Explosive:
    """Creates a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return Path.touch, (self.trace,)


def cifar_parts(count: int = 4) -> dict[str, bytes]:
    """Build CIFAR-10's seven files with ``count`` pictures each."""
    random = np.random.default_rng(0)
    parts = {}
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        data = random.integers(0, 256, (count, 3072), dtype=np.uint8)
        content = pickle.dumps({"data": data, "labels": list(range(count))}, protocol=2)
        # The real files are from an old numpy: dtype("u1", 0, 1), not dtype("u1", False, True).
        parts[name] = content.replace(b"\x89\x88\x87", b"K\x00K\x01\x87", 1)
    parts["batches.meta"] = pickle.dumps({"label_names": list(BUILTIN["cifar10"].classes)})
    return parts


def trust(parts: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make these parts the published ones."""
    md5s = {name: hashlib.md5(content).hexdigest() for name, content in parts.items()}
    train = {f"data_batch_{number}": md5s[f"data_batch_{number}"] for number in range(1, 6)}
    test = {"test_batch": md5s["test_batch"]}
    monkeypatch.setitem(PARTS, "cifar10", {"train": train, "test": test})


def packed(parts: dict[str, bytes]) -> bytes:
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in parts.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    return out.getvalue()


def publish_cifar(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = BUILTIN["cifar10"].files
    file = replace(file, md5=hashlib.md5(content).hexdigest(), urls=("http://127.0.0.1:9/",))
    monkeypatch.setitem(BUILTIN, "cifar10", replace(BUILTIN["cifar10"], files=(file,)))


def test_cifar_is_read_from_its_archive(folders: Folders, monkeypatch: pytest.MonkeyPatch):
    parts = cifar_parts()
    archive = packed(parts)
    trust(parts, monkeypatch)
    publish_cifar(archive, monkeypatch)
    write_folder(folders.data, {"cifar-10-python.tar.gz": archive})
    cifar = prepared_now("cifar10")
    first = pickle.loads(parts["data_batch_1"])["data"][1].reshape(3, 32, 32)
    assert np.array_equal(cifar.train_images[1], first)
    assert cifar.train_labels.tolist() == [0, 1, 2, 3] * 5
    assert cifar.test_images.shape == (4, 3, 32, 32)
    assert sorted(path.name for path in cifar.folder.iterdir()) == [
        "info.json",
        "test_images.npy",
        "test_labels.npy",
        "train_images.npy",
        "train_labels.npy",
    ]


def test_cifar_is_read_from_its_unpacked_folder(folders: Folders, monkeypatch: pytest.MonkeyPatch):
    parts = cifar_parts()
    trust(parts, monkeypatch)
    write_folder(folders.data / "cifar-10-batches-py", parts)
    assert prepared_now("cifar10").info.train_count == 20


PLACES = [
    "cifar-10-python.tar.gz",
    "cifar-10-python.tar",
    "cifar-10-batches-py.tar.gz",
    "cifar-10-batches-py.tar",
]


@pytest.mark.parametrize("name", PLACES)
def test_cifar_is_read_from_an_archive_packed_again(
    name: str, folders: Folders, monkeypatch: pytest.MonkeyPatch
):
    parts = cifar_parts()
    trust(parts, monkeypatch)
    content = packed(parts)
    write_folder(folders.data, {name: content if name.endswith("gz") else gzip.decompress(content)})
    assert dataset_info("cifar10").state == "here"
    assert prepared_now("cifar10").info.train_count == 20


@pytest.mark.parametrize(
    "folder",
    [
        "cifar-10-batches-py/cifar-10-batches-py",
        "cifar-10-python/cifar-10-batches-py",
        "cifar-10-batches-py-target/cifar-10-batches-py",  # where Keras unpacks it
    ],
)
def test_cifar_is_read_from_a_folder_within_a_folder(
    folder: str, folders: Folders, monkeypatch: pytest.MonkeyPatch
):
    parts = cifar_parts()
    trust(parts, monkeypatch)
    write_folder(folders.data / folder, parts)
    assert dataset_info("cifar10").state == "here"
    assert prepared_now("cifar10").info.train_count == 20


@pytest.mark.parametrize("is_packed", [True, False])
def test_parts_with_a_wrong_md5_are_named_and_not_unpickled(
    is_packed: bool, folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trace = tmp_path / "unpickled"
    bad = cifar_parts() | {"data_batch_3": pickle.dumps(Explosive(trace))}
    trust(cifar_parts(), monkeypatch)
    publish_cifar(packed(bad), monkeypatch)  # the MD5 of the archive alone is not enough
    if is_packed:
        write_folder(folders.data, {"cifar-10-python.tar.gz": packed(bad)})
    else:
        write_folder(folders.data / "cifar-10-batches-py", bad)
    with pytest.raises(DataError, match="data_batch_3 differs from the published file") as raised:
        list(prepare("cifar10"))
    assert dataset_info("cifar10").note == str(raised.value)
    assert not trace.exists()
    assert prepared_names(folders) == []


def test_a_part_that_was_changed_after_it_was_found_is_not_unpickled(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trace = tmp_path / "unpickled"
    bad = cifar_parts() | {"test_batch": pickle.dumps(Explosive(trace))}
    trust(cifar_parts(), monkeypatch)
    with pytest.raises(DataError, match="was removed or changed during the preparation"):
        read_cifar("cifar10", write_folder(tmp_path / "cifar", bad))
    assert not trace.exists()


def test_the_list_does_not_read_the_files_and_the_preparation_reads_them_once(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
):
    parts = cifar_parts()
    trust(parts, monkeypatch)
    write_folder(folders.data, {"cifar-10-python.tar.gz": packed(parts)})
    read = []
    monkeypatch.setattr(
        cifar_checks, "cifar_problem", lambda *args: read.append(args) or cifar_problem(*args)
    )
    info = dataset_info("cifar10")
    assert (info.state, info.note) == ("here", "Its content is checked when it is prepared.")
    assert read == []
    prepared_now("cifar10")
    for _ in prepare("cifar10", again=True):
        pass
    assert len(read) == 1
    (folders.data / "cifar-10-python.tar.gz").touch()
    for _ in prepare("cifar10", again=True):
        pass
    assert len(read) == 2, "the file has changed"


def test_an_incomplete_archive_is_named(folders: Folders, monkeypatch: pytest.MonkeyPatch):
    trust(cifar_parts(), monkeypatch)
    content = packed(cifar_parts())
    write_folder(folders.data, {"cifar-10-python.tar.gz": content[: len(content) // 2]})
    with pytest.raises(DataError, match=r"cifar-10-python.tar.gz cannot be read .*copy it again"):
        list(prepare("cifar10"))
    assert "cifar-10-python.tar.gz cannot be read" in dataset_info("cifar10").note


def prepared_names(folders: Folders) -> list[str]:
    """List the folders of prepared copies, complete or temporary."""
    return [path.name for path in (folders.data / "prepared").iterdir() if path.is_dir()]
