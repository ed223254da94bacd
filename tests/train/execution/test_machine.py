"""Tests of the version in a run's record: also where the package is not installed."""

import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

import cnnlib
from cnnlib.train.execution import machine

PROJECT = Path(cnnlib.__file__).parents[1] / "pyproject.toml"


@pytest.fixture(autouse=True)
def not_installed(monkeypatch):
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(machine, "version", missing)
    machine.lab_version.cache_clear()
    yield
    machine.lab_version.cache_clear()


def test_a_clone_that_is_not_installed_has_the_version_of_its_project():
    assert machine.lab_version() == tomllib.loads(PROJECT.read_text())["project"]["version"]


def test_a_copy_without_its_project_has_an_unknown_version(monkeypatch, tmp_path):
    monkeypatch.setattr(cnnlib, "__file__", str(tmp_path / "cnnlib" / "__init__.py"))
    assert machine.lab_version() == "unknown"
