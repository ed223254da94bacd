"""Designs from strangers: links in the address bar, JSON files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from random_specs import random_spec

from cnnlib.cli.design_options import read_spec
from cnnlib.design.cost import cost
from cnnlib.design.link import decode, encode
from cnnlib.design.plan import plan
from cnnlib.design.presets import presets
from cnnlib.design.source.pytorch_source import source
from cnnlib.design.spec import CNNSpec
from cnnlib.design.summary import summary
from cnnlib.errors import SpecError
from cnnlib.figures.architecture_svg import architecture_svg
from cnnlib.ui.build.files import design_from_json
from fuzz import mutate
from fuzz.guard import Guard

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random


class Links:
    """The design in an address: it is read, or it is a sentence."""

    def __init__(self, folder: Path) -> None:
        self.guard = Guard([folder])

    def draw(self, random: Random) -> str:
        link = encode(_valid(random))
        match random.randrange(8):
            case 0:
                return mutate.text(random)
            case 1:
                parts = link.split("~")
                random.shuffle(parts)
                return "~".join(parts)
            case 2:
                return "~".join((link, *encode(_valid(random)).split("~")[1:]))
        return mutate.in_text(random, link)

    def check(self, case: str) -> None:
        try:
            spec = decode(case)
        except SpecError as error:
            is_a_sentence(error)
            return
        assert decode(encode(spec)) == spec
        read_by_all(spec)


class SpecFiles:
    """A design as a file, uploaded or named by ``--spec``."""

    def __init__(self, folder: Path) -> None:
        self.guard = Guard([folder])
        self.file = folder / "design.json"

    def draw(self, random: Random) -> bytes:
        valid = _valid(random).to_dict()
        match random.randrange(8):
            case 0:
                return mutate.in_bytes(random, json.dumps(valid).encode())
            case 1:
                return random.choice((b"[", b'{"spec":')) * random.choice((1, 100_000))
            case 2:
                return json.dumps({"name": mutate.text(random), "spec": valid}).encode()
            case 3:
                return json.dumps(mutate.value(random)).encode()
        return json.dumps(mutate.in_json(random, valid)).encode()

    def check(self, case: bytes) -> None:
        self.file.write_bytes(case)
        for read in (lambda: design_from_json(case), lambda: read_spec(str(self.file))):
            try:
                spec = read()
            except SpecError as error:
                is_a_sentence(error)
                continue
            assert CNNSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
            read_by_all(spec)


def read_by_all(spec: CNNSpec) -> None:
    """Everything that the Build page makes of a design; it plans, or it is a sentence."""
    try:
        planned = plan(spec)
    except SpecError as error:
        is_a_sentence(error)
        return
    cost(planned, batch_size=64, optimizer="adam")
    summary(planned)
    compile(source(planned), "network.py", "exec")
    if len(planned.layers) < 60:
        architecture_svg(planned)


def is_a_sentence(error: Exception) -> None:
    """What a person is shown: words with an end, and not all that was typed."""
    said = str(error)
    assert said.strip() and len(said) < 2000, f"no sentence: {said[:300]!r}"


def _valid(random: Random) -> CNNSpec:
    if random.random() < 0.2:
        return random.choice(presets()).spec
    while True:
        try:
            return random_spec(random)
        except SpecError:
            continue
