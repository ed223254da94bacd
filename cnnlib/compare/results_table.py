"""The results table: rows with their names, notes and tags, their search, and a trash."""

from __future__ import annotations

import operator
import re
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from cnnlib.compare.annotations import Annotation, annotation_of, check_annotation
from cnnlib.compare.columns import COLUMNS
from cnnlib.compare.rows import Row, load_rows
from cnnlib.errors import StoreError
from cnnlib.runs.annotations import (
    delete_annotations,
    read_annotation,
    read_annotations,
    write_annotation,
)
from cnnlib.runs.summaries import runs_version

if TYPE_CHECKING:
    from cnnlib.records.run import Run
    from cnnlib.runs.store import RunStore

_OWNER_SEPARATOR = "/"  # between an owner and the key of the row that the owner annotated
TRASH_DAYS = 7  # until the files of a deleted run are removed, unless the trash is emptied


class ResultsTable:
    """The rows of a store with their annotations.

    In class mode every person has their own names, notes, tags and hidden rows; the runs and the
    trash are shared, and a person may delete their own runs.

    Raises:
        StoreError: (all methods) The store cannot be read or written.
    """

    def __init__(self, store: RunStore) -> None:
        self.store = store

    def rows(
        self, *, hidden: bool = False, search: str = "", group: str | None = None
    ) -> list[Row]:
        """Return rows ordered by validation accuracy, without runs in the trash.

        Args:
            hidden: Include hidden rows.
            search: Words and comparisons that must all match a row: see `row_matches`.
            group: Only runs of this group.
        """
        return self.arrange(self.all_rows(group), hidden=hidden, search=search)

    def all_rows(self, group: str | None = None) -> list[Row]:
        """Return every row that is not in the trash, without annotations and filters."""
        deleted = self.trash()
        return load_rows(
            self.store, [run for run in self.store.runs(group=group) if run.id not in deleted]
        )

    def arrange(self, rows: Iterable[Row], *, hidden: bool, search: str) -> list[Row]:
        """Set names and texts of rows; leave out hidden rows and those that a search excludes."""
        annotations = self.annotations()
        annotated = ((row, annotation_of(row, annotations)) for row in rows)
        return [
            replace(row, given_name=note.name, search_text=_search_text(row, note))
            for row, note in annotated
            if (hidden or not note.hidden) and row_matches(row, note, search)
        ]

    def found(self, rows: Iterable[Row], search: str) -> list[Row]:
        """Return the rows that match a search."""
        if not search.strip():
            return list(rows)
        annotations = self.annotations()
        return [row for row in rows if row_matches(row, annotation_of(row, annotations), search)]

    def version(self) -> tuple[object, ...]:
        """Return a value that changes whenever ``all_rows`` may change; costs one query."""
        return (self.store.folders, *runs_version(self.store.database), *sorted(self.trash()))

    def annotations(self) -> dict[str, Annotation]:
        """Return the annotations of this person, by the key of the row."""
        return {
            key: Annotation(**body | {"tags": tuple(body["tags"])})
            for subject, body in read_annotations(self.store).items()
            if "deleted" not in body and (key := self._own_key(subject))
        }

    def annotate(self, key: str, annotation: Annotation) -> None:
        """Replace the annotation of a row.

        Raises:
            StoreError: A text is too long, or there are too many tags.
        """
        check_annotation(annotation)
        body = asdict(annotation) | {"tags": list(annotation.tags)}
        write_annotation(self.store, self._subject(key), body)

    def rename_runs(self, row: Row, name: str) -> None:
        """Give the name of a row to its runs, except to those of another person.

        An empty name restores the name of their design.
        """
        for run in row.runs:
            if self.store.may_change(run.owner):
                self.store.rename(run.id, name)

    def _subject(self, key: str) -> str:
        return f"{self.store.owner}{_OWNER_SEPARATOR}{key}" if self.store.owner else key

    def _own_key(self, subject: str) -> str:
        """Return the row key of this person's annotation; "" for another person's."""
        owner, _, key = subject.rpartition(_OWNER_SEPARATOR)
        return key if owner == self.store.owner else ""

    def trash(self) -> dict[str, float]:
        """Return deleted runs that can be restored: the time of each deletion, by id."""
        bodies = read_annotations(self.store)
        return {run_id: body["deleted"] for run_id, body in bodies.items() if "deleted" in body}

    def move_to_trash(self, deleted: Iterable[Run]) -> list[str]:
        """Move runs to the trash; after `TRASH_DAYS` they are removed permanently.

        Returns:
            The ids, for `restore`.

        Raises:
            StoreError: One of them is queued or running; then none is moved.
            RightsError: One of them belongs to another person; then none is moved.
        """
        deleted = list(deleted)
        for run in deleted:
            self.store.check_may_change(run)
            if run.is_live:
                raise StoreError(
                    f"The run {run.id} is {run.state}. Only a run that has ended can be deleted. "
                    "Stop it first."
                )
        for run in deleted:
            body = read_annotation(self.store, run.id) | {"deleted": time.time()}
            write_annotation(self.store, run.id, body)
        self.empty_trash(older_than_seconds=TRASH_DAYS * 86_400)
        return [run.id for run in deleted]

    def restore(self, run_ids: Iterable[str]) -> None:
        """Take runs out of the trash; others, and those of another person, are ignored."""
        own = self.own_trash()
        for run_id in run_ids:
            if run_id in own:
                body = read_annotation(self.store, run_id)
                body.pop("deleted", None)  # another tab may have restored it
                write_annotation(self.store, run_id, body)

    def own_trash(self) -> dict[str, float]:
        """Return the runs in the trash that this person may restore or remove permanently."""
        trash = self.trash()
        if not trash:
            return {}
        others = {run.id for run in self.store.runs() if not self.store.may_change(run.owner)}
        return {run_id: when for run_id, when in trash.items() if run_id not in others}

    def empty_trash(self, older_than_seconds: float = 0.0) -> list[str]:
        """Remove the runs in the trash, with their files; returns their ids."""
        limit = time.time() - older_than_seconds
        old = [run_id for run_id, when in self.own_trash().items() if when <= limit]
        known = {run.id for run in self.store.runs()}
        for run_id in old:
            if run_id in known:
                self.store.delete(run_id)
        delete_annotations(self.store, old)
        return old


_COMPARISON = re.compile(r"([a-z0-9_]+)(<=|>=|<|>|=)(.+)")
_SIGNS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}
_SHORT = {"test": "test_accuracy", "validation": "val_accuracy", "val": "val_accuracy"}


def search_problem(search: str) -> str:
    """Say which comparison of a search cannot be understood; "" for none."""
    for word in search.split():
        match = _COMPARISON.fullmatch(word.casefold())
        if not match:
            continue
        name, sign, wanted = match.groups()
        column = COLUMNS.get(_SHORT.get(name, name))
        if name == "tag" or (column is not None and column.kind == "text"):
            if sign != "=":
                return f"{word!r} compares a text. Texts are compared by =, such as dataset=mnist."
        elif column is None:
            return f"{word!r} names no column. {SEARCH_SYNTAX}"
        elif not _is_number(wanted):
            return f"{word!r} compares with {wanted!r}, which is no number. {SEARCH_SYNTAX}"
    return ""


SEARCH_SYNTAX = (
    "Write words from the name, dataset, note, tags or settings of a row, and comparisons with a "
    "column: test>99, validation>=98.5, params<1e5, seconds<60, seeds>=3, dataset=mnist, "
    "tag=course."
)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def row_matches(row: Row, note: Annotation, search: str) -> bool:
    """Return whether a row matches every word of a search.

    A word occurs in the text of the row: its name, dataset, note, tags, preset, optimiser,
    schedule, block, norm, ids. A comparison such as ``test>99``, ``params<=1e5``, ``seeds>=3``,
    ``dataset=mnist`` or ``tag=old`` tests one column; accuracies are in per cent, and no comparison
    matches an unknown number.
    """
    words = search.casefold().split()
    if not words:
        return True
    text = row.search_text or _search_text(row, note)
    return all(_matches_word(row, note, text, word) for word in words)


def _matches_word(row: Row, note: Annotation, text: str, word: str) -> bool:
    """Return whether a row matches one word or comparison."""
    match = _COMPARISON.fullmatch(word)
    if not match:
        return word in text
    name, sign, wanted = match.groups()
    if name == "tag":
        return sign == "=" and wanted in map(str.casefold, note.tags)
    column = COLUMNS.get(_SHORT.get(name, name))
    if column is None:
        return word in text
    value = column.value(row)
    if column.kind == "text":
        return sign == "=" and str(value).casefold() == wanted
    if value is None or not _is_number(wanted):
        return False
    return _SIGNS[sign](100 * value if column.kind == "percent" else value, float(wanted))


def _search_text(row: Row, note: Annotation) -> str:
    """Join the texts of a row in which words are searched."""
    request = row.request
    recipe = request.recipe
    text = (
        *(note.name, row.name, request.dataset, note.note, *note.tags, request.preset),
        *(recipe.optimizer, recipe.schedule, request.spec.block, request.spec.norm),
        *(run.id for run in row.runs),
    )
    return " ".join(text).casefold()
