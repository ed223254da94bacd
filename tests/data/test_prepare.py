"""Preparation of the built-in datasets, from existing files and from a local test server."""

from __future__ import annotations

import gzip
import hashlib
import re
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sample_data import idx_bytes, prepared_now, small_mnist, write_folder

from cnnlib.data.builtin.digits import enlarge, read_digits
from cnnlib.data.catalogue import dataset_info
from cnnlib.data.prepare import prepare
from cnnlib.data.prepared import is_prepared, load_prepared
from cnnlib.errors import DataError
from cnnlib.records.folders import Folders
from cnnlib.vocabulary.datasets import BUILTIN, IDX_NAMES

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@pytest.fixture
def folders() -> Folders:
    return Folders.from_environment()


# -- digits ----------------------------------------------------------------------------------------


def test_digits_are_those_of_scikit_learn():
    pictures, labels = read_digits()
    assert (len(pictures), np.bincount(labels).tolist()[:3]) == (1797, [178, 182, 177])
    # The first picture of load_digits(), as printed in scikit-learn's guide.
    assert pictures[0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert (labels[0], pictures.max()) == (0, 16)


def test_digits_are_enlarged_to_a_box_of_20_in_the_middle_of_28():
    (white,) = enlarge(np.full((1, 8, 8), 16, dtype=np.uint8))
    assert white.shape == (28, 28)
    assert np.array_equal(white[4:24, 4:24], np.full((20, 20), 255))
    assert white.sum() == 20 * 20 * 255


def test_digits_have_a_test_split_of_a_fifth_that_is_always_the_same():
    digits = prepared_now("digits")
    assert (digits.info.train_count, digits.info.test_count) == (1438, 359)
    assert digits.info.in_size == (1, 28, 28)
    assert digits.info.fingerprint == "b386b06af82ce5bab4b0d879d22259be"


# -- MNIST -----------------------------------------------------------------------------------------


def test_mnist_is_read_as_published(mnist_folder: Path):
    mnist = prepared_now("mnist")
    assert mnist.train_images.shape == (60_000, 1, 28, 28)
    # Published number of labels per digit.
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(mnist.train_labels).tolist() == counts
    # The usual mean and deviation of MNIST: 0.1307 and 0.3081.
    assert mnist.info.mean == pytest.approx([0.1306604762738429], abs=1e-15)
    assert mnist.info.std == pytest.approx([0.3081078038564627], abs=1e-15)
    assert mnist.info.note == ""
    mnist.verify()


def test_preparing_mnist_imports_neither_torch_nor_torchvision_nor_scikit_learn(folders: Folders):
    write_folder(folders.data / "MNIST/raw", small_mnist())
    script = (
        "import sys; from cnnlib.data.prepare import prepare; list(prepare('mnist'));"
        "print(sorted({'torch', 'torchvision', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_files_that_are_not_mnists_are_used_and_named(folders: Folders):
    write_folder(folders.data / "MNIST/raw", small_mnist(train=20, test=10))
    mnist = prepared_now("mnist")
    assert (mnist.info.train_count, mnist.info.test_count) == (20, 10)
    assert mnist.info.note == (
        "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, "
        "t10k-labels-idx1-ubyte differ from the published files; the content was checked: "
        "20 training and 10 test pictures of 28x28."
    )


@pytest.mark.parametrize("folder", ["MNIST/raw", "MNIST"])
@pytest.mark.parametrize("dotted", [True, False])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mnist_is_found_under_its_other_names(
    folder: str, dotted: bool, suffix: str, folders: Folders
):
    files = {}
    for name, content in small_mnist().items():
        other = name.replace("-idx", ".idx") if dotted else name
        files[other + suffix] = gzip.compress(content, 1) if suffix else content
    write_folder(folders.data / folder, files)
    assert dataset_info("mnist").state == "here"
    mnist = prepared_now("mnist")
    assert (mnist.info.train_count, mnist.info.test_count) == (20, 10)
    assert mnist.info.note.startswith(next(iter(files)))


def test_mnist_packed_again_is_the_published_one(mnist_folder: Path, folders: Folders):
    raw = mnist_folder / "MNIST/raw"
    files = {}
    for name in IDX_NAMES:
        (path,) = raw.glob(f"{name}*")
        content = path.read_bytes()
        plain = gzip.decompress(content) if path.suffix == ".gz" else content
        files[f"{name}.gz"] = gzip.compress(plain, 1, mtime=1)
    other = replace(folders, data=folders.runs / "repacked")
    write_folder(other.data / "MNIST/raw", files)
    assert dataset_info("mnist", other).state == "here"
    info = prepared_now("mnist", other).info
    assert (info.train_count, info.note) == (60_000, "")


def damaged(name: str, content: bytes) -> dict[str, bytes]:
    return small_mnist() | {name: content}


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (damaged(IMAGES, b""), "is not an idx file"),
        (damaged(IMAGES, b"\0\0\x08"), "is not an idx file"),
        (damaged(IMAGES, b"\0\0\x0d\x03" + bytes(12)), "is not an idx file"),
        (damaged(IMAGES, small_mnist()[IMAGES][:-1]), "is incomplete"),
        (damaged(IMAGES, b"\0\0\x08\x03" + b"\xff" * 12), "its header gives"),
        (damaged(IMAGES, idx_bytes(np.zeros((20, 27, 28)))), "has pictures of 28 x 28"),
        (damaged(IMAGES, gzip.compress(small_mnist()[IMAGES])[:-9]), "cannot be read"),
        (damaged(LABELS, idx_bytes(np.zeros(19))), "20 pictures need as many labels from 0 to 9"),
        (damaged(LABELS, idx_bytes(np.full(20, 10))), "labels from 0 to 9"),
    ],
)
def test_damaged_files_are_named_in_a_sentence(folders: Folders, files: dict, sentence: str):
    write_folder(folders.data / "MNIST/raw", files)
    with pytest.raises(DataError, match=sentence) as raised:
        list(prepare("mnist"))
    assert dataset_info("mnist").note == str(raised.value)  # the list says the same
    assert not is_prepared("mnist")
    assert [path.name for path in (folders.data / "prepared").iterdir()] == [".lock-mnist"]


# -- downloads -------------------------------------------------------------------------------------


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Generator[tuple[str, Path]]:
    """Address and folder of a web server."""
    root = tmp_path / "published"
    root.mkdir()
    handler = partial(QuietHandler, directory=root)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/", root
        http.shutdown()
        thread.join()


@pytest.fixture
def published_mnist(server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a server with a small MNIST; the first mirror of each file is missing."""
    address, root = server
    files = []
    for name, content in small_mnist().items():
        packed = gzip.compress(content, mtime=0)
        (root / f"{name}.gz").write_bytes(packed)
        old = next(file for file in BUILTIN["mnist"].files if file.name == f"{name}.gz")
        md5 = hashlib.md5(packed).hexdigest()
        urls = (f"{address}gone/{name}.gz", f"{address}{name}.gz")
        files.append(replace(old, md5=md5, size_bytes=len(packed), urls=urls))
    monkeypatch.setitem(BUILTIN, "mnist", replace(BUILTIN["mnist"], files=tuple(files)))
    return root


def test_missing_files_are_downloaded_from_the_first_working_mirror(
    published_mnist: Path, folders: Folders
):
    assert prepared_now("mnist").info.train_count == 20
    assert len(list((folders.data / "downloads/mnist").iterdir())) == 4


def test_the_progress_of_a_download_has_size_speed_and_time_left(
    published_mnist: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cnnlib.data.builtin.download._REPORT_SECONDS", 0.0)
    updates = [progress for progress in prepare("mnist") if "left" in progress.text]
    pattern = r"downloading MNIST: [\d.]+ k?B of [\d.]+ kB, [\d.,]+ [kMG]?B/s, about \d+ s left"
    assert re.fullmatch(pattern, updates[0].text)
    fractions = [progress.fraction for progress in updates]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 0.8  # the rest is reading and writing


def test_a_download_that_is_stopped_leaves_nothing_behind(
    published_mnist: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cnnlib.data.builtin.download._REPORT_SECONDS", 0.0)
    work = prepare("mnist")
    assert next(progress for progress in work if "MB/s" in progress.text)
    work.close()
    left = [path.name for path in folders.data.rglob("*") if path.is_file()]
    assert left == [".lock-mnist"]


def test_a_second_download_keeps_the_existing_files(published_mnist: Path, folders: Folders):
    (published_mnist / "t10k-labels-idx1-ubyte.gz").rename(published_mnist / "later")
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte.gz could not be downloaded"):
        list(prepare("mnist"))
    for path in published_mnist.glob("*.gz"):
        path.unlink()
    (published_mnist / "later").rename(published_mnist / "t10k-labels-idx1-ubyte.gz")
    assert prepared_now("mnist").info.train_count == 20


def test_a_file_with_another_md5_is_refused_and_every_mirror_named(
    published_mnist: Path, folders: Folders
):
    path = published_mnist / "train-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"gone/train-labels.*404.*with MD5 .* instead of"):
        list(prepare("mnist"))
    downloads = {path.name for path in (folders.data / "downloads/mnist").iterdir()}
    assert downloads == {"train-images-idx3-ubyte.gz"}


def test_a_download_that_is_too_large_is_cancelled(published_mnist: Path):
    (published_mnist / "train-labels-idx1-ubyte.gz").write_bytes(bytes(200_000))
    with pytest.raises(DataError, match="more than twice the published"):
        list(prepare("mnist"))


def test_the_error_without_a_network_names_the_folder(monkeypatch: pytest.MonkeyPatch):
    known = BUILTIN["fashion-mnist"]
    nowhere = [replace(file, urls=("http://127.0.0.1:9/",)) for file in known.files]
    monkeypatch.setitem(BUILTIN, "fashion-mnist", replace(known, files=tuple(nowhere)))
    with pytest.raises(
        DataError, match=r"Check the network, or copy the files to FashionMNIST/raw"
    ):
        list(prepare("fashion-mnist"))


# -- names -----------------------------------------------------------------------------------------


def test_the_error_for_an_unknown_name_lists_the_datasets():
    with pytest.raises(DataError, match=r"folder:cats was not found.*choose one of: digits, mnist"):
        list(prepare("folder:cats"))
    with pytest.raises(DataError, match="There is no prepared copy of digits"):
        load_prepared("digits")
