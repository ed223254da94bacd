"""The app that most browser tests share, and how it is emptied after each of them."""

import os
import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from example_runs import wait_for
from sample_data import prepared_now
from serving import serving

from cnnlib.records.events import Command
from cnnlib.records.folders import Folders
from cnnlib.records.job import LIVE_JOB_STATES
from cnnlib.records.run import LIVE_STATES
from cnnlib.runs import RunStore, studies, tables

STOPPING_SECONDS = 60.0  # a run that is stopped is measured first

# Set for the test process; an app uses as many threads as it likes.
THREAD_LIMITS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class SharedApp(NamedTuple):
    """A running app and its store."""

    url: str
    store: RunStore


def app_environment(**changes: str) -> dict[str, str]:
    """The variables of an app that a test starts."""
    own = {name: value for name, value in os.environ.items() if name not in THREAD_LIMITS}
    return own | changes


@contextmanager
def shared_app(folder: Path) -> Generator[SharedApp]:
    """Start an app with its folders in `folder`; the digits are prepared, and there is no run."""
    folders = Folders(data=folder / "data", runs=folder / "runs")
    prepared_now("digits", folders)
    store = RunStore(folders)
    environment = app_environment(
        CNNLAB_DATA=str(folders.data), CNNLAB_RUNS=str(folders.runs), CNNLAB_DATABASE=""
    )
    with serving(folder / "server.log", environment) as served:
        yield SharedApp(served.url, store)
    store.close()


def empty(store: RunStore) -> None:
    """End all work, and remove all that was recorded, saved or added.

    The digits stay prepared, and execution modes that were measured stay known.
    """
    _stop_all(store)
    wait_for(lambda: not _is_at_work(store), STOPPING_SECONDS)
    with store.database.write() as connection:
        for table in tables.metadata.sorted_tables:
            if table not in (tables.meta, tables.workers):
                connection.execute(sa.delete(table))
    data, runs = store.folders.data, store.folders.runs
    _remove(each for each in runs.iterdir() if each.name not in ("logs", "modes") and each.is_dir())
    _remove(each for each in data.iterdir() if each.name != "prepared")
    _remove(each for each in (data / "prepared").iterdir() if each.name != "digits")


def _stop_all(store: RunStore) -> None:
    own = sa.select(tables.workers.c.id).where(tables.workers.c.pid == os.getpid())
    at_work = sa.select(tables.sketches.c.run_id).where(~tables.sketches.c.has_to_end)
    with store.database.read() as connection:
        simulated_workers = connection.scalars(own).all()
        sketch_ids = connection.scalars(at_work).all()
    for worker_id in simulated_workers:
        store.workers.unregister(worker_id)
    for study_id in studies.live_ids(store):
        studies.stop(store, study_id)
    for job in store.jobs.all(LIVE_JOB_STATES):
        store.jobs.stop(job.id)
    for run_id in sketch_ids:
        store.sketches.end(run_id)
    for run in store.runs(states=LIVE_STATES):
        store.submit_command(run.id, Command("stop"))


def _is_at_work(store: RunStore) -> bool:
    """Whether a run, a sketch or a job has not ended."""
    live = sa.select(tables.runs.c.id).where(tables.runs.c.state.in_(LIVE_STATES))
    with store.database.read() as connection:
        has_live_run = connection.execute(live.limit(1)).first() is not None
    return has_live_run or bool(store.jobs.all(LIVE_JOB_STATES))


def _remove(entries: Iterable[Path]) -> None:
    for entry in list(entries):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
