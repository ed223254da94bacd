"""Checks of the limits on runs, jobs, uploads and disk space, for shared servers."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import sqlalchemy as sa

from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.errors import LimitError
from cnnlib.records.job import LIVE_JOB_STATES
from cnnlib.records.settings import MB, PersonLimits, Settings
from cnnlib.runs.tables import dataset_owners, jobs, runs, weights
from cnnlib.units import format_size

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.records.run import RunRequest


def check_request(request: RunRequest, limits: PersonLimits) -> None:
    """Check the size of a run against the limits of one person.

    Raises:
        LimitError: It is too large; the sentence names the limit and the excess.
    """
    recipe = request.recipe
    _check_number(recipe.epochs, limits.epochs, "epochs", "Train for fewer.")
    costs = cost(plan(request.spec), batch_size=recipe.batch_size, optimizer=recipe.optimizer)
    smaller = "Make it narrower, or pool earlier."
    _check_number(
        costs.params, limits.parameters, "parameters", f"Its network is too large. {smaller}"
    )
    _check_number(costs.macs, limits.macs, "MACs per image", f"Its network is too slow. {smaller}")
    if costs.training_bytes > limits.memory_mb * MB:
        found, most = _format_sizes(costs.training_bytes, limits.memory_mb)
        raise LimitError(
            f"A training step of this run would take {found} of memory, and one person's may take "
            f"{most} on this server. Choose a smaller batch, or a smaller network."
        )


def _check_number(requested: int, most: int, what: str, remedy: str) -> None:
    if requested > most:
        raise LimitError(
            f"This run would have {requested:,} {what}, and one person's may have {most:,} on this "
            f"server. {remedy}"
        )


def _format_sizes(found_bytes: int, most_mb: int) -> tuple[str, str]:
    """A size and its limit as text; in bytes where the short forms are equal."""
    most_bytes = most_mb * MB
    found, most = format_size(found_bytes), format_size(most_bytes)
    return (found, most) if found != most else (f"{found_bytes:,} bytes", f"{most_bytes:,} bytes")


def check_queue(connection: sa.Connection, owner: str, more: int, settings: Settings) -> None:
    """Check that the queue has room for ``more`` runs of an owner.

    Raises:
        LimitError: It has none, for this person or for all.
    """
    waiting = sa.select(sa.func.count()).select_from(runs).where(runs.c.state == "queued")
    own = connection.scalar(waiting.where(runs.c.owner == owner)) or 0
    if own + more > settings.person.runs_waiting:
        raise LimitError(
            f"You would have {own + more:,} runs waiting, and one person may have "
            f"{settings.person.runs_waiting:,} on this server. Ask for fewer, stop some that wait, "
            "or come back when they have run."
        )
    total = connection.scalar(waiting) or 0
    if total + more > settings.machine.runs_waiting:
        raise LimitError(
            f"{total:,} runs wait on this server, and it takes "
            f"{settings.machine.runs_waiting:,}. Come back when some of them have run."
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
            f"{count:,} jobs of yours wait or are at work, and one person may have "
            f"{limits.jobs_waiting:,} on this server. Wait for one to end, or stop one."
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
        found, most = _format_sizes(own, settings.person.disk_mb)
        raise LimitError(
            f"Your runs would take {found} on disk, and one person's may take {most} on this "
            "server. Delete some in Results, and remove them for good there."
        )
    total = _weights_bytes(connection, None) + more_bytes
    free = shutil.disk_usage(folder).free - more_bytes
    if total > settings.machine.disk_mb * MB or free < settings.machine.free_disk_mb * MB:
        raise LimitError(
            f"The runs of this server would take {format_size(total)} of the "
            f"{format_size(settings.machine.disk_mb * MB)} that are set apart for them, with "
            f"{format_size(max(0, free))} free on its disk. Delete runs that you no longer need, "
            "and tell who runs this server."
        )


def _weights_bytes(connection: sa.Connection, owner: str | None) -> int:
    """Size of the weights of one owner's runs, or of all runs, in bytes."""
    total = sa.select(sa.func.sum(weights.c.size_bytes))
    if owner is not None:
        total = total.join(runs, runs.c.id == weights.c.run_id).where(runs.c.owner == owner)
    return int(connection.scalar(total) or 0)


def check_upload(
    connection: sa.Connection, owner: str, size_bytes: int, limits: PersonLimits
) -> None:
    """Check the size of an upload and the number of the person's datasets.

    Raises:
        LimitError: One of them is too large.
    """
    if size_bytes > limits.upload_mb * MB:
        found, most = _format_sizes(size_bytes, limits.upload_mb)
        raise LimitError(
            f"The file has {found}, and an upload may have {most} on this server. Use fewer or "
            "smaller pictures."
        )
    own = (
        sa.select(sa.func.count())
        .select_from(dataset_owners)
        .where(dataset_owners.c.owner == owner)
    )
    if (connection.scalar(own) or 0) >= limits.uploads:
        raise LimitError(
            f"You have {limits.uploads:,} datasets here, as many as one person may have on this "
            "server. Remove one first."
        )
