"""The results table as a pandas data frame."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from cnnlib.compare.columns import COLUMN_PRESETS, cells, columns
from cnnlib.compare.results_table import ResultsTable
from cnnlib.runs.store import RunStore

if TYPE_CHECKING:
    import pandas as pd

    from cnnlib.records.folders import Folders


def results_frame(
    search: str = "",
    shown: Sequence[str] = COLUMN_PRESETS["results"],
    *,
    folders: Folders | None = None,
) -> pd.DataFrame:
    """Return the results table as a data frame: a record per design and recipe, the best first.

    Accuracies are fractions, times are seconds; what is not known is missing. The index is the
    row's key, the same as long as design, recipe and data are.

    Args:
        search: Words and comparisons as on the Results page: ``"lenet params<1e5"``.
        shown: Names of columns, as `cnnlib table --columns` takes them.
        folders: None is the lab's own.

    Raises:
        RecipeError: There is no such column, or the search is not understood.
        StoreError: The store cannot be read.

    ::

        frame = results_frame("mnist")
        frame.plot.scatter("params", "test_accuracy", logx=True)
    """
    import pandas as pd  # not at the top: it takes long to import

    chosen = columns(shown)
    with closing(RunStore(folders)) as store:
        rows = ResultsTable(store).rows(search=search)
        names, keys = [each.name for each in chosen], [row.key for row in rows]
        return pd.DataFrame(cells(rows, chosen), columns=names, index=keys)
