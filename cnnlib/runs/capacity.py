"""What the runs of one machine may use together: how many train at once, on how many cores."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from cnnlib.errors import StoreError

_MOST_WORKERS = 64


@dataclass(frozen=True)
class Capacity:
    """The limits of a machine.

    Args:
        runs: Most runs at work at once.
        cores: Most threads that they compute with together; None where GPUs compute.
        threads: What a cluster has given to one worker, whatever else is at work on its machine;
            0: the cores are shared out here.
    """

    runs: int
    cores: int | None = None
    threads: int = 0


def machine_capacity(runs: int) -> Capacity:
    """Return the capacity of this machine for a number of runs at once."""
    return Capacity(runs, None if visible_gpus() else max(runs, usable_cores()))


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_cores() -> int:
    """Return the number of cores for training: all, or fewer where ``OMP_NUM_THREADS`` says so."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores(), int(limit)) if limit.isdigit() and int(limit) > 0 else cores()


def default_runs() -> int:
    """Return how many runs train at once: CNNLAB_WORKERS, else one per GPU, or one per core.

    Apple's processors share one GPU, so one run trains at a time there.

    Raises:
        StoreError: CNNLAB_WORKERS is not a number of workers.
    """
    count = os.environ.get("CNNLAB_WORKERS", "").strip()
    if not count:
        has_apple_gpu = sys.platform == "darwin" and platform.machine() == "arm64"
        return len(visible_gpus()) or (1 if has_apple_gpu else min(usable_cores(), _MOST_WORKERS))
    if not count.isdecimal() or not 1 <= int(count) <= _MOST_WORKERS:
        raise StoreError(
            f"CNNLAB_WORKERS={count!r} is not a number of workers from 1 to {_MOST_WORKERS}. Set "
            "it to the number of runs that may train at once, or unset it."
        )
    return int(count)


def visible_gpus() -> list[str]:
    """NVIDIA GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return [name for name in allowed.replace(" ", "").split(",") if name not in ("", "-1")]
    found = Path("/proc/driver/nvidia/gpus")
    return [str(number) for number, _ in enumerate(found.iterdir())] if found.is_dir() else []
