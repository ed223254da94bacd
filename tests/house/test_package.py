"""The package: what the wheel holds, that it serves the app, and what it depends on."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from serving import serving

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECLARED = {each.name: each for each in map(Requirement, PROJECT["dependencies"])}
# The names of packages that are imported by another name.
PACKAGE_OF = {"PIL": "pillow"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The wheel, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [path] = folder.iterdir()
    return zipfile.ZipFile(path)


def files_of_the_app() -> list[Path]:
    """What git tracks, or would, of the library, the pages and the server."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]
    command += ["cnnlib", "pages", "app.py", ".streamlit"]
    names = subprocess.check_output(command, cwd=ROOT, text=True).split("\0")
    return [Path(name) for name in names if name and (ROOT / name).is_file()]


def test_the_wheel_holds_all_files_of_the_app_unchanged(wheel):
    expected = {
        str(path if path.parts[0] == "cnnlib" else "cnnlib/app" / path): (ROOT / path).read_bytes()
        for path in files_of_the_app()
    }
    found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert found == set(expected)
    assert [name for name in found if wheel.read(name) != expected[name]] == []


def test_the_packaged_app_has_the_options_of_the_clone(wheel):
    # Streamlit reads the options beside the script that it runs.
    packaged = tomllib.loads(wheel.read("cnnlib/app/.streamlit/config.toml").decode())
    assert packaged == tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert packaged["browser"]["gatherUsageStats"] is False


def test_an_unpacked_wheel_serves_the_app(wheel, tmp_path):
    wheel.extractall(tmp_path / "installed")
    home = {"HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}  # of a person without a clone
    ours = ("CNNLAB_DATA", "CNNLAB_RUNS", "XDG_DATA_HOME", "PYTHONPATH")
    env = {name: value for name, value in os.environ.items() if name not in ours} | home
    start = ("-m", "cnnlib", "app")
    with serving(tmp_path / "log", env, start=start, folder=tmp_path / "installed") as served:
        with urllib.request.urlopen(f"{served.url}/build") as page:
            assert page.headers["Content-Security-Policy"]
        with urllib.request.urlopen(f"{served.url}/assets/lab/lab.bundle.js") as script:
            assert b"export const" in script.read()
    [line] = [each for each in served.log.read_text().splitlines() if "Datasets are in" in each]
    data, runs = re.fullmatch(r"Datasets are in (.+), runs in (.+)\.", line).groups()
    assert Path(data).parent == Path(runs).parent
    assert Path(data).is_relative_to(tmp_path) and "installed" not in data


# -- dependencies ----------------------------------------------------------------------------------


# Imported only where a person has asked for them, by a variable; without them a sentence says so.
OPTIONAL = {"ray"}


def test_every_pin_is_in_the_range_of_the_package():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pins = {
        each.name: each
        for each in (Requirement(line.partition("#")[0]) for line in lines if line[0] != "#")
    }
    assert set(pins) == set(DECLARED)
    for name, pin in pins.items():
        [version] = [each.version for each in pin.specifier]
        assert DECLARED[name].specifier.contains(version), (name, version)


def test_the_package_depends_on_what_it_imports():
    files = [*(ROOT / "cnnlib").rglob("*.py"), *(ROOT / "pages").glob("*.py"), ROOT / "app.py"]
    imported = set()
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text()))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported.add(node.module.partition(".")[0])
    packages = imported - sys.stdlib_module_names - {"cnnlib", *OPTIONAL}
    packages.add("torchvision")  # its addresses and MD5s are declared here, and compared by a test
    assert {PACKAGE_OF.get(name, name.replace("_", "-")) for name in packages} == set(DECLARED)
