"""The viewer process: answers the requests of one page server, one after the other.

``python -m cnnlib.train.viewer`` is started by `cnnlib.runs.places.local_place.LocalPlace`. It
connects to the address in its environment and exits when the connection ends.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Client, Connection
from typing import Any

from cnnlib.errors import CnnlibError, FaultError
from cnnlib.runs.workers.viewer import ADDRESS_VARIABLE, KEY_VARIABLE

_NICENESS = 5  # a training step goes first


def main(load_functions: Callable[[], Mapping[str, Callable[..., Any]]]) -> None:
    """Connect and answer until the page server has ended.

    Args:
        load_functions: Imports torch and the functions that pages may call, and returns these.
    """
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    functions = load_functions()
    gc.collect()
    gc.freeze()
    key = bytes.fromhex(os.environ[KEY_VARIABLE])
    try:
        connection = Client(os.environ[ADDRESS_VARIABLE], authkey=key)
    except OSError as error:  # the page server has ended
        print(error, file=sys.stderr, flush=True)
        return
    with connection:
        serve(connection, functions)


def serve(connection: Connection, functions: Mapping[str, Callable[..., Any]]) -> None:
    """Answer requests ``(name, arguments)`` with ``(error, value)`` until the connection ends."""
    while True:
        try:
            name, arguments = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer: tuple[CnnlibError | None, Any] = None, functions[name](*arguments)
        except CnnlibError as error:
            answer = error, None
        except Exception as error:
            traceback.print_exc()
            text = f"{type(error).__name__}: {error}"[:300]
            sentence = (
                f"The viewer has an internal error ({text}). Its log has the details; choose "
                "another picture or layer."
            )
            answer = FaultError(sentence), None
        connection.send(answer)
