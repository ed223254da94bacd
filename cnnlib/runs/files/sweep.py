"""The sweep: removal of files that attempts of runs left behind and no row names."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import sqlalchemy as sa

from cnnlib.records.folders import RUNS
from cnnlib.runs.tables import meta, runs, weights

if TYPE_CHECKING:
    from cnnlib.runs.access.store_access import StoreAccess

LEFT_SECONDS = 86_400.0  # a file is left over after this time: no upload waits so long for its row
CACHE_SECONDS = 7 * 86_400.0  # a local copy from an object store stays for this time
SWEEP_SECONDS = 3_600.0  # shortest time between two sweeps, over all machines
_META_KEY = "swept"
_OF_ATTEMPTS = re.compile(r"(snapshot-|checkpoint-|latest|predictions)[^/]*")


def sweep_if_due(store: StoreAccess) -> list[str]:
    """Remove what is left over, unless this was done within the last hour; return the keys.

    Old copies on this machine are deleted, too.

    Raises:
        StoreError: The database or the files cannot be reached.
    """
    now = time.time()
    store.files.trim_cache(f"{RUNS}/", now - CACHE_SECONDS)
    with store.database.write() as connection:
        store.database.lock(connection)
        last = connection.scalar(sa.select(meta.c.value).where(meta.c.key == _META_KEY))
        if last is not None and 0 <= now - float(last) < SWEEP_SECONDS:
            return []
        connection.execute(sa.delete(meta).where(meta.c.key == _META_KEY))
        connection.execute(sa.insert(meta).values(key=_META_KEY, value=str(now)))
    return sweep(store, now)


def sweep(store: StoreAccess, now: float) -> list[str]:
    """Remove files of known runs that no row names and that are a day old; return their keys.

    Files of unknown runs stay: another database may know them.
    """
    store.check_files()
    old = [each.key for each in store.files.names(f"{RUNS}/") if now - each.modified > LEFT_SECONDS]
    named = _named_files(store)
    left = [key for key in old if _is_left(key, named)]
    store.files.remove(left)
    return left


def _is_left(key: str, named: dict[str, set[str]]) -> bool:
    _, run_id, name = key.split("/", 2)
    is_known = run_id in named
    return is_known and bool(_OF_ATTEMPTS.fullmatch(name)) and name not in named[run_id]


def _named_files(store: StoreAccess) -> dict[str, set[str]]:
    """The files that the rows of each run name; they are read after the files were listed."""
    with store.database.read() as connection:
        of_runs = connection.execute(sa.select(runs.c.id, runs.c.result)).all()
        of_weights = connection.execute(sa.select(weights.c.run_id, weights.c.file)).all()
    named = {row.id: {(row.result or {}).get("predictions_file", "")} for row in of_runs}
    for row in of_weights:
        named.setdefault(row.run_id, set()).add(row.file)
    return named
