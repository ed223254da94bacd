"""Tests of what an experiment costs the store, and of processes that advance it together."""

import random
from collections.abc import Generator
from contextlib import closing
from statistics import median
from threading import Barrier, Thread

import optuna
import pytest
import sqlalchemy as sa
from compare_runs import a_store, finish
from example_runs import a_request

from bench.bookkeeping import Cost, Counter, start, work_off
from cnnlib.experiments.grid import experiment_state, start_grid
from cnnlib.experiments.search import hyperband, start_search
from cnnlib.experiments.study import advance_after_end, advance_after_epoch, advance_studies
from cnnlib.records.run import Run
from cnnlib.runs import RunStore, studies, tables
from cnnlib.runs.studies import Study, StudyStep

READY = a_request(mode="t1-nchw-fp32")  # its mode is settled, so that all runs are queued at once


@pytest.fixture
def store(tmp_path, store_address) -> Generator[RunStore]:
    with closing(a_store(tmp_path, store_address)) as store:
        yield store


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch) -> None:
    monkeypatch.setenv("CNNLAB_WORKERS", "1")


# -- cost ------------------------------------------------------------------------------------------


def medians(costs: list[Cost]) -> tuple[float, float]:
    return median(cost.statements for cost in costs), median(cost.rows for cost in costs)


def test_a_run_of_a_grid_costs_the_same_at_the_start_and_at_the_end(store):
    start(store, "grid", 60)
    costs = list(work_off(store))
    assert len(costs) == 60
    assert medians(costs[1:10]) == medians(costs[-10:-1])
    assert max(cost.rows for cost in costs[:-1]) <= 20  # all runs are read once, after the last


def test_a_run_of_a_search_reads_no_more_at_the_end_than_at_the_start(store, monkeypatch):
    monkeypatch.setattr(studies, "_LATE_SECONDS", 0.0)
    start(store, "search", 40)
    costs = list(work_off(store))
    assert len(costs) == 40
    (first, first_rows), (last, last_rows) = medians(costs[2:12]), medians(costs[-11:-1])
    assert last <= first + 2 and last_rows <= first_rows + 5


def test_an_epoch_of_a_grid_costs_one_row(store):
    study_id = start_grid(store, READY, {"lr": [0.001 * n for n in range(1, 30)]})
    run = store.runs(group=study_id)[0]
    counter = Counter(store)
    advance_after_epoch(store, run)
    cost = counter.take()
    assert cost.rows == 1


def test_a_step_that_changes_nothing_writes_nothing_and_locks_nothing(store):
    start_grid(store, READY, {"lr": [0.1, 0.2]})
    statements = []

    def note(_connection, _cursor, statement, *_) -> None:
        statements.append(statement.split()[0])
        assert "advisory" not in statement

    sa.event.listen(store.database._engine, "before_cursor_execute", note)
    advance_studies(store)
    assert set(statements) <= {"SELECT", "BEGIN"}


# -- what has ended is read once -------------------------------------------------------------------


def seen_by_advance(store: RunStore, study_id: str) -> dict[str, tuple[str, float | None]]:
    """The state and the accuracy of each run, as the next step of a study gets them."""
    seen: dict[str, tuple[str, float | None]] = {}

    def next_step(study: studies.Study) -> StudyStep:
        for place, run in study.runs.items():
            seen[place] = (run.state, run.summary.get("last_val_accuracy"))
            assert len(study.epochs[place]) == run.epoch
        return StudyStep()

    studies.advance(store, study_id, next_step)
    return seen


@pytest.fixture
def half_done(store) -> tuple[str, list[Run]]:
    """A grid of four runs, the first two of which have ended, and its runs in their order."""
    study_id = start_grid(store, READY, {"lr": [0.1, 0.2, 0.3, 0.4]})
    found = store.runs(group=study_id)[::-1]
    for run in found[:2]:
        finish(store, run.id, val=0.5)
    assert seen_by_advance(store, study_id)["1.0"] == ("finished", 0.5)
    return study_id, found


def test_a_run_that_ends_later_is_read(store, half_done):
    study_id, found = half_done
    finish(store, found[2].id, val=0.7)
    seen = seen_by_advance(store, study_id)
    assert seen["2.0"] == ("finished", 0.7) and seen["0.0"] == ("finished", 0.5)


def test_a_run_that_was_deleted_is_missing(store, half_done):
    study_id, found = half_done
    store.delete(found[0].id)
    assert sorted(seen_by_advance(store, study_id)) == ["1.0", "2.0", "3.0"]


def test_a_run_that_was_deleted_while_another_ended_is_missing(store, half_done):
    study_id, found = half_done
    store.delete(found[0].id)
    finish(store, found[2].id, val=0.7)
    assert sorted(seen_by_advance(store, study_id)) == ["1.0", "2.0", "3.0"]


@pytest.mark.parametrize("does_end", [False, True])
def test_a_run_that_was_resumed_is_read_again(store, half_done, does_end):
    study_id, found = half_done
    finish(store, found[2].id, val=0.2, state="interrupted")
    assert seen_by_advance(store, study_id)["2.0"][0] == "interrupted"
    store.resume(found[2].id)
    if does_end:
        store.rewind(store.run(found[2].id), 0)
        finish(store, found[2].id, val=0.8)
    expected = ("finished", 0.8) if does_end else ("queued", 0.2)
    assert seen_by_advance(store, study_id)["2.0"] == expected


def test_a_run_that_ended_before_others_were_recorded_is_read(store, half_done):
    study_id, found = half_done
    finish(store, found[2].id, val=0.7)
    with store.database.write() as connection:  # its transaction was committed late
        early = sa.update(tables.runs).where(tables.runs.c.id == found[2].id)
        connection.execute(early.values(ended=tables.runs.c.ended - 100))
    assert seen_by_advance(store, study_id)["2.0"] == ("finished", 0.7)


# -- several processes -----------------------------------------------------------------------------


def test_two_processes_that_advance_a_search_queue_no_run_twice(tmp_path, store_address):
    stores = [a_store(tmp_path, store_address) for _ in range(2)]
    study_id = start_search(stores[0], READY, {"lr": {"low": 0.01, "high": 0.1}}, trials=12)
    meet = Barrier(2)

    def advance(store: RunStore) -> None:
        meet.wait()
        advance_studies(store)

    for _ in range(12):
        [run] = stores[0].runs(states=("queued",))
        finish(stores[0], run.id, val=0.5)
        threads = [Thread(target=advance, args=(each,)) for each in stores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    state = experiment_state(stores[0], study_id)
    assert (state.state, state.measured, len(stores[0].runs())) == ("done", 12, 12)
    for each in stores:
        each.close()


def test_a_step_is_decided_anew_when_the_study_was_advanced_meanwhile(store):
    study_id = start_search(store, READY, {"lr": {"low": 0.01, "high": 0.1}}, trials=3)
    finish(store, store.runs()[0].id)
    queued = []

    def next_step(study: studies.Study) -> StudyStep:
        queued.append(len(study.progress["runs"]))
        if len(queued) == 1:
            advance_studies(store)
        return StudyStep(submit={"x": READY}) if len(queued) == 1 else StudyStep()

    studies.advance(store, study_id, next_step)
    assert queued == [1, 2]
    assert "x" not in studies.find(store, study_id).progress["runs"]


def test_a_study_whose_last_run_was_lost_is_advanced_by_the_end_of_another_run(store):
    study_id = start_grid(store, READY, {"lr": [0.1, 0.2]})
    for run in store.runs(group=study_id):
        with store.database.write() as connection:
            lost = sa.update(tables.runs).where(tables.runs.c.id == run.id)
            connection.execute(lost.values(state="lost"))
    other = store.submit(a_request())
    finish(store, other)
    advance_after_end(store, store.run(other))
    assert experiment_state(store, study_id).state == "incomplete"


def lose_all(store: RunStore, study_id: str) -> None:
    """Let the workers of all runs of a study have died, and the study be advanced first."""
    for run in store.runs(group=study_id):
        with store.database.write() as connection:
            lost = sa.update(tables.runs).where(tables.runs.c.id == run.id)
            connection.execute(lost.values(state="lost"))
    advance_studies(store)
    assert experiment_state(store, study_id).state == "incomplete"


def test_a_study_goes_on_with_its_lost_runs(store):
    study_id = start_grid(store, READY, {"lr": [0.1, 0.2]})
    lose_all(store, study_id)
    store.resume_lost(most_attempts=5)
    for run in store.runs(group=study_id):
        finish(store, run.id)
    advance_studies(store)
    assert experiment_state(store, study_id).state == "done"


def test_a_study_whose_lost_runs_go_on_while_it_is_advanced_goes_on(store):
    study_id = start_grid(store, READY, {"lr": [0.1, 0.2]})
    lose_all(store, study_id)
    store.resume_lost(most_attempts=5)
    for run in store.runs(group=study_id):
        with store.database.write() as connection:
            lost = sa.update(tables.runs).where(tables.runs.c.id == run.id)
            connection.execute(lost.values(state="lost"))
    decided = []

    def next_step(study: Study) -> StudyStep:
        store.resume_lost(most_attempts=5)
        decided.append(len(study.live_places))
        return StudyStep() if study.live_places else StudyStep(state="incomplete")

    studies.advance(store, study_id, next_step)
    assert decided == [0, 2]
    assert studies.find(store, study_id).state == "live"


def test_a_study_that_a_person_interrupted_does_not_go_on_with_its_lost_runs(store):
    study_id = start_grid(store, READY, {"lr": [0.1, 0.2]})
    worker_id = store.workers.register()
    for run in store.runs(group=study_id):
        store.claim(worker_id, run.id)
    studies.interrupt(store, study_id)
    lose_all(store, study_id)
    store.resume_lost(most_attempts=5)
    assert studies.find(store, study_id).state == "incomplete"


# -- pruning ---------------------------------------------------------------------------------------


def optuna_weak(curves: list[dict[int, float]], most: int, name: str) -> set[int]:
    """What Optuna's pruner says, asked for all trials after one epoch, then after two."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    judged = optuna.create_study(
        study_name=name,
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=0),
        pruner=optuna.pruners.HyperbandPruner(max_resource=most, reduction_factor=3),
    )
    trials = [judged.ask() for _ in curves]
    weak = set()
    for epoch in range(1, most):
        for number, curve in enumerate(curves):
            if epoch in curve:
                trials[number].report(curve[epoch], epoch)
                if trials[number].should_prune():
                    weak.add(number)
    return weak


@pytest.mark.parametrize("seed", range(12))
def test_hyperband_stops_the_trials_that_optuna_stops(seed):
    chance = random.Random(seed)
    most = chance.choice([1, 2, 3, 4, 9, 10, 27, 30])
    curves = [
        {
            epoch: chance.randrange(20) / 20  # ties are frequent
            for epoch in range(1, chance.randint(1, most))
            if chance.random() < 0.9
        }
        for _ in range(40)
    ]
    weak = hyperband(curves, most, f"study {seed}")
    assert weak == optuna_weak(curves, most, f"study {seed}")
    assert weak or most < 3
