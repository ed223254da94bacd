"""Ctrl-C during `fit`, and its progress bar."""

import signal

import pytest
from tiny import tiny_request

from cnnlib.records.events import StepMetrics
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.runs import RunStore
from cnnlib.train.api import fit
from cnnlib.train.control import INTERRUPTED

RECIPE = Recipe(epochs=40, batch_size=64)


@pytest.fixture
def store():
    store = RunStore(Folders.from_environment())
    yield store
    store.close()


def _press_ctrl_c_at(step: int):
    def listen(event):
        if isinstance(event, StepMetrics) and event.step == step:
            signal.raise_signal(signal.SIGINT)

    return listen


def test_ctrl_c_ends_the_run_as_interrupted_with_a_checkpoint(store):
    with pytest.raises(KeyboardInterrupt):
        fit("mlp", "digits", RECIPE, progress=False, listen=_press_ctrl_c_at(5))
    [run] = store.runs()
    assert run.state == "interrupted" and run.step >= 5
    assert run.reason == INTERRUPTED
    assert any(w.what == "checkpoint" and w.step == run.step for w in store.saved_weights(run.id))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_from_elsewhere_ends_the_run_too(store):
    def listen(event):
        if isinstance(event, StepMetrics) and event.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit("mlp", "digits", RECIPE, progress=False, listen=listen)
    [run] = store.runs()
    assert (run.state, run.step) == ("interrupted", 5)


def test_a_worker_that_leaves_its_run_interrupts_it(store):
    with store.workers.registered("runs") as worker_id:
        run_id = store.submit(tiny_request())
        assert store.claim(worker_id, run_id)
    run = store.run(run_id)
    assert run.state == "interrupted" and "Resume the run" in run.reason


def test_the_progress_bar_shows_steps_numbers_and_an_eta(capsys):
    fit("mlp", "digits", Recipe(epochs=1), progress=True)
    shown = capsys.readouterr().err
    assert "steps" in shown and "validation=" in shown and "test=" in shown
    assert "<" in shown  # tqdm writes elapsed<remaining


def test_fit_can_be_silent(capsys):
    fit("mlp", "digits", Recipe(epochs=1), progress=False)
    assert capsys.readouterr() == ("", "")
