"""README and docs/ are correct: commands run, examples give the shown results, links exist."""

import doctest
import importlib.util
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from cnnlib.cli.main import main, parser
from cnnlib.design.cost import cost
from cnnlib.design.other_tools import tool_counts
from cnnlib.design.plan import plan
from cnnlib.design.presets import preset
from cnnlib.records.glossary import GLOSSARY

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [str(document.relative_to(ROOT)) for document in DOCUMENTS]
MOST_BYTES = 150_000

# A fenced block, with an optional comment before it that gives the reason why it is not run.
BLOCK = re.compile(
    r"(?:<!-- not run: ([^\n]+) -->\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """One fenced block of a document."""

    language: str
    text: str
    not_run: str

    @property
    def commands(self) -> list[list[str]]:
        """Its lines split as a shell does, without comments; [] for a block with a language."""
        return [] if self.language else [shlex.split(line, True) for line in lines_of(self.text)]


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def blocks(name: str) -> list[Block]:
    found = BLOCK.findall((ROOT / name).read_text())
    return [Block(language, text, reason) for reason, language, text in found]


def cnnlib_arguments(command: list[str]) -> list[str] | None:
    """The arguments after ``python -m cnnlib``; None for any other command."""
    is_ours = command[0].endswith("python") and command[1:3] == ["-m", "cnnlib"]
    return command[3:] if is_ours else None


@pytest.mark.parametrize("name", NAMES)
def test_python_examples_run_and_give_what_they_show(name):
    namespace: dict[str, object] = {}
    for number, block in enumerate(blocks(name)):
        if block.language != "python" or block.not_run or name == "docs/reference.md":
            continue  # the reference's examples are those of docstrings, tested in test_house.py
        if ">>>" in block.text:
            example = doctest.DocTestParser().get_doctest(block.text, namespace, name, name, number)
            assert doctest.DocTestRunner().run(example, clear_globs=False).failed == 0
            namespace = example.globs
        else:
            exec(compile(block.text, name, "exec"), namespace)


@pytest.mark.parametrize("name", NAMES)
def test_commands_run(name, capsys):
    for block in blocks(name):
        for command in block.commands:
            arguments = cnnlib_arguments(command)
            if arguments is None:
                continue
            parser().parse_args(arguments)  # commands that take too long are only parsed
            if not block.not_run:
                assert main(arguments) == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_other_commands_name_existing_targets_and_scripts(name):
    for block in blocks(name):
        for command in block.commands:
            if command[0] == "make":
                subprocess.run(["make", "--dry-run", *command[1:]], cwd=ROOT, check=True)
            elif cnnlib_arguments(command) is None and command[0].endswith("python"):
                scripts = [part for part in command[1:] if part.endswith(".py")]
                assert all((ROOT / script).exists() for script in scripts), command


@pytest.mark.parametrize("name", NAMES)
def test_links_and_pictures_exist(name):
    document = ROOT / name
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_pictures_are_small():
    pictures = (ROOT / "docs" / "images").glob("*.png")
    assert [p.name for p in pictures if p.stat().st_size > MOST_BYTES] == []


def script_of_docs(name: str) -> ModuleType:
    """A script of docs/, which is no package, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_the_reference_equals_the_docstrings():
    make_reference = script_of_docs("make_reference")
    text = make_reference.REFERENCE.read_text()
    assert text == make_reference.reference(), "run: python docs/make_reference.py"


def test_the_glossary_equals_its_definitions():
    make_glossary = script_of_docs("make_glossary")
    text = make_glossary.DOCUMENT.read_text()
    assert text == make_glossary.glossary(), "run: python docs/make_glossary.py"


def test_every_entry_of_the_glossary_has_an_anchor_of_its_own():
    make_glossary = script_of_docs("make_glossary")
    headings = re.findall(r"^#+ (.+)$", make_glossary.DOCUMENT.read_text(), re.MULTILINE)
    anchors = [make_glossary.anchor(heading) for heading in headings]
    assert len(anchors) == len(set(anchors))


@pytest.mark.parametrize("name", NAMES)
def test_links_into_the_glossary_lead_to_an_entry(name):
    anchor = script_of_docs("make_glossary").anchor
    links = re.findall(r"\]\([^)#]*glossary\.md#([^)]+)\)", (ROOT / name).read_text())
    assert set(links) <= {anchor(term) for term in GLOSSARY}


def test_the_totals_of_other_tools_in_the_document_are_correct():
    text = (ROOT / "docs" / "numbers.md").read_text()
    network = plan(preset("lenet5").spec)
    assert f"| CNN Lab | MACs | {cost(network).macs:,} |" in text
    for found in tool_counts(network):
        convention = found.convention
        assert f"| {convention.tool} | {convention.quantity} | {found.total:,} |" in text


def test_the_receptive_fields_in_the_document_are_correct():
    # "| pooling | 2 | 2 | 3 + 1 x 1 = 4 | 2 |": size and jump are the last numbers of two columns.
    rows = re.findall(
        r"^\| (?:convolution|pooling) .*?(\d+) \| (\d+) \|$",
        (ROOT / "docs" / "numbers.md").read_text(),
        re.MULTILINE,
    )
    layers = list(cost(plan(preset("lenet5").spec)).layers[:6])
    counted = [(r.field.size, r.field.jump) for r in layers if r.layer.kind in ("conv2d", "pool")]
    assert [(int(size), int(jump)) for size, jump in rows] == counted
