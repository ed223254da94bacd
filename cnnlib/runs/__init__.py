"""The run store (a database and files), its queue, and the worker processes behind it."""

from cnnlib.runs.store import RunStore

__all__ = ["RunStore"]
