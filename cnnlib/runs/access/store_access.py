"""Access to a run store: its database and folders, and the rights of one person."""

from __future__ import annotations

import copy
from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING, Self

from cnnlib.errors import StoreError
from cnnlib.records.folders import Folders
from cnnlib.records.run import Run, RunRequest
from cnnlib.records.settings import Settings
from cnnlib.records.stored.opening import open_files
from cnnlib.runs.access import limits, permissions
from cnnlib.runs.database import CONNECTIONS, Database
from cnnlib.runs.files.store_id import check_files

if TYPE_CHECKING:
    import sqlalchemy as sa

    from cnnlib.records.job import Job


class StoreAccess:
    """The database and the files of a run store, as one person may use them.

    Args:
        folders: Location of the store; None reads the environment variables.
        connections: Most connections to PostgreSQL at once; see `Database`.
    """

    def __init__(self, folders: Folders | None = None, connections: int = CONNECTIONS) -> None:
        self.folders = folders or Folders.from_environment()
        self.files = open_files(self.folders)
        self.database = Database(self.folders, connections)
        try:
            if self.files.is_remote:
                self.check_files()
        except StoreError:
            self.close()
            raise
        self.person: str | None = None

    def check_files(self) -> None:
        """Check that the files in reach are those of this store, before missing ones are believed.

        Raises:
            StoreError: They are not: a disk is not mounted, or a bucket is another one.
        """
        if self.files.is_remote:
            check_files(self.database, self.files)
        elif self.folders.database:
            self.database.check_folder(self.folders.runs)

    def close(self) -> None:
        """Close the database's connections."""
        self.database.close()

    def on_behalf_of(self, person: str) -> Self:
        """The same store with the rights of one person.

        What the person starts is limited and belongs to them; everything else is read-only.
        """
        person_store = copy.copy(self)
        person_store.person = person
        return person_store

    @cached_property
    def settings(self) -> Settings:
        """Settings for sharing this machine, read at the first access.

        Raises:
            SettingsError: The settings file cannot be read or is not valid.
        """
        return Settings.read(self.folders)

    @property
    def owner(self) -> str:
        """The owner of what is started through this store; "" is the operator."""
        return self.person or ""

    def may_change(self, owner: str) -> bool:
        """Whether the person of this store may change what belongs to ``owner``."""
        return permissions.may_change(self.person, owner)

    def check_may_change(self, thing: Run | Job) -> None:
        """Check that the person of this store may change a run or a job.

        Raises:
            RightsError: It belongs to another person.
        """
        what = "run" if isinstance(thing, Run) else "job"
        permissions.check(self.person, thing.owner, f"The {what} {thing.id}")

    def check_limits(
        self, connection: sa.Connection, owner: str, requests: Collection[RunRequest]
    ) -> None:
        """Check the number and the size of requested runs; the operator has no limits."""
        if owner:
            for request in requests:
                limits.check_request(request, self.settings.person)
                permissions.check_training_data(connection, self.person, request.dataset)
            limits.check_queue(connection, owner, len(requests), self.settings)
            limits.check_disk(connection, owner, 0, self.settings, self.folders.runs)
