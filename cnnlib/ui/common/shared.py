"""Resources shared by all sessions, and the dataset that a page begins with."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.data.catalogue import dataset_info
from cnnlib.data.prepared import Prepared, load_prepared
from cnnlib.data.stored_datasets import pull_prepared
from cnnlib.errors import CnnlibError
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.folders import Folders
from cnnlib.records.settings import Settings
from cnnlib.runs.access import dataset_owners
from cnnlib.runs.places.opening import open_place
from cnnlib.runs.store import RunStore
from cnnlib.runs.workers.viewer import Viewer
from cnnlib.ui.common.identity import owner
from cnnlib.ui.common.open_pages import open_pages

if TYPE_CHECKING:
    from cnnlib.records.job import Job
    from cnnlib.runs.places.place import Place


def folders() -> Folders:
    """Return the folders of data and runs of this server."""
    return Folders.from_environment()


def shared_store() -> RunStore:
    """Return the run store with the operator's permissions; thread-safe."""
    return _run_store(folders())


def run_store() -> RunStore:
    """Return the run store with the permissions of this page's visitor."""
    store = shared_store()
    visitor = owner(store.settings)
    return store if visitor is None else store.on_behalf_of(visitor)


def settings() -> Settings:
    """Return the settings of this server.

    Raises:
        SettingsError: The settings file is invalid.
    """
    return shared_store().settings


def available_datasets(infos: Iterable[DatasetInfo]) -> list[DatasetInfo]:
    """Return the datasets that the visitor may choose: all except the drawings of other people."""
    return dataset_owners.available_datasets(run_store(), infos)


def prepared(name: str, fingerprint: str) -> Prepared:
    """Open a prepared dataset, memory-mapped.

    Args:
        fingerprint: Hash of its content, so that a changed dataset is opened again.
    """
    return _prepared(name, fingerprint, folders())


def fetch_prepared(job: Job) -> None:
    """Fetch the dataset that a job has prepared, perhaps on another machine, to show it at once."""
    if job.kind == "prepare" and job.state == "done":
        with suppress(CnnlibError):  # it is tried again every few seconds
            pull_prepared(str(job.args["name"]), folders())


@st.cache_resource(show_spinner=False)
def place() -> Place:
    """Return the place where runs execute; the server starts and stops it."""
    count = settings().machine.runs_at_once or None
    return open_place(folders(), count, Viewer(), lambda: bool(open_pages))


@st.cache_resource(show_spinner=False, max_entries=4, hash_funcs={Folders: hash})  # 0.3 ms faster
def _run_store(folders: Folders) -> RunStore:
    return RunStore(folders)


@st.cache_resource(show_spinner=False, max_entries=8)
def _prepared(name: str, fingerprint: str, folders: Folders) -> Prepared:
    return load_prepared(name, folders)


# The best known first. Nothing is downloaded without a request; digits are always on the machine.
_DATASETS = ("mnist", "fashion-mnist", "cifar10", "digits")


def starter_datasets(folders: Folders) -> list[DatasetInfo]:
    """Return the candidates for the default dataset; faster than reading the whole catalogue."""
    return [dataset_info(name, folders) for name in _DATASETS]


def default_dataset(infos: Iterable[DatasetInfo]) -> DatasetInfo:
    """Return the best known of the datasets that are on this machine."""
    available = {info.name: info for info in infos if info.state != "download"}
    return next(available[name] for name in _DATASETS if name in available)
