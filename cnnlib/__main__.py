"""``python -m cnnlib``: the command line of the lab."""

from __future__ import annotations

import os
import sys

from cnnlib.cli.main import main

_TRAINING_COMMANDS = ("train", "fork", "resume")


def run() -> int:
    """Run the command line; a command that may train gets a worker's environment first."""
    if sys.platform == "linux" and sys.argv[1:2] and sys.argv[1] in _TRAINING_COMMANDS:
        _restart_with_worker_environment()
    return main()


def _restart_with_worker_environment() -> None:
    """Replace this process by one with a worker's variables, such as those of the allocator.

    Libraries read them only at the start of a process.
    """
    from cnnlib.records.folders import Folders
    from cnnlib.runs.workers.slot import worker_environment

    environment = worker_environment(Folders.from_environment())
    if any(os.environ.get(name) != value for name, value in environment.items()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


if __name__ == "__main__":
    sys.exit(run())
