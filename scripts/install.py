"""Create .venv in the project folder and install CNN Lab into it; a second call does nothing.

Used by the Makefile and, where there is no make, by hand:

    python scripts/install.py          what the app needs
    python scripts/install.py --dev    also what the tests need
    python scripts/install.py --bench  also the tools that bench/ compares with

Needs the standard library only; also starts on a Python that is too old, and reports that.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

# Level -> requirement files to install besides the app; they pin the dependencies that it declares.
REQUIREMENTS = {
    "app": ["requirements.txt"],
    "dev": ["requirements.txt", "requirements-dev.txt"],
    "bench": ["requirements.txt", "requirements-dev.txt", "bench/requirements.txt"],
}

# What is downloaded at the level "app", measured on Linux with torch 2.15.
WITH_CUDA = "Up to 3.2 GB are downloaded: PyTorch with its libraries for graphics cards."
WITHOUT_CUDA = "Up to 0.4 GB are downloaded: PyTorch for the processor, without CUDA."
DRY_RUN_SECONDS = 30


class InstallError(Exception):
    """Installing is impossible; the message names what the machine lacks."""


def digest(level: str) -> str:
    """Hash the project's path and a level's requirement files; a change means a new install."""
    hasher = hashlib.sha256(str(ROOT).encode())
    for name in ["pyproject.toml", *REQUIREMENTS[level]]:
        hasher.update((ROOT / name).read_bytes())
    return hasher.hexdigest()


def pip_arguments(level: str) -> list[str]:
    """pip's arguments for a level: the app as an editable install, and the requirement files."""
    return ["-e", ".", *(part for name in REQUIREMENTS[level] for part in ("-r", name))]


def contained_levels(level: str) -> list[str]:
    """The levels that are complete once this one is."""
    return [each for each, files in REQUIREMENTS.items() if {*files} <= {*REQUIREMENTS[level]}]


def stamp_file(level: str) -> Path:
    """The file that holds the digest of what was last installed."""
    return ENVIRONMENT / f"installed-{level}"


def is_installed(level: str) -> bool:
    """Whether the environment exists and matches the current requirement files of the level."""
    if not PYTHON.exists() or not stamp_file(level).exists():
        return False
    return stamp_file(level).read_text() == digest(level)


def venv_command(uv: str | None, can_venv: bool) -> list[str]:
    """The command that creates the environment: venv where Python has it, else uv.

    Raises:
        InstallError: Neither venv nor uv is available.
    """
    if can_venv:
        return [sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)]
    if uv:
        return [uv, "venv", "--clear", "--python", sys.executable, str(ENVIRONMENT)]
    raise InstallError(
        f"This Python ({sys.executable}) cannot create an environment, because its ensurepip is "
        "missing, and there is no uv on the PATH. On Debian or Ubuntu install the package "
        "python3-venv, then try again."
    )


def create_environment() -> None:
    """Create an empty environment in place of an existing one.

    Raises:
        InstallError: Neither venv nor uv could create it.
    """
    can_venv = all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))
    if not succeeds(venv_command(shutil.which("uv"), can_venv)):
        raise InstallError(
            f"The environment {ENVIRONMENT} could not be made, for the reason above."
        )


def installers() -> Generator[list[str]]:
    """The commands to install with, best first: uv from the PATH or from PyPI, then pip.

    uv comes first with the PyTorch that fits the graphics card, from PyTorch's own index. pip comes
    last because it is slow; it is kept because it uses the machine's own settings for mirrors,
    proxies and certificates.
    """
    path = shutil.which("uv")
    uv = [path] if path else [str(PYTHON), "-m", "uv"]
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install"]
    if path or succeeds([*pip, "--quiet", "uv"]):
        install_with_uv = [*uv, "pip", "install", "--python", str(PYTHON)]
        yield [*install_with_uv, "--torch-backend", os.environ.get("UV_TORCH_BACKEND", "auto")]
        yield install_with_uv
    yield pip


def attempt(installer: list[str], level: str) -> bool:
    """Install a level with an installer, after a sentence on the size of the download.

    PyTorch's own index is tried without retries first, so that the next installer comes soon.
    """
    arguments = pip_arguments(level)
    if "--torch-backend" in installer:
        packages = dry_run([*installer, *arguments])
        if packages is None:
            print("PyTorch's own package index is not used: it did not answer, or uv is too old.")
            return False
        print(size_text(packages), flush=True)
    else:  # PyPI has PyTorch with CUDA for Linux, and without it for other systems
        print(WITH_CUDA if sys.platform == "linux" else WITHOUT_CUDA, flush=True)
    return succeeds([*installer, *arguments])


def dry_run(command: list[str]) -> str | None:
    """What uv would install, one ``+ name==version`` a line; None if it cannot say."""
    try:
        done = subprocess.run(
            [*command, "--dry-run"],
            cwd=ROOT,
            env={**environment(), "UV_HTTP_RETRIES": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DRY_RUN_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def size_text(packages: str) -> str:
    """Say how much is downloaded for these packages, in the lines of `dry_run`."""
    if "+ torch==" not in packages:
        return "Less than 0.3 GB are downloaded: PyTorch is there already."
    for_cards = ("+ nvidia-", "+cu", "+rocm", "+xpu")
    return WITH_CUDA if any(part in packages for part in for_cards) else WITHOUT_CUDA


def install(level: str) -> None:
    """Install one level, and stamp_file it and what it contains once it is complete.

    Raises:
        InstallError: All installers failed; their output is printed above the message.
    """
    print("Installing into .venv. The first time this takes a few minutes.", flush=True)
    if not PYTHON.exists():
        create_environment()
    for each in REQUIREMENTS:
        stamp_file(each).unlink(missing_ok=True)
    if not any(attempt(installer, level) for installer in installers()):
        raise InstallError("Installing failed, for the reason above. Mend it, then try again.")
    for each in contained_levels(level):
        stamp_file(each).write_text(digest(each))


def succeeds(command: list[str]) -> bool:
    """Run a command in the project folder with its output shown; return whether it succeeded."""
    return subprocess.run(command, cwd=ROOT, env=environment()).returncode == 0


def environment() -> dict[str, str]:
    """The variables of the installers: uv trusts the system's certificates, as pip does."""
    return {"UV_SYSTEM_CERTS": "1", **os.environ}


def main() -> int:
    parser = argparse.ArgumentParser(description="Install CNN Lab into .venv.")
    parser.add_argument("--dev", action="store_true", help="also what the tests need")
    parser.add_argument("--bench", action="store_true", help="also what bench/ compares with")
    options = parser.parse_args()
    try:
        prepare("bench" if options.bench else "dev" if options.dev else "app")
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def prepare(level: str) -> None:
    """Install a level unless it is installed already.

    Raises:
        InstallError: This Python is too old, or installing failed.
    """
    if sys.version_info < OLDEST:
        raise InstallError(
            f"This is Python {sys.version.split()[0]}; CNN Lab needs 3.11 or newer. Install a "
            "newer Python and run this script with it."
        )
    if not is_installed(level):
        install(level)


if __name__ == "__main__":
    sys.exit(main())
