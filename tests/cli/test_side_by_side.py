"""Tests that a command with several runs trains them at once, with workers of its own."""

from contextlib import closing

import pytest

from cnnlib.cli.main import main
from cnnlib.data.prepare import prepare
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore
from cnnlib.runs.workers.processes import CAN_FORK

OPTIONS = ("--preset", "lenet5", "--dataset", "digits", "--epochs", "3")


@pytest.mark.skipif(not CAN_FORK, reason="cannot run here: without fork each worker takes seconds")
def test_seeds_train_at_once_and_with_the_same_results_as_one_after_the_other(monkeypatch, capsys):
    folders = Folders.from_environment()
    for _ in prepare("digits", folders):
        pass
    assert main(["train", *OPTIONS, "--seeds", "2"]) == 0  # one after the other: one core
    monkeypatch.setenv("CNNLAB_WORKERS", "2")
    assert main(["train", *OPTIONS, "--seeds", "2"]) == 0
    assert "mean of 2 seeds" in capsys.readouterr().out
    with closing(RunStore(folders)) as store:
        *together, alone_1, alone_0 = store.runs()
        assert min(run.ended for run in together) > max(run.started for run in together)
        assert alone_1.started >= alone_0.ended
        losses = {(run.request.seed, run.summary["last_val_loss"]) for run in store.runs()}
        assert len(losses) == 2  # the same bits
        assert {run.mode for run in store.runs()} == {"t1-nhwc-fp32"}
        assert not store.workers.serve_runs_here()
