"""Tests of sketches in the store: in no list, last in the queue, changed, kept, removed."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

import pytest
from example_runs import a_request, a_store, an_epoch

from cnnlib.compare.results_table import ResultsTable
from cnnlib.errors import LimitError, RecipeError, RightsError, StoreError
from cnnlib.records.events import Phase, RunEnd, StepMetrics
from cnnlib.records.run import Origin
from cnnlib.runs import RunStore, sketches
from cnnlib.runs.queue import plan_cost


@pytest.fixture
def store(tmp_path, store_address) -> Generator[RunStore]:
    with closing(a_store(tmp_path, store_address)) as store:
        yield store


def changed(request, channels=(9,)):
    return replace(request, spec=replace(request.spec, channels=channels))


def at_work(store: RunStore, worker_id: str, step: int = 5) -> str:
    """Start a sketch, claim it and record some steps."""
    run_id = store.sketches.start("chrome", a_request())
    assert store.claim(worker_id).id == run_id
    events = [StepMetrics(n, 1.0, 0.1, 1.0, 10.0, float(n)) for n in range(1, step + 1)]
    store.record_events(run_id, worker_id, [Phase("running", ""), *events])
    return run_id


def order(store: RunStore, run_id: str, seconds: float = 1.0, *, is_paused: bool = False) -> str:
    return store.sketches.order(run_id, seconds, is_paused=is_paused)


def interrupt(store: RunStore, run_id: str, worker_id: str, step: int = 5) -> None:
    store.record_events(run_id, worker_id, [RunEnd("interrupted", step=step, train_seconds=1.0)])


def test_a_sketch_is_in_no_list_and_no_table(store):
    kept = store.submit(a_request())
    sketch = store.sketches.start("chrome", a_request())
    assert [run.id for run in store.runs()] == [kept]
    assert len(ResultsTable(store).rows()) == 1
    assert store.run(sketch).state == "queued"
    assert store.sketches.of_browser("chrome").run.id == sketch
    assert store.sketches.of_browser("firefox") is None


def test_a_sketch_does_not_count_as_a_run_of_the_same_name(store):
    store.sketches.start("chrome", a_request())
    run = store.run(store.submit(a_request()))
    assert not run.title.endswith("(2)")


def test_a_sketch_waits_behind_runs_and_is_ahead_of_none(store):
    sketch = store.sketches.start("chrome", a_request())
    run_id = store.submit(a_request())
    assert (store.position(run_id), store.sketches.of_browser("chrome").place) == (1, 2)
    with store.workers.registered("runs") as worker_id:
        assert [store.claim(worker_id).id for _ in range(2)] == [run_id, sketch]
        waiting = store.submit(a_request())
        assert store.position(waiting) == 1


def test_it_does_not_use_up_the_limit_of_waiting_runs(store):
    (store.folders.runs / "cnnlab.toml").write_text("[person]\nruns_waiting = 1\n")
    ada = store.on_behalf_of("ada")
    ada.sketches.start("chrome", a_request())
    ada.submit(a_request())


def test_a_browser_has_one_sketch(store, monkeypatch):
    first = store.sketches.start("chrome", a_request())
    second = store.sketches.start("chrome", a_request())
    assert store.position(second) == 1
    assert store.run(first).state == "interrupted"  # its page may have asked for it just now
    monkeypatch.setattr(sketches, "REPLACED_SECONDS", -1.0)
    store.sketches.remove_abandoned()
    with pytest.raises(StoreError):
        store.run(first)
    assert store.sketches.of_browser("chrome").run.id == second


def test_a_sketch_at_work_that_is_replaced_ends_first(store, monkeypatch):
    with store.workers.registered("runs") as worker_id:
        first = at_work(store, worker_id)
        second = store.sketches.start("chrome", a_request())
        assert order(store, first) == "end"
        interrupt(store, first, worker_id)
        store.sketches.settle(first, was_paused=False)
    monkeypatch.setattr(sketches, "REPLACED_SECONDS", -1.0)
    store.sketches.remove_abandoned()
    with pytest.raises(StoreError):
        store.run(first)
    assert store.sketches.of_browser("chrome").run.id == second


def test_a_sketch_that_is_removed_before_its_worker_settles_it_is_no_error(store, monkeypatch):
    with store.workers.registered("runs") as worker_id:
        sketch = at_work(store, worker_id)
        store.sketches.end(sketch)
        interrupt(store, sketch, worker_id)
        monkeypatch.setattr(sketches, "REPLACED_SECONDS", -1.0)
        store.sketches.remove_abandoned()
        store.sketches.settle(sketch, was_paused=False)
        with pytest.raises(StoreError):
            store.run(sketch)


def test_it_yields_to_runs_at_once_and_to_sketches_after_its_turn(store):
    with store.workers.registered("runs") as worker_id:
        sketch = at_work(store, worker_id)
        assert order(store, sketch) == ""
        store.sketches.start("firefox", a_request())
        assert order(store, sketch) == ""
        assert order(store, sketch, sketches.TURN_SECONDS + 1) == "yield"
        assert order(store, sketch, is_paused=True) == "yield"
        store.submit(a_request())
        assert order(store, sketch) == "yield"
        interrupt(store, sketch, worker_id)
        store.sketches.settle(sketch, was_paused=False)
        assert store.sketches.of_browser("chrome").place == 3


def test_three_sketches_take_turns_and_each_knows_its_place(store):
    browsers = {store.sketches.start(name, a_request()): name for name in ("ada", "bob", "cyd")}

    def places() -> list[int | None]:
        return [store.sketches.of_browser(name).place for name in ("ada", "bob", "cyd")]

    assert places() == [1, 2, 3]
    turns = []
    with store.workers.registered("runs") as worker_id:
        for _ in range(6):
            run_id = store.claim(worker_id).id
            turns.append(browsers[run_id])
            store.record_events(run_id, worker_id, [Phase("running", "")])
            assert order(store, run_id, sketches.TURN_SECONDS - 1) == ""
            assert order(store, run_id, sketches.TURN_SECONDS + 1) == "yield"
            if len(turns) == 2:
                assert places() == [2, None, 1]
            interrupt(store, run_id, worker_id, step=len(turns))
            store.sketches.settle(run_id, was_paused=False)
    assert turns == 2 * ["ada", "bob", "cyd"]


def test_a_sketch_alone_keeps_its_worker_after_its_turn(store):
    with store.workers.registered("runs") as worker_id:
        sketch = at_work(store, worker_id)
        assert order(store, sketch, 10 * sketches.TURN_SECONDS) == ""
        waiting = store.sketches.start("firefox", a_request())
        store.sketches.pause(waiting)  # it leaves the line
        assert order(store, sketch, 10 * sketches.TURN_SECONDS) == ""


def test_a_paused_sketch_that_yields_waits_for_play(store):
    with store.workers.registered("runs") as worker_id:
        sketch = at_work(store, worker_id)
        interrupt(store, sketch, worker_id)
        store.sketches.settle(sketch, was_paused=True)
        assert store.run(sketch).state == "interrupted"
        store.sketches.play(sketch)
        assert store.run(sketch).state == "queued"
        store.sketches.pause(sketch)
        assert store.run(sketch).state == "interrupted"


def test_a_changed_design_goes_on_from_the_step(store):
    with store.workers.registered("runs") as worker_id:
        sketch = at_work(store, worker_id)
        request = changed(store.run(sketch).request)
        store.sketches.change(sketch, request)
        assert store.sketches.of_browser("chrome").run.request == request
        assert order(store, sketch) == "change"
        interrupt(store, sketch, worker_id)
        store.sketches.settle(sketch, was_paused=False)
        run = store.run(sketch)
        assert run.request == replace(request, origin=Origin(sketch, 5, fitting=True))
        assert (run.state, run.plan_cost) == ("queued", plan_cost(request.spec))
        assert [(e.step, e.order, e.setting) for e in store.interventions(sketch)] == [
            (5, "change", "design")
        ]
        assert order(store, sketch) == ""


def test_a_change_before_the_first_step_begins_with_the_new_design(store):
    sketch = store.sketches.start("chrome", a_request())
    request = changed(store.run(sketch).request)
    store.sketches.change(sketch, request)
    assert store.run(sketch).request == request
    assert store.interventions(sketch) == []


def test_a_change_of_the_dataset_is_refused(store):
    sketch = store.sketches.start("chrome", a_request())
    request = replace(a_request(), dataset="mnist")
    with pytest.raises(RecipeError, match="Start a new sketch"):
        store.sketches.change(sketch, request)


def test_a_kept_sketch_is_a_run_and_ends_with_its_measurements(store):
    with store.workers.registered("runs") as worker_id:
        sketch = at_work(store, worker_id)
        store.sketches.keep(sketch, "my net")
        assert order(store, sketch) == "keep"
        interrupt(store, sketch, worker_id)
        store.sketches.settle(sketch, was_paused=False)
        [run] = store.runs()
        assert (run.id, run.state, run.request.name) == (sketch, "queued", "my net")
        assert run.intervened
        assert store.claim(worker_id).id == sketch
        [command] = store.record_events(sketch, worker_id, [])
        assert command.kind == "stop"
    assert store.sketches.of_browser("chrome") is None
    with pytest.raises(StoreError, match="not a sketch"):
        store.sketches.play(sketch)


def test_a_sketch_that_is_kept_in_line_ends_after_it_has_started(store):
    """Else it would train to the end of its recipe, which has no end."""
    sketch = store.sketches.start("chrome", a_request())
    store.sketches.keep(sketch)
    with store.workers.registered("runs") as worker_id:
        assert store.claim(worker_id).id == sketch
        assert [each.kind for each in store.record_events(sketch, worker_id, [])] == ["stop"]


def test_it_pauses_without_a_touch(store, monkeypatch):
    with store.workers.registered("runs") as worker_id:
        sketch = at_work(store, worker_id)
        monkeypatch.setattr(sketches, "UNTOUCHED_SECONDS", -1.0)
        assert order(store, sketch) == "pause"
        assert order(store, sketch, is_paused=True) == ""
        store.sketches.explain_pause(sketch)
        assert "minutes without a touch" in store.sketches.of_browser("chrome").note
        store.sketches.play(sketch)
        assert store.sketches.of_browser("chrome").note == ""


def test_it_pauses_after_epochs_without_a_touch_and_a_drawing_is_one(store, monkeypatch):
    with store.workers.registered("runs") as worker_id:
        sketch = at_work(store, worker_id)
        store.record_events(sketch, worker_id, [an_epoch(20, 400)])
        assert order(store, sketch) == "pause"
        store.sketches.explain_pause(sketch)
        assert "epochs without a touch" in store.sketches.of_browser("chrome").note
        store.sketches.see(sketch)
        assert order(store, sketch) == "pause"
        store.sketches.see(sketch, is_touched=True)
        assert order(store, sketch) == ""


def test_it_stops_when_its_page_is_gone_and_is_removed_later(store, monkeypatch):
    with store.workers.registered("runs") as worker_id:
        sketch = at_work(store, worker_id)
        monkeypatch.setattr(sketches, "UNSEEN_SECONDS", -1.0)
        assert order(store, sketch) == "leave"
        interrupt(store, sketch, worker_id)
        store.sketches.settle(sketch, was_paused=False)
        assert store.run(sketch).state == "interrupted"
        assert "while this page was closed" in store.sketches.of_browser("chrome").note
        store.sketches.remove_abandoned()
        assert store.run(sketch).state == "interrupted"
        monkeypatch.setattr(sketches, "ABANDONED_SECONDS", -1.0)
        store.sketches.remove_abandoned()
    with pytest.raises(StoreError):
        store.run(sketch)
    assert not store.folders.run(sketch).exists()


def test_a_sketch_belongs_to_its_person(store):
    sketch = store.on_behalf_of("ada").sketches.start("chrome", a_request())
    others = store.on_behalf_of("bob").sketches
    for action in ("play", "step", "pause", "keep", "end"):
        with pytest.raises(RightsError):
            getattr(others, action)(sketch)
    with pytest.raises(RightsError):
        others.change(sketch, changed(a_request()))
    with pytest.raises(RightsError):
        others.set_lr(sketch, 1.0)


def test_a_sketch_is_as_large_as_a_persons_runs_and_as_long_as_it_is_touched(store):
    limits = "[person]\nepochs = 2\nparameters = 10000\n"
    (store.folders.runs / "cnnlab.toml").write_text(limits)
    own = store.on_behalf_of("ada").sketches
    sketch = own.start("chrome", a_request(epochs=10_000))
    too_large = changed(a_request(epochs=10_000), channels=(300, 300))
    for ask in (lambda: own.start("chrome", too_large), lambda: own.change(sketch, too_large)):
        with pytest.raises(LimitError, match="parameters"):
            ask()
    assert own.of_browser("chrome").run.id == sketch
    store.sketches.start("firefox", too_large)  # the operator's


def test_no_sketch_is_started_on_a_full_disk(store):
    (store.folders.runs / "cnnlab.toml").write_text("[machine]\nfree_disk_mb = 1000000000\n")
    with pytest.raises(LimitError, match="disk"):
        store.on_behalf_of("ada").sketches.start("chrome", a_request())
