"""Test of the results table as a data frame."""

from contextlib import closing

import pytest
from compare_runs import a_finished_run
from example_runs import a_request

import cnnlib
from cnnlib.errors import RecipeError
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore


def test_the_frame_has_a_record_per_row_with_fractions_and_seconds():
    with closing(RunStore(Folders.from_environment())) as store:
        for seed, accuracy in enumerate((0.90, 0.92)):
            a_finished_run(store, val=accuracy, test=accuracy, name="small", seed=seed)
        store.submit(a_request(name="waiting"))
    frame = cnnlib.results_frame("small", ("name", "seeds", "val_accuracy", "seconds"))
    assert list(frame.columns) == ["name", "seeds", "val_accuracy", "seconds"]
    [record] = frame.to_dict("records")
    assert (record["name"], record["seeds"]) == ("small", 2)
    assert record["val_accuracy"] == pytest.approx(0.91)
    assert cnnlib.results_frame("small").index.equals(frame.index)  # keys of rows
    assert len(cnnlib.results_frame("nothing like it")) == 0
    with pytest.raises(RecipeError, match="no column 'size'"):
        cnnlib.results_frame(shown=["size"])
