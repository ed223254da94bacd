"""What a row of results belongs to: a duel, an experiment, or the row that its run began from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnlib.compare.rows import pool_key
from cnnlib.records.setting_labels import setting_label
from cnnlib.runs.studies import KIND_LABELS
from cnnlib.units import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cnnlib.compare.rows import Row
    from cnnlib.runs.studies import Study


@dataclass(frozen=True)
class Heading:
    """A study as the heading of the rows whose runs it trained.

    Args:
        key: The id of the study.
        what: ``"duel"`` or ``"experiment"``.
    """

    key: str
    what: str
    title: str


def study_title(study: Study) -> str:
    """Name a study: ``lenet5 against cnn3``, a given name, or the settings that it varies."""
    body = study.body
    if study.kind == "duel":
        return f"{body.get('name_a', 'A')} against {body.get('name_b', 'B')}"
    trials = body.get("trials") or study.progress.get("trials") or [{}]
    varied = listed([*map(setting_label, body.get("space") or trials[0])], most=4)
    return body.get("name") or varied or study.id


def headings(studies: Iterable[Study]) -> dict[str, Heading]:
    """Return the headings of studies by id."""
    return {
        study.id: Heading(study.id, KIND_LABELS[study.kind], study_title(study))
        for study in studies
    }


def parents(rows: Sequence[Row], studies: Iterable[str]) -> dict[str, str]:
    """Return what each row belongs to, by its key; rows that stand alone are left out.

    A row whose runs all belong to one study stands under the study. A fork or fine-tuned run stands
    under the row of the run that it began from, and a repeat of a seed under the row with that
    seed.

    Args:
        studies: Ids of the studies that may be headings.
    """
    known = set(studies)
    row_of_run = {run.id: row.key for row in rows for run in row.runs}
    allowed = known.union(row.key for row in rows)
    found = {row.key: _parent(row, known, row_of_run) for row in rows}
    return {key: parent for key, parent in found.items() if parent in allowed}


def _parent(row: Row, studies: set[str], row_of_run: dict[str, str]) -> str:
    groups = {run.request.group for run in row.runs}
    if len(groups) == 1 and (group := groups.pop()) in studies:
        return group
    run = row.runs[0]
    if run.request.origin is not None:
        return row_of_run.get(run.request.origin.run_id, "")
    return pool_key(run) if row.not_pooled_reason else ""
