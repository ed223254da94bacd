"""The error tree: every error that a person can cause is a ``CnnlibError``.

::

    CnnlibError
    ├── SpecError      a network that cannot be built, or a design that cannot be read
    ├── RecipeError    a training recipe or a request for a run that is invalid
    ├── DataError      a dataset that is missing, broken, unknown or too large
    ├── StoreError     the run store cannot be read or written, or has no such run
    │   ├── FileMissing       a file of the store that does not exist
    │   └── FilesUnreachable  the files of the store cannot be reached, which says nothing of them
    ├── TrainError     a run that cannot go on (out of memory, a disk that is full)
    ├── ProbeError     a view inside a network that this run, layer or picture does not allow
    ├── ViewerError    the process that computes what pages show is not ready
    ├── FaultError     a fault of the lab itself, met by the process that computes what pages show
    ├── SettingsError  a file of settings that cannot be understood
    ├── LimitError     a request above the limit of one person
    └── RightsError    something that belongs to another person

A message has three parts: what was found, the rule it breaks, what to do. Pages show it as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CnnlibError(Exception):
    """Base of every error that a person can cause; its text is a whole sentence."""


class SpecError(CnnlibError):
    """A network that cannot be built, or a design that cannot be read.

    Args:
        message: What was found, the rule it breaks, what to do.
        layer: Name of the layer that fails (``"features.conv3"``), so that a page can mark it.
        repair: The spec fields that would make the design valid, with their new values.
        repair_text: The repair in words: ``"pool every 2 instead of 1"``.
    """

    def __init__(
        self,
        message: str,
        *,
        layer: str | None = None,
        repair: Mapping[str, Any] | None = None,
        repair_text: str | None = None,
    ) -> None:
        super().__init__(message)
        self.layer = layer
        self.repair = repair
        self.repair_text = repair_text


class RecipeError(CnnlibError):
    """A training recipe or a request for a run that is invalid."""


class DataError(CnnlibError):
    """A dataset that is missing, broken, unknown or too large."""


class StoreError(CnnlibError):
    """The run store cannot be read or written, or has no such run."""


class FileMissing(StoreError):
    """A file of the store that does not exist, while the store itself can be reached."""


class FilesUnreachable(StoreError):
    """The files of the store cannot be reached; they may all be there."""


class TrainError(CnnlibError):
    """A run that cannot go on: out of memory, a full disk, a dataset that was removed."""


class ProbeError(CnnlibError):
    """A view inside a network that this run, layer or picture does not allow."""


class ViewerError(CnnlibError):
    """The process that computes what pages show of networks is not ready."""


class FaultError(CnnlibError):
    """A fault of the lab itself, met by the process that computes what pages show."""


class SettingsError(CnnlibError):
    """A file of settings that cannot be understood."""


class LimitError(CnnlibError):
    """A request above the limit of one person, set by the operator."""


class RightsError(CnnlibError):
    """A run, a job or a dataset that belongs to another person, who alone may change it."""
