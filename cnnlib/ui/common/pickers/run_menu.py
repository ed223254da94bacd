"""The runs of a menu: their titles, what belongs together, and the one that is chosen at first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.compare.groups import headings
from cnnlib.experiments.study import KINDS
from cnnlib.runs import studies
from cnnlib.ui.common.format import distinct
from cnnlib.ui.common.shared import run_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cnnlib.records.run import Run


def run_titles(runs: Iterable[Run], title: Callable[[Run], str]) -> dict[str, str]:
    """Return the title of each run by its id, in the order of a menu.

    The runs of a duel or an experiment stand together, at the place of the first of them, and their
    titles end with its name. A fork or fine-tuned run follows the run that it began from.

    Args:
        title: Returns the title of a run that stands alone.
    """
    by_id = {run.id: run for run in runs}
    has_studies = any(run.request.group for run in by_id.values())
    known = headings(studies.find_all(run_store(), list(KINDS))) if has_studies else {}
    together: dict[str, list[Run]] = {}
    for run in by_id.values():
        first = _first_of_line(run, by_id)
        together.setdefault(first.request.group or first.id, []).append(run)
    labels = {}
    for members in together.values():
        for run in sorted(members, key=lambda run: run.request.origin is not None):
            heading = known.get(run.request.group)
            labels[run.id] = title(run) + (f" · {heading.what} {heading.title}" if heading else "")
    return distinct(labels)


def best_first(runs: Iterable[Run], dataset: str = "") -> list[Run]:
    """Sort runs: finished ones on a dataset first, and by descending accuracy within each group.

    Args:
        dataset: The preferred dataset; "" for that of the newest run.
    """
    runs = list(runs)
    wanted = dataset or (runs[0].request.dataset if runs else "")

    def rank(run: Run) -> tuple[bool, float]:
        is_first = run.request.dataset == wanted and run.state == "finished"
        return not is_first, -known_accuracy(run)

    return sorted(runs, key=rank)


def known_accuracy(run: Run) -> float:
    """Return the accuracy of a run on the test split, else on the validation split; 0 without one.

    That on the few pictures of a fine-tuning does not count.
    """
    origin = run.request.origin
    if origin is not None and origin.weights_only:
        return 0.0
    return run.summary.get("test_accuracy") or run.summary.get("last_val_accuracy") or 0.0


def _first_of_line(run: Run, by_id: dict[str, Run]) -> Run:
    """Return the run that a chain of forks began with, as far as it is known."""
    seen = {run.id}
    while run.request.origin and run.request.origin.run_id in by_id.keys() - seen:
        run = by_id[run.request.origin.run_id]
        seen.add(run.id)
    return run
