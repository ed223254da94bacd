"""``python -m cnnlib.train.viewer``: the viewer process, with all functions that pages call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cnnlib.probe.viewer.process import main


def functions() -> dict[str, Callable[..., Any]]:
    """Import torch and the functions that pages may call."""
    import numpy  # noqa: F401  (before torch)
    import torch

    from cnnlib.probe.viewer.functions import FUNCTIONS
    from cnnlib.train.execution.speed import picture_speeds, training_step_seconds
    from cnnlib.train.viewer.step_view import step_view

    torch.set_num_threads(1)
    return {
        **FUNCTIONS,
        "picture_speeds": picture_speeds,
        "step_view": step_view,
        "training_step_seconds": training_step_seconds,
    }


def run(_arguments: Sequence[str] = ()) -> None:
    """Answer the requests of the page server until it ends."""
    main(functions)


if __name__ == "__main__":
    run()
