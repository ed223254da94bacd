"""Whose the datasets are that people uploaded or collected, and what more they may bring."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cnnlib.runs import limits, permissions
from cnnlib.runs.tables import dataset_owners

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from cnnlib.runs.store import RunStore


def dataset_owner(store: RunStore, name: str) -> str:
    """Whose a dataset is; "" for the operator's, which are those that nobody uploaded here."""
    wanted = sa.select(dataset_owners.c.owner).where(dataset_owners.c.name == name)
    with store.database.read() as connection:
        return connection.scalar(wanted) or ""


def check_dataset(store: RunStore, name: str) -> None:
    """Let pass who may change a dataset.

    Raises:
        RightsError: It is somebody else's.
    """
    permissions.check(store.person, dataset_owner(store, name), f"The dataset {name}")


@contextmanager
def removing_dataset(store: RunStore, name: str) -> Generator[None]:
    """Around the removal of a dataset: who may not is stopped before, the name is free after.

    Raises:
        RightsError: It is somebody else's.
    """
    check_dataset(store, name)
    yield
    with store.database.write() as connection:
        connection.execute(sa.delete(dataset_owners).where(dataset_owners.c.name == name))


def check_job(store: RunStore, kind: str, args: Mapping[str, Any]) -> None:
    """Let pass a job that changes nothing of somebody else's.

    Preparing a dataset with other options makes it another one, for everybody.

    Raises:
        RightsError: It does.
    """
    if kind == "prepare" and set(args) - {"name"}:
        check_dataset(store, str(args.get("name")))


def record_dataset_owner(store: RunStore, name: str) -> None:
    """From now on a dataset belongs to who asks."""
    with store.database.write() as connection:
        connection.execute(sa.delete(dataset_owners).where(dataset_owners.c.name == name))
        if store.owner:
            connection.execute(sa.insert(dataset_owners).values(name=name, owner=store.owner))


def check_upload(store: RunStore, size_bytes: int) -> None:
    """Let pass an upload of a dataset that is small enough, and not one too many.

    Raises:
        LimitError: It is not.
    """
    if store.person is not None:
        with store.database.read() as connection:
            limits.check_upload(connection, store.owner, size_bytes, store.settings.person)


def check_archive(store: RunStore, size_bytes: int) -> None:
    """Let pass runs from elsewhere that take so much of the disk.

    Raises:
        LimitError: It is more than this person's runs, or all, may take.
    """
    if store.person is not None:
        with store.database.read() as connection:
            limits.check_disk(
                connection, store.owner, size_bytes, store.settings, store.folders.runs
            )
