"""Tests of the Lab page: what the component is given, and what the actions do."""

from collections.abc import Generator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from apps import AppTest, components
from compare_runs import finish
from example_runs import a_checkpoint, a_request, a_step, started, the_end
from sample_data import class_folders, prepared_now, write_folder

from cnnlib.design.link import encode
from cnnlib.design.spec import CNNSpec
from cnnlib.experiments.duel import duel_state
from cnnlib.records.events import Phase, StepMetrics
from cnnlib.records.run import Origin
from cnnlib.runs import RunStore
from cnnlib.ui.common.urls import PAGES

MAIN = PAGES.parent / "cnnlib" / "ui" / "server" / "main.py"
SPEC = CNNSpec(channels=(5, 7), hidden_dims=(9,))


@pytest.fixture
def store() -> Generator[RunStore]:
    store = RunStore()
    yield store
    store.close()


class Lab:
    """The page in a session; `do` acts as the component does."""

    def __init__(self, **query: str) -> None:
        self.app = AppTest.from_file(str(MAIN), default_timeout=60)
        for name, value in query.items():
            self.app.query_params[name] = value
        self.app.run()
        assert not self.app.exception, self.app.exception

    def do(self, **action: Any) -> dict[str, Any]:
        """Act, and return what the component is given then."""
        return self._run(f"act({action!r})")

    def do_all(self, actions: list[Any]) -> dict[str, Any]:
        """Act as the component does with actions that have numbers."""
        return self._run(f"act_all({actions!r})")

    def _run(self, call: str) -> dict[str, Any]:
        script = (
            "from cnnlib.ui.lab.session import act, act_all, current_state\n"
            "from cnnlib.ui.lab import page\n"
            "current_state(())\n"
            f"{call}\n"
            "page.show()\n"
        )
        other = AppTest.from_string(script, default_timeout=60)
        for name in ("lab_state", "lab_address", "lab_plain", "lab_done", "visitor_number"):
            if name in self.app.session_state:
                other.session_state[name] = self.app.session_state[name]
        for name, value in self.app.query_params.items():
            other.query_params[name] = value
        self.app = other.run()
        assert not self.app.exception, self.app.exception
        return self.data

    @property
    def data(self) -> dict[str, Any]:
        return next(each for each in components(self.app) if "plan" in each)


def end_at(store: RunStore, step: int) -> None:
    """Let a worker take the next run, save a checkpoint and end."""
    with store.workers.registered("runs") as worker_id:
        run = store.claim(worker_id)
        checkpoint = a_checkpoint(step)
        store.folders.run(run.id).mkdir(parents=True, exist_ok=True)
        (store.folders.run(run.id) / checkpoint.file).touch()
        store.record_events(run.id, worker_id, [started(), checkpoint, the_end("stopped", step)])


def test_the_first_visit_shows_a_network_for_the_data_that_is_there(store):
    data = Lab().data
    assert data["dataset"]["name"] == "digits"
    assert data["plan"]["params"] > 0
    assert data["run"] is None
    assert (data["past"], data["message"], data["recent"]) == ([], "", [])


def test_the_lab_says_what_a_dataset_warns_of_and_counts_its_own_validation_split(store):
    files = class_folders({"a": 4, "b": 4}, "train/") | class_folders({"a": 3}, "val/", first=20)
    files |= class_folders({"a": 1, "c": 2}, "test/", first=30)
    write_folder(store.folders.data / "own", files)
    prepared_now("folder:own")
    data = Lab(dataset="folder:own").data
    assert data["dataset"]["name"] == "folder:own"
    assert data["message"].startswith("Without a training picture: c.")
    assert data["dataset"]["validation_count"] == 3


def test_actions_that_come_again_are_done_once_and_in_order(store):
    lab = Lab()
    play, change = {"kind": "play", "number": 5}, {"kind": "recipe", "lr": 0.01, "number": 6}
    lab.do_all([play])
    run_id = lab.data["run"]["id"]
    data = lab.do_all([play, change, {"kind": "restart"}, "text"])
    assert (data["run"]["id"], data["recipe"]["lr"], data["done"]) == (run_id, 0.01, 6)
    assert lab.do_all([change, {"kind": "undo", "number": 3}])["done"] == 6


def test_play_starts_a_sketch_that_is_in_no_list(store):
    data = Lab().do(kind="play")
    assert data["run"]["state"] == "queued"
    assert store.runs() == []
    assert store.run(data["run"]["id"]).request.dataset == "digits"


def test_a_design_goes_to_the_sketch_and_undo_takes_it_back(store):
    lab = Lab()
    run_id = lab.do(kind="play")["run"]["id"]
    before = store.run(run_id).request.spec
    data = lab.do(kind="design", spec=SPEC.to_dict())
    assert data["plan"]["link"] == encode(SPEC)
    assert (data["run"]["id"], data["past"]) == (run_id, [encode(before)])
    assert store.run(run_id).request.spec == SPEC
    assert lab.do(kind="undo")["future"] == [encode(SPEC)]
    assert store.run(run_id).request.spec == before
    assert lab.do(kind="redo")["plan"]["link"] == encode(SPEC)


def test_the_steps_of_a_design_come_back_after_a_reload(store):
    lab = Lab()
    past = lab.do(kind="design", spec=SPEC.to_dict())["past"]
    reloaded = Lab(dataset="digits", design=encode(SPEC))
    assert reloaded.data["past"] == []
    assert reloaded.do(kind="steps", past=past, future=[])["past"] == past
    assert reloaded.do(kind="undo")["plan"]["link"] == past[0]


def test_the_page_refuses_steps_that_are_no_designs(store):
    lab = Lab()
    data = lab.do(kind="steps", past=["?"], future=[])
    assert data["past"] == []
    assert data["message"] != ""


def test_changes_of_a_sketch_are_counted_with_the_one_that_its_worker_has_not_taken(store):
    lab = Lab()
    run_id = lab.do(kind="play")["run"]["id"]
    with store.workers.registered("runs") as worker_id:
        store.claim(worker_id)
        store.record_events(run_id, worker_id, [started(), a_step(1)])
        assert lab.do(kind="picture", index=0)["run"]["changes"] == 0
        assert lab.do(kind="design", spec=SPEC.to_dict())["run"]["changes"] == 1
        store.record_events(run_id, worker_id, [a_checkpoint(1), the_end("interrupted", 1)])
        store.sketches.settle(run_id, was_paused=True)
    assert lab.do(kind="picture", index=0)["run"]["changes"] == 1


def test_a_design_that_does_not_fit_is_repaired(store):
    data = Lab().do(kind="design", spec=CNNSpec(channels=(8,) * 8, pool_every=1).to_dict())
    assert data["message"] == ""
    assert len(data["plan"]["spec"]["channels"]) == 8


def test_what_cannot_be_done_is_a_sentence_and_changes_nothing(store):
    lab = Lab()
    before = lab.data["plan"]
    message = lab.do(kind="design", spec={"channels": [-1]})["message"]
    assert message.startswith('Entry 1 of "Channels" is -1')
    message = lab.do(kind="recipe", batch_size=10**9)["message"]
    assert message.startswith(
        '"Batch" is 1000000000, but it must be a whole number from 1 to 65,536'
    )
    assert lab.data["plan"] == before
    assert "learning rate" in lab.do(kind="recipe", epochs=3)["message"]
    assert lab.do(kind="dataset", name="nothing")["message"]
    assert lab.do(kind="no such action")["message"] == ""


def test_the_learning_rate_of_a_sketch_at_work_is_a_command(store):
    lab = Lab()
    run_id = lab.do(kind="play")["run"]["id"]
    with store.workers.registered("runs") as worker_id:
        store.claim(worker_id)
        step = StepMetrics(1, 1.0, 0.1, 1.0, 10.0, 0.1)
        store.record_events(run_id, worker_id, [Phase("running", ""), step])
        data = lab.do(kind="recipe", lr=0.01)
        assert data["recipe"]["lr"] == 0.01
        [command] = store.record_events(run_id, worker_id, [])
        assert (command.kind, command.setting, command.value) == ("set", "lr", 0.01)
        lab.do(kind="recipe", batch_size=64)
        assert store.sketches.order(run_id, 1.0, is_paused=False) == "change"


def test_a_change_can_start_with_fresh_weights(store):
    lab = Lab()
    first = lab.do(kind="play")["run"]["id"]
    second = lab.do(kind="design", spec=SPEC.to_dict(), fresh=True)["run"]
    assert (second["id"] != first, second["state"]) == (True, "queued")
    assert store.run(second["id"]).request.spec == SPEC
    assert lab.do(kind="design", spec=SPEC.to_dict(), fresh=True)["run"]["id"] == second["id"]
    lab.do(kind="pause")
    assert lab.do(kind="recipe", batch_size=16, fresh=True)["run"] is None


def test_the_comparison_with_another_design_is_a_duel_of_clean_runs(store):
    lab = Lab()
    before = CNNSpec.from_dict(lab.data["plan"]["spec"])
    lab.do(kind="play")
    assert "before" not in dict(lab.data["rivals"])
    rivals = dict(lab.do(kind="design", spec=SPEC.to_dict())["rivals"])
    assert {"before", "preset lenet5"} <= rivals.keys()
    data = lab.do(kind="compare", rival="before")
    duel = duel_state(store, parse_qs(urlsplit(data["subject"]).query)["duel"][0]).duel
    assert (duel.a.spec, duel.b.spec, duel.on) == (SPEC, before, "validation")
    assert (duel.a.recipe, duel.a.origin) == (duel.b.recipe, None)
    assert duel.a.recipe.epochs == 1
    assert "no longer there" in lab.do(kind="compare", rival="preset nothing")["message"]
    assert lab.do(kind="compare", rival="preset lenet5")["subject"]


def test_another_dataset_is_trained_on_at_once_where_the_network_was_in_training(store):
    lab = Lab()
    assert lab.do(kind="dataset", name="digits")["run"] is None
    first = lab.do(kind="play")["run"]["id"]
    assert lab.do(kind="dataset", name="digits")["run"]["id"] != first


def test_restart_replaces_the_sketch(store):
    lab = Lab()
    first = lab.do(kind="play")["run"]["id"]
    second = lab.do(kind="restart")["run"]["id"]
    assert first != second


def test_one_batch_starts_a_sketch_that_pauses(store):
    run_id = Lab().do(kind="step")["run"]["id"]
    with store.workers.registered("runs") as worker_id:
        store.claim(worker_id)
        [command] = store.record_events(run_id, worker_id, [])
        assert command.kind == "pause"


def test_keep_trains_clean_or_keeps_the_run(store):
    lab = Lab()
    run_id = lab.do(kind="play")["run"]["id"]
    assert "from fresh weights" in lab.do(kind="keep")["message"]
    [clean] = store.runs()
    assert (clean.request.spec, clean.request.recipe.epochs) == (store.run(run_id).request.spec, 1)
    data = lab.do(kind="keep", clean=False)
    assert "is kept as" in data["message"] and data["subject"].endswith(f"train?run={run_id}")
    assert {run.id for run in store.runs()} == {clean.id, run_id}
    assert data["run"]["id"] == run_id  # it stays on the screen


def test_training_goes_on_from_the_kept_run(store):
    lab = Lab()
    run_id = lab.do(kind="play")["run"]["id"]
    lab.do(kind="keep", clean=False)
    assert "is being measured" in lab.do(kind="play")["message"]
    end_at(store, step=9)
    sketch = store.run(lab.do(kind="play")["run"]["id"])
    assert sketch.is_live
    assert sketch.request.origin == Origin(run_id, 9, fitting=True)
    again = lab.do(kind="restart")
    assert store.run(again["run"]["id"]).request.origin is None


def test_fresh_weights_are_not_those_of_the_kept_run(store):
    lab = Lab()
    lab.do(kind="play")
    lab.do(kind="keep", clean=False)
    end_at(store, step=9)
    lab.do(kind="play")
    data = lab.do(kind="design", spec=SPEC.to_dict(), fresh=True)
    request = store.run(data["run"]["id"]).request
    assert (request.spec, request.origin) == (SPEC, None)


def test_a_kept_run_that_was_deleted_is_no_longer_shown(store):
    lab = Lab()
    run_id = lab.do(kind="play")["run"]["id"]
    lab.do(kind="keep", clean=False)
    end_at(store, step=9)
    store.delete(run_id)
    assert lab.do(kind="picture", index=1)["run"] is None
    assert store.run(lab.do(kind="play")["run"]["id"]).request.origin is None


def test_the_design_is_in_the_address_and_another_picture_leaves_the_sketch(store):
    lab = Lab()
    lab.do(kind="play")
    run_id = lab.do(kind="design", spec=SPEC.to_dict())["run"]["id"]
    assert {"design", "dataset"} <= {*lab.app.query_params}
    again = lab.do(kind="picture", index=4)
    assert (again["run"]["id"], again["picture"]) == (run_id, 4)


def test_a_link_opens_the_same_screen():
    data = Lab(dataset="digits", design=encode(SPEC), picture="5", seed="2").data
    assert (data["plan"]["link"], data["picture"], data["seed"]) == (encode(SPEC), 5, 2)
    damaged = Lab(dataset="digits", design="1~zz.3").data
    assert (damaged["dataset"]["name"], bool(damaged["message"])) == ("digits", True)


def test_an_address_opens_once_and_then_follows_the_state(store):
    """An address whose state is that of a first visit was read again at every rerun."""
    lab = Lab(dataset="digits")
    data = lab.do(kind="picture", index=3)
    assert (data["picture"], lab.app.query_params["picture"]) == (3, "3")
    assert lab.do(kind="recipe", lr=0.01)["recipe"]["lr"] == 0.01
    plain = Lab()
    assert not {*plain.app.query_params}
    plain.do(kind="picture", index=3)
    assert {*plain.app.query_params} == {"dataset", "design", "picture"}


def test_a_picture_that_the_dataset_does_not_have_is_a_sentence():
    lab = Lab(dataset="digits", picture="3280")
    assert (lab.data["picture"], "no unseen picture 3280" in lab.data["message"]) == (0, True)
    data = lab.do(kind="picture", index=3280)  # of the strip of another dataset, a moment before
    assert (data["picture"], "0 to" in data["message"]) == (0, True)


def test_a_link_to_a_dataset_that_is_not_there_prepares_it_and_shows_another_meanwhile(store):
    data = Lab(dataset="mnist", design=encode(SPEC)).data
    assert (data["dataset"]["name"], data["run"]) == ("digits", None)
    assert "MNIST is being prepared" in data["message"]
    [job] = store.jobs.all()
    assert (job.kind, job.args) == ("prepare", {"name": "mnist"})


def test_the_last_three_runs_that_compare_are_listed(store):
    for seed in range(4):
        finish(store, store.submit(a_request(seed=seed)), test=0.9 + seed / 100)
    finish(store, store.submit(a_request(dataset="mnist")))
    finish(store, store.submit(a_request(seed=5)), state="stopped")
    finish(store, store.submit(a_request(origin=Origin("000000000000", 3, weights_only=True))))
    store.submit(a_request(seed=6))
    assert [each["accuracy"] for each in Lab().data["recent"]] == [0.93, 0.92, 0.91]
