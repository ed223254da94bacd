"""Checks of the limits on runs, jobs, uploads and disk space, for shared servers."""

from __future__ import annotations

import shutil
from pathlib import Path

import sqlalchemy as sa

from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.errors import LimitError
from cnnlib.records.job import LIVE_JOB_STATES
from cnnlib.records.run import RunRequest
from cnnlib.records.settings import MB, PersonLimits, Settings
from cnnlib.runs.queue import IS_RECORDED
from cnnlib.runs.tables import jobs, runs, weights
from cnnlib.units import format_size, plural


def check_request(request: RunRequest, limits: PersonLimits) -> None:
    """Check the size of a run against the limits of one person.

    Raises:
        LimitError: It is too large; the sentence names the limit and the excess.
    """
    _check_number(request.recipe.epochs, limits.epochs, "epochs", "Train for fewer epochs.")
    check_size(request, limits)


def check_size(request: RunRequest, limits: PersonLimits) -> None:
    """Check the size of a network and its training step, as `check_request` does.

    Raises:
        LimitError: It is too large.
    """
    recipe = request.recipe
    costs = cost(plan(request.spec), batch_size=recipe.batch_size, optimizer=recipe.optimizer)
    smaller = "Use fewer channels, or pool earlier."
    _check_number(costs.params, limits.parameters, "parameters", smaller)
    _check_number(costs.macs, limits.macs, "MACs per picture", smaller)
    if costs.training_bytes > limits.memory_mb * MB:
        found, most = format_sizes(costs.training_bytes, limits.memory_mb)
        raise LimitError(
            f"A training step of this run needs {found} of memory, but the limit on this server is "
            f"{most} per person. Choose a smaller batch, or a smaller network."
        )


def _check_number(requested: int, most: int, what: str, remedy: str) -> None:
    if requested > most:
        raise LimitError(
            f"This run has {requested:,} {what}, but the limit on this server is {most:,} per "
            f"person. {remedy}"
        )


def format_sizes(found_bytes: int, most_mb: int) -> tuple[str, str]:
    """A size and its limit as text; in bytes where the short forms are equal."""
    most_bytes = most_mb * MB
    found, most = format_size(found_bytes), format_size(most_bytes)
    return (found, most) if found != most else (f"{found_bytes:,} bytes", f"{most_bytes:,} bytes")


def check_queue(connection: sa.Connection, owner: str, more: int, settings: Settings) -> None:
    """Check that the queue has room for ``more`` runs of an owner.

    Raises:
        LimitError: It has none, for this person or for all.
    """
    is_waiting = sa.and_(runs.c.state == "queued", IS_RECORDED)
    waiting = sa.select(sa.func.count()).select_from(runs).where(is_waiting)
    own = connection.scalar(waiting.where(runs.c.owner == owner)) or 0
    if own + more > settings.person.runs_waiting:
        raise LimitError(
            f"You would have {plural(own + more, 'run')} in the queue, but the limit on this "
            f"server is {settings.person.runs_waiting:,} per person. Start fewer runs, stop some, "
            "or try again when some have finished."
        )
    total = connection.scalar(waiting) or 0
    if total + more > settings.machine.runs_waiting:
        raise LimitError(
            f"The queue of this server has {plural(total, 'run')}; the limit is "
            f"{settings.machine.runs_waiting:,}. Try again when some of them have finished."
        )


def check_jobs(connection: sa.Connection, owner: str, limits: PersonLimits) -> None:
    """Check that a person may queue one more job.

    Raises:
        LimitError: The person has too many live jobs.
    """
    live = sa.and_(jobs.c.owner == owner, jobs.c.state.in_(LIVE_JOB_STATES))
    count = connection.scalar(sa.select(sa.func.count()).select_from(jobs).where(live)) or 0
    if count >= limits.jobs_waiting:
        raise LimitError(
            f"You have {plural(count, 'job')} waiting or running, but the limit on this server is "
            f"{limits.jobs_waiting:,} per person. Wait until one ends, or stop one."
        )


def check_disk(
    connection: sa.Connection, owner: str, more_bytes: int, settings: Settings, folder: Path
) -> None:
    """Check that the disk space for runs suffices for more files.

    Args:
        more_bytes: Size of the files to be added, as far as known.
        folder: A folder on the disk to check.

    Raises:
        LimitError: The limit of this person or of the machine is exceeded, or the disk is full.
    """
    own = _weights_bytes(connection, owner) + more_bytes
    if own > settings.person.disk_mb * MB:
        found, most = format_sizes(own, settings.person.disk_mb)
        raise LimitError(
            f"Your runs would need {found} on disk, but the limit on this server is {most} per "
            "person. On the Results page, delete some runs permanently."
        )
    total = _weights_bytes(connection, None) + more_bytes
    free = shutil.disk_usage(folder).free - more_bytes
    if total > settings.machine.disk_mb * MB or free < settings.machine.free_disk_mb * MB:
        raise LimitError(
            f"All runs on this server would need {format_size(total)} of the allowed "
            f"{format_size(settings.machine.disk_mb * MB)}, and its disk would have "
            f"{format_size(max(0, free))} free. Delete runs that you no longer need, and inform "
            "the operator of the server."
        )


def _weights_bytes(connection: sa.Connection, owner: str | None) -> int:
    """Size of the weights of one owner's runs, or of all runs, in bytes."""
    total = sa.select(sa.func.sum(weights.c.size_bytes))
    if owner is not None:
        total = total.join(runs, runs.c.id == weights.c.run_id).where(runs.c.owner == owner)
    return int(connection.scalar(total) or 0)
