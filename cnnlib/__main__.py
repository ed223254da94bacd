"""``python -m cnnlib``: the command line of the lab."""

from __future__ import annotations

import os
import sys

from cnnlib.cli.main import main

_MAY_TRAIN = ("train", "fork", "resume")


def run() -> int:
    """Run the command line; one that may train gets the environment of a worker first."""
    if sys.platform == "linux" and sys.argv[1:2] and sys.argv[1] in _MAY_TRAIN:
        _become_a_worker_process()
    return main()


def _become_a_worker_process() -> None:
    """Start anew with the variables that a process reads when it starts (how memory is kept)."""
    from cnnlib.records.folders import Folders
    from cnnlib.runs.workers.pool import worker_environment

    wanted = worker_environment(Folders.from_environment())
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], wanted)


if __name__ == "__main__":
    sys.exit(run())
