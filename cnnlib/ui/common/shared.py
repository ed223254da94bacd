"""What all sessions of the server share: folders, the run store, workers, open datasets."""

from __future__ import annotations

import threading

import streamlit as st

from cnnlib.data.prepared import Prepared, load_prepared
from cnnlib.errors import SettingsError
from cnnlib.records.folders import Folders
from cnnlib.records.settings import Settings
from cnnlib.runs.store import RunStore
from cnnlib.runs.workers.pool import WorkerPool
from cnnlib.ui.common.identity import owner


def folders() -> Folders:
    """Where this server finds data and keeps runs."""
    return Folders.from_environment()


def shared_store() -> RunStore:
    """The run store of this server, as its operator; safe to share between threads."""
    return _run_store(folders())


def run_store() -> RunStore:
    """The run store, as who looks at this page may use it; in class mode that is one of many."""
    store = shared_store()
    visitor = owner(store.settings)
    return store if visitor is None else store.on_behalf_of(visitor)


def settings() -> Settings:
    """How this server is shared.

    Raises:
        SettingsError: The file that says it cannot be understood.
    """
    return shared_store().settings


def check_settings() -> None:
    """End the server before it serves, with a sentence, where its settings cannot be understood."""
    try:
        Settings.read(folders())
    except SettingsError as error:
        raise SystemExit(str(error)) from None


def prepared(name: str, fingerprint: str) -> Prepared:
    """A prepared dataset, memory-mapped.

    Args:
        fingerprint: Of its content, so that a dataset that was prepared anew is opened anew.
    """
    return _prepared(name, fingerprint, folders())


@st.cache_resource(show_spinner=False)
def worker_pool() -> WorkerPool:
    """The workers of this server; the server itself starts and ends them."""
    return WorkerPool(folders(), settings().machine.runs_at_once or None)


@st.cache_resource(show_spinner=False)
def first_page() -> threading.Event:
    """Set once the script of some page has run to its end."""
    return threading.Event()


@st.cache_resource(show_spinner=False, max_entries=4)
def _run_store(folders: Folders) -> RunStore:
    return RunStore(folders)


@st.cache_resource(show_spinner=False, max_entries=8)
def _prepared(name: str, fingerprint: str, folders: Folders) -> Prepared:
    return load_prepared(name, folders)
