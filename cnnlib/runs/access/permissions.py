"""Permissions: a person may read everything, and change only what they own.

An owner is an anonymous name: a hash of a browser's cookie, or of the name from the identity
provider. ``None`` is the operator, who may do everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from cnnlib.errors import RightsError
from cnnlib.records.dataset import drawings_title
from cnnlib.runs.tables import dataset_owners


def may_change(person: str | None, owner: str) -> bool:
    """Whether the person is the owner, or the operator."""
    return person is None or person == owner


def check(person: str | None, owner: str, what: str) -> None:
    """Check that a person may change something.

    Args:
        what: The thing to change: ``"The run 0abc"``.

    Raises:
        RightsError: It belongs to another person.
    """
    if not may_change(person, owner):
        raise RightsError(
            f"{what} belongs to another person. Only this person and the operator of the server "
            "can change it. You can view it, or create your own."
        )


def dataset_owner(connection: sa.Connection, name: str) -> str:
    """The owner of a dataset; "" is the operator, who owns all that were not uploaded here."""
    wanted = sa.select(dataset_owners.c.owner).where(dataset_owners.c.name == name)
    return connection.scalar(wanted) or ""


def check_dataset(connection: sa.Connection, person: str | None, name: str) -> None:
    """Check that a person may change a dataset.

    Raises:
        RightsError: It belongs to another person.
    """
    check(person, dataset_owner(connection, name), f"The dataset {name}")


def check_training_data(connection: sa.Connection, person: str | None, name: str) -> None:
    """Check that a person may train on a dataset: on any, except the drawings of others.

    Raises:
        RightsError: It holds the drawings of another person.
    """
    if drawings_title(name):
        check_dataset(connection, person, name)


def check_job(
    connection: sa.Connection, person: str | None, kind: str, args: Mapping[str, Any]
) -> None:
    """Check that a job changes nothing that belongs to another person.

    Preparing a dataset with other options changes it for everybody.

    Raises:
        RightsError: It changes a dataset of another person.
    """
    if kind == "prepare" and set(args) - {"name"}:
        check_dataset(connection, person, str(args.get("name")))
