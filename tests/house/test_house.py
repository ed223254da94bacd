"""Consistency of the repository: documents, public names, the theme, and skipped tests in CI."""

import ast
import doctest
import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import cnnlib
from cnnlib.figures import theme
from cnnlib.report import document

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
MODULES_WITH_EXAMPLES = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for file in (ROOT / "cnnlib").rglob("*.py")
    if ">>> " in file.read_text()
)


# -- documents -------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "README.md"])
def test_every_file_that_a_document_names_exists(document):
    # A file is named as `path/with.suffix` or `folder/`; links are [text](path).
    text = (ROOT / document).read_text()
    named = re.findall(r"`([\w./-]+/|[\w./-]+\.(?:py|md|toml|txt|js|css))`", text)
    named += re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    made_later = {"data/", "runs/", "data/MNIST/raw/", "dist/"}  # by the lab or its users
    assert [name for name in named if not (ROOT / name).exists() and name not in made_later] == []


def test_the_changelog_begins_with_the_version_of_the_package():
    versions = re.findall(r"^## \[([\d.]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == cnnlib.__version__


def test_make_help_lists_every_target_that_people_call():
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE).group(1).split()
    answer = subprocess.check_output(["make", "--no-print-directory", "help"], cwd=ROOT, text=True)
    listed = [line.split()[0] for line in answer.splitlines()]
    assert listed == [target for target in phony if not target.startswith("install")]


def test_every_direct_dependency_is_pinned_with_its_purpose():
    # "name==1.2.3   # purpose"; "-r" lines include another file.
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text().splitlines():
            assert re.fullmatch(r"#.*|-r \S+|[\w-]+(\[\w+\])?==[\w.]+ +# \S.*", line), line


# -- the library -----------------------------------------------------------------------------------


def test_every_public_name_can_be_imported():
    for name in cnnlib.__all__:
        assert getattr(cnnlib, name) is not None
        assert name in dir(cnnlib)


def test_the_public_names_are_sorted_in_their_table():
    assert list(cnnlib._MODULES) == cnnlib.__all__ == sorted(cnnlib.__all__)


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'cnnlib' has no attribute 'no_such_name'"):
        _ = cnnlib.no_such_name


@pytest.mark.parametrize("module", MODULES_WITH_EXAMPLES)
def test_the_examples_in_docstrings_are_true(module):
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0


def test_every_module_has_a_docstring():
    for file in [*(ROOT / "cnnlib").rglob("*.py"), *(ROOT / "pages").glob("*.py")]:
        assert ast.get_docstring(ast.parse(file.read_text())), file


# -- the theme -------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb``, 0..1 (WCAG 2.1)."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1..21 (WCAG 2.1)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_measured_as_wcag_does():
    assert contrast("#ffffff", "#000000") == pytest.approx(21.0)
    # The lightest grey that passes WCAG's AA on white: #767676 has 4.54.
    assert contrast("#ffffff", "#767676") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_theme_reads_well(mode):
    colours = THEME[mode]
    for background in (colours["backgroundColor"], colours["secondaryBackgroundColor"]):
        # AA requires 4.5 for text and 3 for other elements.
        assert contrast(colours["textColor"], background) >= 7
        assert contrast(colours["linkColor"], background) >= 4.5
        assert contrast(colours["primaryColor"], background) >= 3
    assert contrast("#ffffff", colours["primaryColor"]) >= 4.5  # a button's label


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_chart_colour_stands_out_from_the_page(mode):
    for colour in THEME["chartCategoricalColors"]:
        assert contrast(colour, THEME[mode]["backgroundColor"]) >= 3


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_signed_values_stand_out_the_more_the_further_they_are_from_zero(mode):
    # Zero has the colour of the page; there are five colours on each side of it.
    colours = {**THEME, **THEME[mode]}["chartDivergingColors"]
    below, above = colours[4::-1], colours[5:]
    for side in (below, above):
        steps = [contrast(colour, THEME[mode]["backgroundColor"]) for colour in side]
        assert steps == sorted(steps) and steps[-1] >= 7


def test_figures_have_the_colours_of_the_theme():
    assert list(theme.CATEGORICAL) == THEME["chartCategoricalColors"]
    assert list(theme.DIVERGING) == THEME["chartDivergingColors"]


@pytest.mark.parametrize(
    ("token", "setting"),
    [
        ("page", "backgroundColor"),
        ("text", "textColor"),
        ("card", "secondaryBackgroundColor"),
        ("line", "borderColor"),
    ],
)
def test_pages_and_reports_have_the_colours_of_the_theme(token, setting):
    pair = f"light-dark({THEME['light'][setting]}, {THEME['dark'][setting]})"
    assert f"--{token}: {pair};" in theme.PAGE_TOKENS


def test_a_report_has_no_colours_of_its_own():
    own = document.STYLE.replace(theme.PAGE_TOKENS, "")
    assert set(re.findall(r"#[0-9a-f]{3,6}\b", own)) == set(theme.CATEGORICAL)


def test_colours_of_marks_are_declared_once_and_those_of_a_page_are_of_the_theme():
    tokens = ROOT / "cnnlib" / "ui" / "common" / "static" / "tokens.css"
    sources = [
        path for kind in ("css", "js", "py") for path in (ROOT / "cnnlib").rglob(f"*.{kind}")
    ]
    others = {path: path.read_text(encoding="utf-8") for path in sources if path != tokens}
    for colour in (*theme.CATEGORICAL, theme.GREY):
        assert [str(path) for path, text in others.items() if colour in text.lower()] == []
    text = tokens.read_text(encoding="utf-8")
    light, dark = THEME["light"], THEME["dark"]
    assert f"--line: light-dark({light['borderColor']}, {dark['borderColor']});" in text
    assert f"--accent: light-dark(var(--mark-blue), {dark['primaryColor']});" in text
    assert light["primaryColor"] == theme.BLUE


# -- no test is skipped silently in CI -------------------------------------------------------------


def exit_code_and_output(folder: Path, reasons: list[str], ci: bool, *arguments: str):
    """Run a separate pytest session with one passing test and one skipped test per reason."""
    (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    tests = [f"def test_{n}(): pytest.skip({reason!r})" for n, reason in enumerate(reasons)]
    (folder / "test_it.py").write_text("\n".join(["import pytest", "def test(): pass", *tests]))
    env = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    env["CI"] = "true" if ci else ""
    command = [sys.executable, "-m", "pytest", folder, "-c", "/dev/null", *arguments]
    session = subprocess.run(command, env=env, capture_output=True, text=True)
    return session.returncode, session.stdout


def test_in_ci_a_skipped_test_fails_the_session_and_is_named(tmp_path):
    reasons = ["needs Chromium", "cannot run here: no CUDA device"]
    parallel = ["-p", "xdist", "-n", "1"]  # as make test runs the quick tests
    code, output = exit_code_and_output(tmp_path, reasons, True, *parallel)
    assert code == 1
    assert output.partition("nothing may be skipped in CI")[2].splitlines()[1:2] == [
        "test_it.py::test_0: needs Chromium"
    ]


def test_in_ci_a_test_may_be_skipped_for_a_device_that_the_machine_lacks(tmp_path):
    assert exit_code_and_output(tmp_path, ["cannot run here: no CUDA device"], True)[0] == 0


def test_elsewhere_a_test_may_be_skipped(tmp_path):
    assert exit_code_and_output(tmp_path, ["needs Chromium"], False)[0] == 0
