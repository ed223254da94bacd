"""Viewers of tests: one that answers in this process, and one that is not ready."""

import pickle
from typing import Any

import pytest

from cnnlib.errors import CnnlibError, ViewerError


class InProcessViewer:
    """Answers like the viewer process: its arguments and its values are pickled.

    It has the interface of a `LocalPlace` that pages use.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_ready = True

    @property
    def viewer(self) -> "InProcessViewer":
        return self

    def viewer_answer(self, function: str, *arguments: Any) -> Any:
        if not self.is_ready:
            raise ViewerError("The viewer is starting.")
        from cnnlib.train.execution.mode import restored_thread_count  # torch
        from cnnlib.train.viewer.__main__ import functions

        with restored_thread_count():
            known = functions()
        self.asked.append(function)
        try:
            value = known[function](*pickle.loads(pickle.dumps(arguments)))
        except CnnlibError as error:
            raise pickle.loads(pickle.dumps(error)) from error
        return pickle.loads(pickle.dumps(value))


def answer_in_process(monkeypatch: pytest.MonkeyPatch) -> InProcessViewer:
    """Give pages and routes a viewer in this process."""
    pool = InProcessViewer()
    for module in ("common.viewer", "common.messages", "server.maps_route", "server.routes"):
        monkeypatch.setattr(f"cnnlib.ui.{module}.place", lambda: pool)
    return pool
