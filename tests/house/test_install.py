"""The installation script: the environment, the installers, and when nothing is installed."""

import shutil
import sys

import install
import pytest


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder with an environment; commands succeed and are recorded in a list."""
    (tmp_path / "bench").mkdir()
    for name in ["pyproject.toml", "requirements.txt", *install.REQUIREMENTS["bench"]]:
        (tmp_path / name).write_text(name)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "ENVIRONMENT", tmp_path / ".venv")
    monkeypatch.setattr(install, "PYTHON", python)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    commands = []
    monkeypatch.setattr(install, "succeeds", lambda command: commands.append(command) or True)
    return commands


def call(monkeypatch, *arguments):
    """Run the script with these arguments and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["install.py", *arguments])
    return install.main()


def test_venv_creates_the_environment_where_python_has_it():
    command = install.venv_command(uv="/bin/uv", can_venv=True)
    assert command[:3] == [sys.executable, "-m", "venv"]


def test_uv_creates_the_environment_where_python_cannot():
    command = install.venv_command(uv="/bin/uv", can_venv=False)
    assert command[:2] == ["/bin/uv", "venv"]
    assert sys.executable in command


def test_without_venv_and_uv_the_missing_package_is_named():
    with pytest.raises(install.InstallError, match="ensurepip is missing.*package python3-venv"):
        install.venv_command(uv=None, can_venv=False)


def test_uv_from_the_path_installs_and_pip_is_the_fallback(project):
    python = str(install.PYTHON)
    assert list(install.installers()) == [
        ["/bin/uv", "pip", "install", "--python", python],
        [python, "-m", "pip", "--disable-pip-version-check", "install"],
    ]


def test_uv_is_fetched_by_pip_where_there_is_none(project, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    uv, pip = install.installers()
    assert uv[:5] == [str(install.PYTHON), "-m", "uv", "pip", "install"]
    assert project == [[*pip, "--quiet", "uv"]]


def test_pip_installs_alone_where_uv_cannot_be_had(project, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(install, "succeeds", lambda command: False)
    assert [command[1:3] for command in install.installers()] == [["-m", "pip"]]


def test_a_second_call_installs_nothing(project, monkeypatch):
    assert call(monkeypatch) == 0
    assert len(project) == 1
    assert call(monkeypatch) == 0
    assert len(project) == 1


def test_what_tests_need_includes_what_the_app_needs(project, monkeypatch):
    call(monkeypatch, "--dev")
    assert project[0][-4:] == ["-e", ".", "-r", "requirements-dev.txt"]
    call(monkeypatch)
    assert len(project) == 1
    call(monkeypatch, "--bench")
    assert len(project) == 2


def test_a_changed_requirement_is_installed(project, monkeypatch):
    call(monkeypatch)
    (install.ROOT / "requirements.txt").write_text("another")
    call(monkeypatch)
    assert len(project) == 2


def test_a_failure_is_reported_and_the_next_call_tries_again(project, monkeypatch, capsys):
    succeeds = install.succeeds
    monkeypatch.setattr(install, "succeeds", lambda command: False)
    assert call(monkeypatch) == 1
    assert "Installing failed, for the reason above." in capsys.readouterr().err
    monkeypatch.setattr(install, "succeeds", succeeds)
    assert call(monkeypatch) == 0
    assert len(project) == 1


def test_a_python_that_is_too_old_is_an_error(project, monkeypatch, capsys):
    monkeypatch.setattr(install, "OLDEST", (99, 0))
    assert call(monkeypatch) == 1
    assert "CNN Lab needs 3.11 or newer." in capsys.readouterr().err
    assert project == []
