"""Tests of class mode: runs belong to persons, owners take turns, and limits are enforced."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

import pytest
from example_runs import a_request, a_running_run, a_store, started, steps, the_end

from cnnlib.compare.annotations import Annotation
from cnnlib.compare.results_table import ResultsTable
from cnnlib.errors import LimitError, RightsError, StoreError
from cnnlib.experiments.duel import Duel, duel_state, start_duel
from cnnlib.experiments.grid import start_grid
from cnnlib.experiments.study import advance_studies
from cnnlib.records.events import Command
from cnnlib.runs import RunStore, studies
from cnnlib.runs.access.dataset_owners import (
    check_dataset,
    check_upload,
    dataset_owner,
    record_dataset_owner,
    removing_dataset,
)
from cnnlib.runs.archive.archive import export_bytes, import_runs
from cnnlib.runs.polling import metrics_since


@pytest.fixture
def store(tmp_path, store_address) -> Generator[RunStore]:
    """The operator's store."""
    with closing(a_store(tmp_path, store_address)) as store:
        yield store


@pytest.fixture
def ada(store) -> RunStore:
    return store.on_behalf_of("ada")


@pytest.fixture
def bob(store) -> RunStore:
    return store.on_behalf_of("bob")


def with_settings(store: RunStore, text: str) -> RunStore:
    """The store with a new settings file, which it reads at the first access."""
    (store.folders.runs / "cnnlab.toml").write_text(text)
    return store


# -- owners ----------------------------------------------------------------------------------------


def test_a_run_belongs_to_its_submitter(store, ada):
    assert store.run(ada.submit(a_request())).owner == "ada"
    assert store.run(store.submit(a_request())).owner == ""


@pytest.mark.parametrize("kind", ["pause", "resume", "step", "stop", "set"])
def test_another_person_does_not_control_a_run(kind, ada, bob):
    run_id = ada.submit(a_request())
    command = Command(kind, "lr", 0.1) if kind == "set" else Command(kind)
    with pytest.raises(RightsError, match=f"The run {run_id} belongs to another person"):
        bob.submit_command(run_id, command)
    assert ada.run(run_id).state == "queued"


def test_another_person_looks_inside_a_run_that_trains(ada, bob):
    run_id, _ = a_running_run(ada)
    assert bob.submit_command(run_id, Command("look")) > 0


@pytest.mark.parametrize(
    "change",
    [
        lambda store, run_id: store.delete(run_id),
        lambda store, run_id: store.rename(run_id, "mine"),
        lambda store, run_id: store.resume(run_id),
        lambda store, run_id: ResultsTable(store).move_to_trash([store.run(run_id)]),
    ],
    ids=["delete", "rename", "resume", "move to trash"],
)
def test_another_person_does_not_change_a_run_that_has_ended(change, store, ada, bob):
    run_id = ada.submit(a_request())
    ada.submit_command(run_id, Command("stop"))
    before = store.run(run_id)
    with pytest.raises(RightsError):
        change(bob, run_id)
    assert store.run(run_id) == before
    change(ada, run_id)


def test_the_operator_does_everything(store, ada):
    run_id = ada.submit(a_request())
    store.rename(run_id, "shown in class")
    store.submit_command(run_id, Command("stop"))
    store.delete(run_id)
    assert store.runs() == []


def test_another_person_does_not_stop_a_job(ada, bob):
    job_id = ada.jobs.submit("prepare", {"name": "mnist"})
    with pytest.raises(RightsError, match=f"The job {job_id}"):
        bob.jobs.stop(job_id)
    assert ada.jobs.find(job_id).state == "queued"
    ada.jobs.stop(job_id)
    assert ada.jobs.find(job_id).state == "stopped"


def test_a_duel_and_its_runs_belong_to_the_person_who_started_it(store, ada, bob):
    duel = Duel(a_request(mode="cpu-1"), a_request(epochs=3, mode="cpu-1"), "A", "B")
    duel_id = start_duel(ada, duel)
    assert {run.owner for run in store.runs()} == {"ada"}
    with pytest.raises(RightsError, match=f"The duel {duel_id}"):
        studies.stop(bob, duel_id)
    assert duel_state(bob, duel_id).state == "live"
    studies.stop(ada, duel_id)
    assert duel_state(bob, duel_id).state == "stopped"


def test_imported_runs_belong_to_the_importer(store, ada, tmp_path):
    run_id, worker_id = a_running_run(ada)
    store.record_events(run_id, worker_id, [*steps(1, 20), the_end()])
    archive = tmp_path / "runs.zip"
    archive.write_bytes(export_bytes(store, [run_id]))
    with closing(a_store(tmp_path / "elsewhere")) as elsewhere:
        [run_id] = import_runs(elsewhere.on_behalf_of("bob"), archive)
        assert elsewhere.run(run_id).owner == "bob"


def test_notes_are_each_persons_own(store, ada, bob):
    for table, name in (
        (ResultsTable(ada), "ada's"),
        (ResultsTable(bob), "bob's"),
        (ResultsTable(store), "the teacher's"),
    ):
        table.annotate("0123", Annotation(name=name))
    assert ResultsTable(ada).annotations() == {"0123": Annotation(name="ada's")}
    assert ResultsTable(store).annotations() == {"0123": Annotation(name="the teacher's")}


def test_the_waste_basket_gives_back_ones_own_runs(store, ada, bob):
    run_id = ada.submit(a_request())
    ada.submit_command(run_id, Command("stop"))
    ResultsTable(ada).move_to_trash([ada.run(run_id)])
    ResultsTable(bob).restore([run_id])
    assert ResultsTable(bob).empty_trash() == []
    assert list(ResultsTable(store).trash()) == [run_id]
    ResultsTable(ada).restore([run_id])
    assert ResultsTable(store).trash() == {}


def test_a_dataset_belongs_to_its_uploader(store, ada, bob):
    record_dataset_owner(ada, "folder:leaves")
    with pytest.raises(RightsError, match="The dataset folder:leaves"):
        check_dataset(bob, "folder:leaves")
    check_dataset(ada, "folder:leaves")
    check_dataset(store, "folder:leaves")


def test_a_dataset_that_was_removed_is_nobodys_and_one_that_was_not_stays(store, ada, bob):
    record_dataset_owner(ada, "folder:leaves")
    with pytest.raises(RightsError), removing_dataset(bob, "folder:leaves"):
        raise AssertionError("nothing of hers is removed")
    with pytest.raises(StoreError), removing_dataset(ada, "folder:leaves"):
        raise StoreError("It is being prepared.")
    assert dataset_owner(store, "folder:leaves") == "ada"
    with removing_dataset(store, "folder:leaves"):
        pass
    assert dataset_owner(store, "folder:leaves") == ""


def test_what_lies_in_the_data_folder_is_the_operators(ada):
    with pytest.raises(RightsError):
        check_dataset(ada, "mnist")


# -- turns -----------------------------------------------------------------------------------------


def test_people_take_turns_whoever_asked_for_more(store, ada, bob):
    # Ada asks for three, then Bob for two, then the teacher for one: each one's first, then each
    # one's second, and so on.
    first, second, third = (ada.submit(a_request()) for _ in range(3))
    one, two = bob.submit(a_request()), bob.submit(a_request())
    teachers = store.submit(a_request())
    order = [first, one, teachers, second, two, third]
    assert [store.position(run_id) for run_id in order] == [1, 2, 3, 4, 5, 6]
    worker_id = store.workers.register()
    for place, run_id in enumerate(order):  # the announced place is right at every step
        left = [store.position(each) for each in order[place:]]
        assert left == list(range(1, len(left) + 1))
        assert store.claim(worker_id).id == run_id


def test_who_was_served_last_waits_for_the_others(store, ada, bob):
    worker_id = store.workers.register()
    ada.submit(a_request())
    store.claim(worker_id)
    again = ada.submit(a_request())
    newcomer = bob.submit(a_request())
    assert [store.position(newcomer), store.position(again)] == [1, 2]


def test_deleting_what_has_run_wins_no_turn(store, ada, bob):
    worker_id = store.workers.register()
    done = ada.submit(a_request())
    store.claim(worker_id)
    store.record_events(done, worker_id, [started(), the_end()])
    again = ada.submit(a_request())
    newcomer = bob.submit(a_request())
    ada.delete(done)
    assert [store.position(newcomer), store.position(again)] == [1, 2]


def test_what_the_operator_wants_now_goes_before_everybody(store, ada):
    first, second = store.submit(a_request()), ada.submit(a_request())
    urgent = store.submit(a_request(), now=True)
    more_urgent = store.submit(a_request(), now=True)
    order = [more_urgent, urgent, first, second]
    assert [store.position(run_id) for run_id in order] == [1, 2, 3, 4]


def test_the_wait_is_that_of_the_runs_whose_turn_is_sooner(store, ada, bob):
    running, worker_id = a_running_run(store)
    store.record_events(running, worker_id, steps(1, 10))  # 10 of 20 steps left at 0.1 s: 1 s
    ada.submit(a_request(epochs=4), forecast={"seconds_per_epoch": 2.0})  # 8 s
    last = ada.submit(a_request(), forecast={"seconds_per_epoch": 5.0})
    bobs = bob.submit(a_request(epochs=1), forecast={"seconds_per_epoch": 3.0})  # 3 s
    assert metrics_since(store, bobs)["wait_seconds"] == pytest.approx(1 + 8)
    assert metrics_since(store, last)["wait_seconds"] == pytest.approx(1 + 8 + 3)


# -- limits ----------------------------------------------------------------------------------------


def test_as_many_runs_wait_as_a_person_may_have(store):
    ada = with_settings(store, "[person]\nruns_waiting = 2\n").on_behalf_of("ada")
    ada.submit(a_request())
    run_id = ada.submit(a_request())
    with pytest.raises(LimitError, match="You would have 3 runs in the queue.* is 2 per person"):
        ada.submit(a_request())
    ada.submit_command(run_id, Command("stop"))
    ada.submit(a_request())


def test_as_many_runs_wait_as_the_machine_takes(store):
    limited = with_settings(store, "[machine]\nruns_waiting = 1\n")
    limited.on_behalf_of("ada").submit(a_request())
    with pytest.raises(LimitError, match="queue of this server has 1 run; the limit is 1"):
        limited.on_behalf_of("bob").submit(a_request())


def test_the_operator_has_no_limits(store):
    limited = with_settings(store, "[person]\nepochs = 1\nruns_waiting = 0\n")
    limited.submit(a_request(epochs=2))


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        # One convolution to 4 channels on 28 x 28: 4 * (9 + 1) + 10 * (4 * 14 * 14 + 1) = 7,890,
        # 4 * 9 * 28 * 28 + 10 * 784 = 36,064 MACs.
        ("parameters = 7_889", "7,890 parameters, but the limit on this server is 7,889"),
        ("macs = 36_063", "36,064 MACs per picture"),
        ("epochs = 1", "2 epochs"),
        ("memory_mb = 0", "of memory, but the limit on this server is 0 B"),
    ],
)
def test_a_run_is_as_large_as_a_persons_may_be(limit, sentence, store):
    ada = with_settings(store, f"[person]\n{limit}\n").on_behalf_of("ada")
    with pytest.raises(LimitError, match=sentence):
        ada.submit(a_request(epochs=2))


def test_a_run_at_the_edge_of_all_limits_is_taken(store):
    edge = "[person]\nparameters = 7_890\nmacs = 36_064\nepochs = 2\nruns_waiting = 1\n"
    with_settings(store, edge).on_behalf_of("ada").submit(a_request(epochs=2))


def test_weights_take_as_much_disk_as_a_persons_may(store):
    from cnnlib.records.events import WeightsSaved

    ada = with_settings(store, "[person]\ndisk_mb = 1\n").on_behalf_of("ada")
    run_id, worker_id = a_running_run(ada)
    store.record_events(run_id, worker_id, [WeightsSaved(1, "a", "snapshot", 1_000_000)])
    ada.submit(a_request())
    store.record_events(run_id, worker_id, [WeightsSaved(2, "b", "snapshot", 500_000)])
    sentence = "would need 1.5 MB on disk, but the limit on this server is 1 MB"
    with pytest.raises(LimitError, match=sentence):
        ada.submit(a_request())
    store.on_behalf_of("bob").submit(a_request())


def test_an_upload_is_as_large_as_a_persons_may_be(store):
    ada = with_settings(store, "[person]\nupload_mb = 1\nuploads = 1\n").on_behalf_of("ada")
    check_upload(ada, 1_000_000)
    with pytest.raises(
        LimitError,
        match="The file is 1,000,001 bytes, but the limit for an upload .* is 1,000,000 bytes",
    ):
        check_upload(ada, 1_000_001)  # three digits of it are 1 MB as well
    with pytest.raises(
        LimitError, match="The file is 1.5 MB, but the limit for an upload .* is 1 MB"
    ):
        check_upload(ada, 1_500_000)
    record_dataset_owner(ada, "folder:leaves")
    with pytest.raises(LimitError, match="You have 1 dataset, the limit"):
        check_upload(ada, 10)


def test_as_many_jobs_wait_as_a_person_may_have(store):
    ada = with_settings(store, "[person]\njobs_waiting = 1\n").on_behalf_of("ada")
    ada.jobs.submit("prepare", {"name": "mnist"})
    with pytest.raises(LimitError, match="You have 1 job waiting or running"):
        ada.jobs.submit("prepare", {"name": "cifar10"})


def test_a_plan_that_asks_for_too_much_leaves_nothing_behind(store):
    ada = with_settings(store, "[person]\nruns_waiting = 3\n").on_behalf_of("ada")
    with pytest.raises(LimitError, match="You would have 4 runs in the queue"):
        start_grid(ada, a_request(), {"lr": [0.1, 0.01]}, seeds=2)
    assert studies.find_all(store, ["grid"]) == []
    assert store.runs() == []


def test_a_plan_ends_where_its_next_run_would_be_too_large(store, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # A's first run chooses the execution mode
    ada = store.on_behalf_of("ada")
    duel = Duel(a_request(), a_request(epochs=3), "A", "B")
    duel_id = start_duel(ada, duel)
    [first] = store.runs()
    worker_id = store.workers.register()
    store.claim(worker_id)
    store.record_events(first.id, worker_id, [replace(started(), chosen={"mode": "cpu-1"})])
    limited = with_settings(store, "[person]\nepochs = 2\n")
    advance_studies(limited)
    state = duel_state(store, duel_id)
    assert state.state == "stopped"
    assert "3 epochs" in state.problem


def test_nobody_trains_on_the_drawings_of_another_person(store, ada):
    record_dataset_owner(store.on_behalf_of("bob"), "folder:drawings for digits, bob")
    record_dataset_owner(ada, "folder:drawings for digits, ada")
    with pytest.raises(RightsError, match="belongs to another person"):
        ada.submit(a_request_on("folder:drawings for digits, bob"))
    assert store.runs() == []
    ada.submit(a_request_on("folder:drawings for digits, ada"))
    store.submit(a_request_on("folder:drawings for digits, bob"))  # the operator may


def a_request_on(dataset: str):
    return replace(a_request(), dataset=dataset)
