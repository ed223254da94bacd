"""The tables of the run store, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

from cnnlib.records.events import STEP_COLUMNS

SCHEMA_VERSION = 8  # to be raised with every change of a table, with an upgrade in `migrations`


class Json(TypeDecorator[Any]):
    """A JSON value as text; unlike a JSON column it can hold NaN and infinity."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


metadata = MetaData()

meta: Table = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

runs: Table = Table(
    "runs",
    metadata,
    Column("number", Integer, primary_key=True),  # counts up in the order of submission
    Column("id", Text, nullable=False, unique=True),
    Column("request", Json, nullable=False),
    Column("group_name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("phase", Text, nullable=False, default=""),
    Column("rank", Integer, nullable=False),  # place in the queue: the lowest is next
    Column("attempt", Integer, nullable=False, default=1),  # 2 after the first resume...
    Column("worker_id", Text),
    Column("recorded", Integer, nullable=False, server_default="0"),  # events since its claim
    Column("threads", Integer, nullable=False, server_default="0"),  # that it may use, or uses
    Column("step", Integer, nullable=False, default=0),
    Column("total_steps", Integer, nullable=False, default=0),
    Column("epoch", Integer, nullable=False, default=0),
    Column("epochs_total", Integer, nullable=False),
    Column("train_seconds", Double, nullable=False, default=0.0),
    Column("eval_seconds", Double, nullable=False, default=0.0),
    Column("images_per_second", Double),
    Column("created", Double, nullable=False),
    Column("started", Double),
    Column("ended", Double),
    Column("plan_cost", Json, nullable=False),
    Column("fingerprint", Text, nullable=False, default=""),
    Column("chosen", Json, nullable=False, default=dict),
    Column("machine", Json),
    Column("intervened", Boolean, nullable=False, default=False),
    Column("summary", Json, nullable=False, default=dict),
    Column("result", Json),
    Column("owner", Text, nullable=False, server_default=""),  # "" is the operator
    Index("runs_by_state", "state", "rank"),
    Index("runs_by_group", "group_name", "state"),
)

turns: Table = Table(
    "turns",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("served", BigInteger, nullable=False),  # number of the last turn, over all owners
)

dataset_owners: Table = Table(
    "belongings",
    metadata,
    Column("name", Text, primary_key=True),  # of a dataset
    Column("owner", Text, nullable=False, index=True),
)

steps: Table = Table(
    "steps",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("step", Integer, primary_key=True),
    *(Column(name, Double) for name in STEP_COLUMNS[1:]),  # null where it is no finite number
    sqlite_with_rowid=False,  # stores the rows of a run together, sorted by step
)

samples: Table = Table(
    "samples",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("correct", Integer, nullable=False),
    Column("count", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
    sqlite_with_rowid=False,
)

epochs: Table = Table(
    "epochs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("step", Integer, nullable=False),
    Column("body", Json, nullable=False),  # an EpochEnd without its confusion counts
    Column("val_confusion", Json),
    sqlite_with_rowid=False,
)

interventions: Table = Table(
    "interventions",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("run_id", Text, nullable=False, index=True),
    Column("step", Integer, nullable=False),
    Column("order_kind", Text, nullable=False),
    Column("setting", Text),
    Column("value", Double),
)

weights: Table = Table(
    "weights",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("file", Text, primary_key=True),
    Column("step", Integer, nullable=False),
    Column("what", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
)

commands: Table = Table(
    "orders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("setting", Text),
    Column("value", Double),
    sqlite_autoincrement=True,  # ids are unique although taken commands are deleted
)

workers: Table = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("does", Text, nullable=False),  # "runs", "jobs"; or "pages", while any is open
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("birth", Text, nullable=False),  # differs from that of a later process with this pid
    Column("heartbeat", Double, nullable=False),
)

jobs: Table = Table(
    "jobs",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("args", Json, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("progress", Double, nullable=False, default=0.0),
    Column("text", Text, nullable=False, default=""),
    Column("eta_seconds", Double),
    Column("reason", Text, nullable=False, default=""),
    Column("result", Json, nullable=False, default=dict),
    Column("stop_wanted", Boolean, nullable=False, default=False),
    Column("worker_id", Text),
    Column("created", Double, nullable=False),
    Column("started", Double),
    Column("ended", Double),
    Column("owner", Text, nullable=False, server_default=""),
)

RUN_PARTS = (steps, samples, epochs, interventions, weights, commands)  # deleted with the run


sketches: Table = Table(  # the runs of the Lab page that were not kept
    "sketches",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("browser", Text, nullable=False, index=True),  # "" after it was replaced
    Column("touched", Double, nullable=False),  # seconds since 1970 of the last action on it
    Column("touched_epoch", Integer, nullable=False, default=0),
    Column("seen", Double, nullable=False),  # when its page last asked for something
    Column("note", Text, nullable=False, default=""),  # why it was paused, as a sentence
    Column("request", Json),  # the changed request, until its worker takes it
    Column("has_to_end", Boolean, nullable=False, default=False),
)

row_annotations: Table = Table(
    "annotations",
    metadata,
    Column("subject", Text, primary_key=True),  # key of a row, or id of a run
    Column("body", Json, nullable=False),
)

saved_designs: Table = Table(
    "saved_designs",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("spec", Json, nullable=False),
)

studies: Table = Table(
    "plans",
    metadata,
    Column("number", Integer, primary_key=True),  # counts up in the order of submission
    Column("id", Text, nullable=False, unique=True),  # also the group of its runs
    Column("kind", Text, nullable=False),  # "duel", "grid" or "search"
    Column("state", Text, nullable=False, index=True),  # as in `studies`
    Column("body", Json, nullable=False),  # the request
    Column("progress", Json, nullable=False, default=dict),  # runs so far, by place
    Column("created", Double, nullable=False),
    Column("owner", Text, nullable=False, server_default=""),  # of its runs
)
