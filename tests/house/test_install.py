"""The installation script: the environment, the installers, and when nothing is installed."""

import shutil
import sys

import install
import pytest


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder with an environment; commands succeed and are recorded in a list."""
    (tmp_path / "bench").mkdir()
    for name in ["pyproject.toml", *install.REQUIREMENTS["bench"]]:
        (tmp_path / name).write_text(name)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "ENVIRONMENT", tmp_path / ".venv")
    monkeypatch.setattr(install, "PYTHON", python)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(install, "dry_run", lambda command: " + torch==2.15.0+cpu")
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)
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
    uv = ["/bin/uv", "pip", "install", "--python", python]
    assert list(install.installers()) == [
        [*uv, "--torch-backend", "auto"],
        uv,
        [python, "-m", "pip", "--disable-pip-version-check", "install"],
    ]


def test_the_pytorch_that_a_person_chose_is_installed(project, monkeypatch):
    monkeypatch.setenv("UV_TORCH_BACKEND", "cu126")
    assert next(install.installers())[-2:] == ["--torch-backend", "cu126"]


def test_uv_is_fetched_by_pip_where_there_is_none(project, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    _, uv, pip = install.installers()
    assert uv[:5] == [str(install.PYTHON), "-m", "uv", "pip", "install"]
    assert project == [[*pip, "--quiet", "uv"]]


def test_pip_installs_alone_where_uv_cannot_be_had(project, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(install, "succeeds", lambda command: False)
    assert [command[1:3] for command in install.installers()] == [["-m", "pip"]]


def test_without_pytorchs_own_index_the_usual_one_is_used(project, monkeypatch, capsys):
    monkeypatch.setattr(install, "dry_run", lambda command: None)
    assert call(monkeypatch) == 0
    assert len(project) == 1
    assert "--torch-backend" not in project[0]
    assert "package index is not used" in capsys.readouterr().out


def test_the_size_of_the_download_is_said_before_it(project, monkeypatch, capsys):
    printed = []
    monkeypatch.setattr(install, "succeeds", lambda _: printed.append(capsys.readouterr().out))
    call(monkeypatch)
    # First with uv for a processor; it fails here, and so do uv and pip with PyPI's PyTorch.
    assert install.WITHOUT_CUDA in printed[0]
    on_pypi = install.WITH_CUDA if sys.platform == "linux" else install.WITHOUT_CUDA
    assert on_pypi in printed[1] and on_pypi in printed[2]


@pytest.mark.parametrize(
    ("packages", "size"),
    [
        (" + torch==2.15.0+cpu\n + numpy==2.4.6", install.WITHOUT_CUDA),
        (" + numpy==2.4.6\n + torch==2.15.0", install.WITHOUT_CUDA),
        (" + nvidia-cublas==13.4.1.3\n + torch==2.15.0", install.WITH_CUDA),
        (" + torch==2.15.0+cu130", install.WITH_CUDA),
        (" + torch==2.15.0+rocm7.2", install.WITH_CUDA),
        (" + pytest==9.2.0", "Less than 0.3 GB are downloaded: PyTorch is there already."),
    ],
)
def test_the_size_is_that_of_the_pytorch_to_install(packages, size):
    assert install.size_text(packages) == size


def test_an_index_that_does_not_answer_ends_the_dry_run(monkeypatch):
    monkeypatch.setattr(install, "DRY_RUN_SECONDS", 0.1)
    assert install.dry_run([sys.executable, "-c", "import time; time.sleep(60)"]) is None
    assert install.dry_run([sys.executable, "-c", "raise SystemExit(2)"]) is None
    assert install.dry_run(["/nowhere/uv"]) is None


def test_the_dry_run_tries_an_index_once(monkeypatch):
    monkeypatch.setattr(install, "DRY_RUN_SECONDS", 60)
    printing = "import os, sys; print(os.environ['UV_HTTP_RETRIES'], *sys.argv[1:])"
    assert install.dry_run([sys.executable, "-c", printing]) == "0 --dry-run\n"


def test_a_second_call_installs_nothing(project, monkeypatch):
    assert call(monkeypatch) == 0
    assert len(project) == 1
    assert call(monkeypatch) == 0
    assert len(project) == 1


def test_what_tests_need_includes_what_the_app_needs(project, monkeypatch):
    call(monkeypatch, "--dev")
    pinned = ["-r", "requirements.txt", "-r", "requirements-dev.txt"]
    assert project[0][-6:] == ["-e", ".", *pinned]
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
