"""Owners of uploaded datasets, the datasets available to a person, and the upload limits."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

from cnnlib.errors import LimitError
from cnnlib.records.dataset import DatasetInfo, drawings_title
from cnnlib.records.settings import MB
from cnnlib.runs.access import permissions
from cnnlib.runs.access.limits import check_disk, format_sizes
from cnnlib.runs.tables import dataset_owners
from cnnlib.units import plural

if TYPE_CHECKING:
    from cnnlib.runs.store import RunStore


def dataset_owner(store: RunStore, name: str) -> str:
    """The owner of a dataset; "" is the operator, who owns all that were not uploaded here."""
    with store.database.read() as connection:
        return permissions.dataset_owner(connection, name)


def available_datasets(store: RunStore, infos: Iterable[DatasetInfo]) -> list[DatasetInfo]:
    """Return the datasets that the person of this store may choose for a new run.

    The operator may choose all. Other persons may choose all except the drawings of others.
    """
    if store.person is None:
        return list(infos)
    with store.database.read() as connection:
        owners = dict(
            connection.execute(sa.select(dataset_owners.c.name, dataset_owners.c.owner)).all()
        )
    return [
        info
        for info in infos
        if not drawings_title(info.name) or owners.get(info.name) == store.person
    ]


def check_dataset(store: RunStore, name: str) -> None:
    """Check that the person may change a dataset.

    Raises:
        RightsError: It belongs to another person.
    """
    with store.database.read() as connection:
        permissions.check_dataset(connection, store.person, name)


@contextmanager
def removing_dataset(store: RunStore, name: str) -> Generator[None]:
    """Check the permission before a dataset is removed, and free its name afterwards.

    Raises:
        RightsError: It belongs to another person.
    """
    check_dataset(store, name)
    yield
    with store.database.write() as connection:
        connection.execute(sa.delete(dataset_owners).where(dataset_owners.c.name == name))


def record_dataset_owner(store: RunStore, name: str) -> None:
    """Make the person of this store the owner of a dataset."""
    with store.database.write() as connection:
        connection.execute(sa.delete(dataset_owners).where(dataset_owners.c.name == name))
        if store.owner:
            connection.execute(sa.insert(dataset_owners).values(name=name, owner=store.owner))


@contextmanager
def new_dataset(store: RunStore, name: str, remove: Callable[[str], object]) -> Generator[None]:
    """Make the person the owner of a dataset just created; remove it where the block fails.

    So a dataset made for a run that is then refused is removed.

    Args:
        remove: Removes the files of a dataset.
    """
    record_dataset_owner(store, name)
    try:
        yield
    except BaseException:
        with removing_dataset(store, name):
            remove(name)
        raise


def check_upload(store: RunStore, size_bytes: int) -> None:
    """Check the size of an upload, and how many the person has.

    Raises:
        LimitError: The upload is too large, or the person has too many.
    """
    if store.person is None:
        return
    limits = store.settings.person
    if size_bytes > limits.upload_mb * MB:
        found, most = format_sizes(size_bytes, limits.upload_mb)
        raise LimitError(
            f"The file is {found}, but the limit for an upload on this server is {most}. Use "
            "fewer or smaller pictures."
        )
    own = dataset_owners.c.owner == store.owner
    with store.database.read() as connection:
        count = connection.scalar(sa.select(sa.func.count()).select_from(dataset_owners).where(own))
    if (count or 0) >= limits.uploads:
        raise LimitError(
            f"You have {plural(limits.uploads, 'dataset')}, the limit per person on this server. "
            "Remove one first."
        )


def check_archive(store: RunStore, size_bytes: int) -> None:
    """Check that imported runs fit into the person's disk limit.

    Raises:
        LimitError: They exceed the disk limit of the person or of the machine.
    """
    if store.person is not None:
        with store.database.read() as connection:
            check_disk(connection, store.owner, size_bytes, store.settings, store.folders.runs)
