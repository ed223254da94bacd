"""Tables of the comparison in the run store's database: what people noted, what they plan."""

from __future__ import annotations

import sqlalchemy as sa

from cnnlib.runs.database import Database
from cnnlib.runs.tables import Json

metadata = sa.MetaData()

annotations = sa.Table(
    "annotations",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True),  # key of a row, or id of a run
    sa.Column("body", Json, nullable=False),
)

plans = sa.Table(
    "plans",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),  # counts up in the order of asking
    sa.Column("id", sa.Text, nullable=False, unique=True),  # also the group of its runs
    sa.Column("kind", sa.Text, nullable=False),  # "duel", "grid" or "search"
    sa.Column("state", sa.Text, nullable=False, index=True),  # "live", "done" or "stopped"
    sa.Column("body", Json, nullable=False),  # what was asked for
    sa.Column("progress", Json, nullable=False, default=dict),  # runs so far, by place
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("owner", sa.Text, nullable=False, server_default=""),  # of its runs
)


def ensure_tables(database: Database) -> None:
    """Make the tables where there are none; cheap where they are there."""
    with database.read() as connection:
        if sa.inspect(connection).has_table("plans"):
            return
    with database.write() as connection:
        database.lock(connection)
        metadata.create_all(connection)
