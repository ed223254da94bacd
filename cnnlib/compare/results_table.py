"""The desk: the results table as people arranged it, with names, notes, tags and a waste basket."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from cnnlib.compare.load_rows import load_rows
from cnnlib.compare.row_filter import row_matches
from cnnlib.errors import StoreError
from cnnlib.records.run import NAME_LIMIT, Run
from cnnlib.runs.tables import annotations, runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cnnlib.compare.rows import Row
    from cnnlib.runs.store import RunStore

NOTE_LIMIT = 2000
MOST_TAGS = 20
_OF = "/"  # between an owner and the key of a row that they noted something on
TRASH_DAYS = 7  # a deleted run's files stay so long, unless the basket is emptied


@dataclass(frozen=True)
class Annotation:
    """What people noted on a row.

    Args:
        name: Shown instead of the design's own; "" is none.
        hidden: Left out of the table until somebody asks for hidden rows.
    """

    name: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    hidden: bool = False


class ResultsTable:
    """The rows of a store with what people noted on them.

    In class mode names, notes, tags and what is hidden are each person's own; the runs and the
    waste basket are everybody's, and everybody may throw away their own runs.

    Raises:
        StoreError: (all methods) The store cannot be read or written.
    """

    def __init__(self, store: RunStore) -> None:
        self.store = store

    def rows(
        self, *, hidden: bool = False, search: str = "", group: str | None = None
    ) -> list[Row]:
        """Rows in the order of validation; runs in the waste basket are left out.

        Args:
            hidden: Hidden rows too.
            search: Words and comparisons that a row must all meet: see `finding.holds`.
            group: Only runs of this group.
        """
        return self.arranged(self.all_rows(group), hidden=hidden, search=search)

    def all_rows(self, group: str | None = None) -> list[Row]:
        """Every row that is not in the waste basket, before names, hiding and searching."""
        gone = self.trash()
        return load_rows(
            self.store, [run for run in self.store.runs(group=group) if run.id not in gone]
        )

    def arranged(self, rows: Iterable[Row], *, hidden: bool, search: str) -> list[Row]:
        """Rows under the names that people gave them, without those that they do not want."""
        notes = self.annotations()
        noted = ((row, notes.get(row.key, Annotation())) for row in rows)
        return [
            replace(row, given_name=note.name)
            for row, note in noted
            if (hidden or not note.hidden) and row_matches(row, note, search)
        ]

    def version(self) -> tuple[object, ...]:
        """Changes whenever ``all_rows`` may; costs one question."""
        text = sa.type_coerce(runs.c.request, sa.Text)
        wanted = sa.select(
            *(sa.func.count(), sa.func.max(runs.c.number), sa.func.sum(runs.c.step)),
            *(sa.func.sum(runs.c.epoch), sa.func.sum(runs.c.attempt), sa.func.max(runs.c.ended)),
            *(sa.func.sum(sa.func.length(runs.c.state)), sa.func.sum(sa.func.length(text))),
        ).select_from(runs)
        with self.store.database.read() as connection:
            numbers = connection.execute(wanted).one()
        return (self.store.folders, *numbers, *sorted(self.trash()))

    def annotations(self) -> dict[str, Annotation]:
        """What was noted, by the key of the row."""
        with self.store.database.read() as connection:
            found = connection.execute(sa.select(annotations))
            return {
                key: Annotation(**row.body | {"tags": tuple(row.body["tags"])})
                for row in found
                if "deleted" not in row.body and (key := self._own_key(row.subject))
            }

    def annotate(self, key: str, annotation: Annotation) -> None:
        """Note something on a row, instead of what was noted before.

        Raises:
            StoreError: A text is too long, or there are too many tags.
        """
        _check(annotation)
        self._keep(self._subject(key), asdict(annotation) | {"tags": list(annotation.tags)})

    def _subject(self, key: str) -> str:
        return f"{self.store.owner}{_OF}{key}" if self.store.owner else key

    def _own_key(self, subject: str) -> str:
        """The row that a note of this person is on; "" for somebody else's note."""
        owner, _, key = subject.rpartition(_OF)
        return key if owner == self.store.owner else ""

    def trash(self) -> dict[str, float]:
        """Runs that were deleted and can be brought back: when each was, by id."""
        with self.store.database.read() as connection:
            found = connection.execute(sa.select(annotations))
            return {row.subject: row.body["deleted"] for row in found if "deleted" in row.body}

    def move_to_trash(self, thrown: Iterable[Run]) -> list[str]:
        """Put runs into the waste basket; what lies there for a week is removed for good.

        Returns:
            The ids, for `bring_back`.

        Raises:
            StoreError: One of them still waits or runs; none is thrown away then.
            RightsError: One of them is somebody else's; none is thrown away then.
        """
        thrown = list(thrown)
        for run in thrown:
            self.store.check_may_change(run)
            if run.is_live:
                raise StoreError(
                    f"The run {run.id} is {run.state} and cannot be deleted. Stop it first."
                )
        for run in thrown:
            self._keep(run.id, self._noted(run.id) | {"deleted": time.time()})
        self.empty_trash(older_than_seconds=TRASH_DAYS * 86_400)
        return [run.id for run in thrown]

    def restore(self, run_ids: Iterable[str]) -> None:
        """Take runs out of the waste basket; those that are not in it, or not one's own, stay."""
        gone = self.own_trash()
        for run_id in run_ids:
            if run_id in gone:
                note = self._noted(run_id)
                note.pop("deleted", None)  # another tab may have been faster
                self._keep(run_id, note)

    def own_trash(self) -> dict[str, float]:
        """The part of the waste basket that who asks may bring back, or remove for good."""
        others = {run.id for run in self.store.runs() if not self.store.may_change(run.owner)}
        return {run_id: when for run_id, when in self.trash().items() if run_id not in others}

    def empty_trash(self, older_than_seconds: float = 0.0) -> list[str]:
        """Remove what lies in the waste basket, with its files; returns the ids."""
        limit = time.time() - older_than_seconds
        old = [run_id for run_id, when in self.own_trash().items() if when <= limit]
        known = {run.id for run in self.store.runs()}
        for run_id in old:
            if run_id in known:
                self.store.delete(run_id)
        self._forget(old)
        return old

    def _noted(self, subject: str) -> dict[str, object]:
        """What is noted on a row or a run: a run that stands alone is a row too."""
        its = sa.select(annotations.c.body).where(annotations.c.subject == subject)
        with self.store.database.read() as connection:
            return dict(connection.scalar(its) or {})

    def _keep(self, subject: str, body: Mapping[str, object]) -> None:
        with self.store.database.write() as connection:
            its = annotations.c.subject == subject
            connection.execute(sa.delete(annotations).where(its))
            if body:
                new = sa.insert(annotations).values(subject=subject, body=dict(body))
                connection.execute(new)

    def _forget(self, subjects: list[str]) -> None:
        with self.store.database.write() as connection:
            connection.execute(sa.delete(annotations).where(annotations.c.subject.in_(subjects)))


def _check(annotation: Annotation) -> None:
    """Lengths that the table can show.

    Raises:
        StoreError: One is exceeded.
    """
    long = {
        "name": (len(annotation.name), NAME_LIMIT, "characters"),
        "note": (len(annotation.note), NOTE_LIMIT, "characters"),
        "list of tags": (len(annotation.tags), MOST_TAGS, "tags"),
        "longest tag": (max(map(len, annotation.tags), default=0), 40, "characters"),
    }
    for what, (length, limit, unit) in long.items():
        if length > limit:
            raise StoreError(
                f"The {what} has {length:,} {unit}; at most {limit:,} are kept. Shorten it."
            )
