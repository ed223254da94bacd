"""Files from strangers: zips of pictures, pictures, weights, parcels of runs."""

from __future__ import annotations

import io
import json
import shutil
import struct
import warnings
import zipfile
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save
from sample_data import class_folders, encoded, prepared_now

from cnnlib.data.image_folder.image_decoder import BrokenPicture, decode
from cnnlib.data.image_folder.sources import FolderOptions
from cnnlib.data.prepare import prepare
from cnnlib.data.uploads import add_folder_zip, remove_dataset
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import CnnlibError, ProbeError, StoreError, TrainError
from cnnlib.nets.model import build_model
from cnnlib.probe.weights import network, read_arrays
from cnnlib.records.folders import UPLOADS, Folders
from cnnlib.records.recipe import Recipe
from cnnlib.runs import RunStore
from cnnlib.runs.archive.archive import export_bytes, import_runs
from cnnlib.train.api import load_run
from cnnlib.train.checkpoint import (
    Circumstances,
    Progress,
    read_checkpoint,
    read_weights,
    write_checkpoint,
    write_weights,
)
from cnnlib.train.optimizers import build_optimizer
from fuzz import mutate
from fuzz.design_fuzzers import is_a_sentence
from fuzz.guard import Guard
from fuzz.readers import a_told_run, read_everything

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

FORMS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM", "JPEG2000", "ICO", "TGA")


class Zips:
    """A zip of pictures, from the upload to the prepared copy: taken in whole, or refused."""

    def __init__(self, folder: Path) -> None:
        self.folders = Folders(data=folder / "data", runs=folder / "runs")
        self.guard = Guard([self.folders.runs, self.folders.data])

    def draw(self, random: Random) -> tuple[bytes, str]:
        files = _picture_files(random)
        name = mutate.text(random) if random.random() < 0.3 else "mine"
        if random.random() < 0.5:
            for path in random.sample(sorted(files), min(2, len(files))):
                files[_odd_path(random, path)] = files.pop(path)
        content = _zipped(random, files)
        if random.random() < 0.6:
            content = _hurt_zip(random, content)
        return content, name

    def check(self, case: tuple[bytes, str]) -> None:
        content, name = case
        try:
            options = FolderOptions(16, 3)
            info = add_folder_zip(io.BytesIO(content), name, self.folders, options)
        except CnnlibError as error:
            is_a_sentence(error)
            left = [file for file in (self.folders.runs / UPLOADS).rglob("*") if file.is_file()]
            assert not left, f"a refused zip leaves {left}"
            return
        try:
            for _ in prepare(info.name, self.folders):
                pass
        except CnnlibError as error:
            is_a_sentence(error)
        remove_dataset(info.name, self.folders)


class Pictures:
    """One picture file: decoded within bounds, or a reason."""

    def __init__(self, folder: Path) -> None:
        self.guard = Guard([folder])

    def draw(self, random: Random) -> bytes:
        mode = random.choice(("RGB", "L", "RGBA", "P", "1", "I;16", "CMYK", "I", "F", "LA"))
        size = (random.choice((1, 2, 8, 33, 64)), random.choice((1, 3, 8, 40)))
        content = _picture(random, size, mode)
        if random.random() < 0.1:
            return _huge_png(random)
        if random.random() < 0.1:
            return mutate.in_bytes(random, content) + mutate.in_bytes(random, content)
        return mutate.in_bytes(random, content, most=8)

    def check(self, case: bytes) -> None:
        for size, channels in ((32, 3), (7, 1)):
            try:
                found = decode(case, size, channels)
            except BrokenPicture as error:
                assert str(error).startswith(("it is ", "it has ", "its content ", "the file "))
                continue
            assert found.shape == (channels, size, size) and found.dtype == np.uint8


class Weights:
    """A file of weights or a checkpoint in a run's folder: read, or a sentence; never unpickled."""

    spec = CNNSpec(in_size=(1, 8, 8), channels=(2,), hidden_dims=(3,), norm="batch")

    def __init__(self, folder: Path) -> None:
        self.guard = Guard([folder])
        self.file = folder / "snapshot-00000001.safetensors"
        net = build_model(self.spec, seed=0)
        write_weights(self.file, net, 1)
        self.snapshot = self.file.read_bytes()
        recipe = Recipe()
        optimizer = build_optimizer(net, recipe)
        seen = Circumstances(recipe, "t1-nchw-fp32", "cpu", "f00d")
        write_checkpoint(self.file, net, optimizer, Progress(), seen)
        self.checkpoint = self.file.read_bytes()
        self.state = net.state_dict()

    def draw(self, random: Random) -> bytes:
        valid = random.choice((self.snapshot, self.checkpoint))
        match random.randrange(6):
            case 0:
                return mutate.in_bytes(random, valid)
            case 1 | 2:
                return _other_header(random, valid)
            case 3:
                return _other_tensors(random, self.state)
            case 4:
                header = {"cnnlib": json.dumps(mutate.in_json(random, _header(valid)))}
                return save({name: each.clone() for name, each in self.state.items()}, header)
        return _pickled(random)

    def check(self, case: bytes) -> None:
        self.file.write_bytes(case)
        for read in (read_weights, read_checkpoint, read_arrays):
            try:
                read(self.file)
            except (TrainError, ProbeError) as error:
                is_a_sentence(error)
        try:
            net = network(self.spec, read_arrays(self.file))
            net(torch.zeros(1, 1, 8, 8))
        except ProbeError as error:
            assert str(error)


class Parcels:
    """A run archive: imported and readable everywhere, or refused and nothing is left."""

    def __init__(self, folder: Path) -> None:
        self.folders = Folders(data=folder / "data", runs=folder / "runs")
        self.guard = Guard([self.folders.runs, self.folders.data])
        prepared_now("digits", self.folders)
        with closing(RunStore(Folders(data=folder / "data", runs=folder / "other"))) as other:
            ids = [a_told_run(other, "first"), a_told_run(other, "second")]
            self.valid = export_bytes(other, ids, weights=True)
            self.small = export_bytes(other, ids[:1])
        self.store = RunStore(self.folders)
        assert len(import_runs(self.store, io.BytesIO(self.valid))) == 2  # what is right, passes
        self._clear()

    def draw(self, random: Random) -> bytes:
        valid = random.choice((self.valid, self.small))
        match random.randrange(10):
            case 0:
                return _hurt_zip(random, valid)
            case 1:
                return mutate.in_bytes(random, valid)
            case 2 | 3:
                return _other_files(random, valid)
        return _other_rows(random, valid)

    def check(self, case: bytes) -> None:
        try:
            ids = import_runs(self.store, io.BytesIO(case))
        except CnnlibError as error:
            is_a_sentence(error)
            left = list((self.folders.runs / "files").glob("*"))
            self._clear()
            assert not left, f"a refused parcel leaves {left}"
            return
        try:
            read_everything(self.store, ids)
            for run_id in ids:
                with suppress(StoreError, TrainError, ProbeError):
                    load_run(run_id, folders=self.folders)
        finally:
            self._clear()

    def _clear(self) -> None:
        for run in self.store.runs():
            self.store.delete(run.id)
        for folder in (self.folders.runs / "files").glob("*"):
            shutil.rmtree(folder)


def _picture(random: Random, size: tuple[int, int], mode: str) -> bytes:
    form = random.choice(FORMS)
    try:
        return encoded(random.randrange(50), size, form, mode)
    except (OSError, ValueError):  # this form has no such mode
        return encoded(random.randrange(50), size, "PNG")


def _huge_png(random: Random) -> bytes:
    """A PNG that says it is enormous."""
    content = bytearray(encoded())
    side = random.choice((50_000, 2**31 - 1, 2**32 - 1, 7071))
    content[16:24] = struct.pack(">II", side, random.choice((side, 1, 8)))
    import zlib

    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def _picture_files(random: Random) -> dict[str, bytes]:
    root = random.choice(("", "wrap/", "train/", "test/", "a/b/"))
    names = random.sample(["cat", "dog", "bird", mutate.text(random), "é", "x" * 120], 3)
    files = class_folders(dict.fromkeys(names, random.randint(1, 4)), root)
    if random.random() < 0.3:
        files |= class_folders(dict.fromkeys(names[:2], 2), "test/", first=50)
    for path in list(files):
        if random.random() < 0.3:
            files[path] = mutate.in_bytes(random, files[path])
    return files


def _odd_path(random: Random, path: str) -> str:
    part = random.choice((mutate.text(random), random.choice(mutate.PATHS)))
    return random.choice(
        (f"{part}/{path}", f"{path}/{part}", f"{part}.png", path.replace("/", "\\"))
    )


def _zipped(random: Random, files: dict[str, bytes]) -> bytes:
    """A zip whose entries may be links, encrypted, doubled or dated before time."""
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as archive:
        warnings.simplefilter("ignore")
        for path, content in files.items():
            entry = zipfile.ZipInfo(path.encode("utf-8", "replace").decode()[:30_000])
            entry.compress_type = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
            if random.random() < 0.05:
                entry.compress_type = random.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
            if random.random() < 0.05:
                entry.external_attr = random.choice((0o120777, 0o060600, 0o040755)) << 16
            if random.random() < 0.05:
                content = b"\0" * random.choice((100_000, 2_000_000))
            for _ in range(1 + (random.random() < 0.05)):
                archive.writestr(entry, content)
    return out.getvalue()


def _hurt_zip(random: Random, content: bytes) -> bytes:
    """A zip with wrong numbers in its headers, where readers believe them."""
    marks = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06")
    hurt = bytearray(content)
    for _ in range(random.randint(1, 3)):
        places = _all_places(content, random.choice(marks))
        if not places or random.random() < 0.3:
            hurt = bytearray(mutate.in_bytes(random, bytes(hurt), most=2))
            continue
        place = random.choice(places) + 4 + 2 * random.randrange(20)
        number = random.choice((0, 1, 8, 0xFFFF, 0x7FFF, random.randrange(65_536)))
        hurt[place : place + 2] = struct.pack("<H", number)
    return bytes(hurt)


def _all_places(content: bytes, mark: bytes) -> list[int]:
    found, place = [], content.find(mark)
    while place >= 0:
        found.append(place)
        place = content.find(mark, place + 1)
    return found


def _header(content: bytes) -> Any:
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(json.loads(content[8 : 8 + size]).get("__metadata__", {}).get("cnnlib", "{}"))


def _other_header(random: Random, content: bytes) -> bytes:
    """The same bytes under a header that says something else."""
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    header = mutate.in_json(random, header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + size :]


def _other_tensors(random: Random, state: dict[str, torch.Tensor]) -> bytes:
    """Tensors of other names, shapes and types."""
    others = {}
    for name, value in state.items():
        match random.randrange(6):
            case 0:
                others[mutate.text(random).encode("utf-8", "replace").decode()] = value.clone()
            case 1:
                others[name] = value.reshape(-1)[:1].clone()
            case 2:
                kinds = (torch.float64, torch.bfloat16, torch.int8, torch.bool, torch.float8_e4m3fn)
                others[name] = value.to(random.choice(kinds))
            case _:
                others[name] = value.clone()
    return save(others, {"cnnlib": "{}"})


def _pickled(random: Random) -> bytes:
    """What torch.save writes: a pickle, which nobody may read."""
    out = io.BytesIO()
    torch.save({"x": torch.zeros(2)}, out, _use_new_zipfile_serialization=random.random() < 0.5)
    return out.getvalue()


def _parts(parcel: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(parcel)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _packed(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as archive:
        warnings.simplefilter("ignore")
        for name, content in parts.items():
            archive.writestr(name.encode("utf-8", "replace").decode(), content)
    return out.getvalue()


def _other_rows(random: Random, valid: bytes) -> bytes:
    """A parcel whose list of runs was changed."""
    parts = _parts(valid)
    told = json.loads(parts["runs.json"])
    if random.random() < 0.8:  # inside of the runs, past the first checks
        run = random.choice(told["runs"])
        part = random.choice([name for name in run if run[name]])
        run[part] = mutate.in_json(random, run[part], most=2)
    else:
        told = mutate.in_json(random, told)
    parts["runs.json"] = json.dumps(told).encode()
    return _packed(parts)


def _other_files(random: Random, valid: bytes) -> bytes:
    """A parcel with other files than its runs have."""
    parts = _parts(valid)
    for name in list(parts):
        if name != "runs.json" and random.random() < 0.5:
            content = parts.pop(name)
            folder, _, file = name.rpartition("/")
            match random.randrange(5):
                case 0:
                    name = f"{folder}/{mutate.text(random)}"
                case 1:
                    name = mutate.in_text(random, name)
                case 2:
                    name = f"{folder}/{random.choice(mutate.PATHS)}/{file}"
                case 3:
                    content = mutate.in_bytes(random, content)
                case _:
                    content = random.choice((_pickled(random), b"", b"\0" * 3_000_000))
            parts[name] = content
    return _packed(parts)
