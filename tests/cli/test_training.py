"""The command line trains for real: digits, a few steps, in this process or in one of its own."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import sqlalchemy as sa
import torch
from example_runs import a_running_run, a_step, the_end, wait_for
from PIL import Image
from safetensors.torch import load_file

from cnnlib.cli.main import main
from cnnlib.cli.output import JsonProgress
from cnnlib.cli.run_here import _QueueTurn, follow_or_train
from cnnlib.data.prepared import load_prepared
from cnnlib.records.events import Command, Phase, RunEnd
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore
from cnnlib.runs.tables import interventions

DEADLINE_SECONDS = 120.0


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Generator[Folders]:
    """Folders that the tests of this file share: digits are prepared once, runs are many."""
    folder = tmp_path_factory.mktemp("lab")
    return Folders(data=folder / "data", runs=folder / "runs")


@pytest.fixture(autouse=True)
def in_the_lab(lab, monkeypatch) -> None:
    monkeypatch.setenv("CNNLAB_DATA", str(lab.data))
    monkeypatch.setenv("CNNLAB_RUNS", str(lab.runs))


@pytest.fixture
def store(lab) -> Generator[RunStore]:
    store = RunStore(lab)
    yield store
    store.close()


@pytest.fixture
def cli(capsys):
    """Runs one command with --json; returns its exit code and what it printed, line by line."""

    def run(*argv: str) -> tuple[int, list]:
        code = main([*argv, "--json"])
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


TINY = ("train", "--preset", "mlp", "--epochs", "2", "--train-limit", "200", "--batch-size", "50")


def test_training_prints_json_lines_and_ends_with_the_whole_result(cli, store):
    code, told = cli(*TINY, "--optimizer", "sgd", "--lr", "0.1", "--seed", "0")
    end = told[-1]
    assert code == 0
    assert [each["epoch"] for each in told if each["event"] == "epoch"] == [1, 2]
    assert told[0]["event"] == "state" and told[0]["run_id"] == end["run_id"]
    assert (end["event"], end["state"], end["epochs"]) == ("end", "finished", 2)
    # 784 * 100 + 100 + 100 * 10 + 10
    assert (end["params"], end["macs"]) == (79_510, 79_400)
    # 200 pictures in batches of 50, twice
    assert (end["step"], end["total_steps"]) == (8, 8)
    assert end["epoch_train_loss"][1] < end["epoch_train_loss"][0]
    assert end["val_accuracy"] == end["epoch_val_accuracy"][-1]
    assert 0 < end["test_accuracy"] <= 1
    assert end["seconds"] > 0 and end["images_per_second"] > 0
    assert store.run(end["run_id"]).state == "finished"


def test_one_seed_gives_one_result(cli):
    losses = [cli(*TINY, "--seed", "3")[1][-1]["epoch_train_loss"] for _ in range(2)]
    assert losses[0] == losses[1]


def test_seeds_are_trained_one_after_the_other_and_summed_up(cli):
    code, told = cli(*TINY, "--epochs", "1", "--seeds", "2")
    ends = [each for each in told if each["event"] == "end"]
    group = told[-1]
    assert code == 0
    assert group["event"] == "group"
    assert group["run_ids"] == [end["run_id"] for end in ends]
    assert group["test_accuracy"] == pytest.approx(sum(e["test_accuracy"] for e in ends) / 2)


def test_people_read_lines_and_a_result(capsys):
    assert main([*TINY, "--name", "mine"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("epoch ") for line in lines) == 2
    assert "finished after" in lines[-1] and "test" in lines[-1]


def test_a_run_that_diverges_exits_with_3(cli):
    code, told = cli(*TINY, "--optimizer", "sgd", "--lr", "1e6", "--epochs", "5")
    assert code == 3
    assert told[-1]["state"] == "diverged"
    assert told[-1]["reason"]


def test_without_epochs_the_untrained_network_is_measured(cli):
    code, told = cli(*TINY, "--epochs", "0")
    assert code == 0
    assert told[-1]["epoch_train_loss"] == []
    assert 0 <= told[-1]["test_accuracy"] < 0.5


def test_without_a_design_the_preset_of_the_dataset_is_trained(cli, store):
    code, told = cli("train", "--epochs", "0")
    assert code == 0
    assert store.run(told[-1]["run_id"]).request.preset == "mnist_fast"


def test_few_validation_pictures_are_said(capsys):
    assert main([*TINY, "--epochs", "0", "--validation", "40"]) == 0
    assert "With 40 validation pictures, accuracy moves in steps of 2.5" in capsys.readouterr().err


def test_a_fork_goes_on_from_a_saved_step_with_another_rate(cli, store):
    parent = cli(*TINY)[1][-1]["run_id"]
    code, told = cli("fork", parent, "--step", "4", "--lr", "0.0001")
    fork = store.run(told[-1]["run_id"])
    assert code == 0
    assert fork.request.origin.step == 4
    assert store.steps_after(fork.id)["step"] == [5, 6, 7, 8]


def test_a_fork_takes_the_settings_in_force_at_its_step_unless_it_names_others(cli, store):
    parent = cli(*TINY, "--schedule", "constant")[1][-1]["run_id"]
    with store.database.write() as connection:  # as if set by hand after step 3
        values = {"run_id": parent, "step": 3, "order_kind": "set", "setting": "lr", "value": 0.5}
        connection.execute(sa.insert(interventions).values(**values))

    def fork(*options: str) -> tuple[float, set[float]]:
        run = store.run(cli("fork", parent, *options)[1][-1]["run_id"])
        return run.request.recipe.lr, set(store.steps_after(run.id)["lr"])

    own = store.run(parent).request.recipe.lr
    assert fork("--step", "4") == (0.5, {0.5})
    assert fork("--step", "4", "--lr", str(own)) == (own, {own})
    assert fork("--step", "1", "--weights-only")[0] == own


def test_runs_of_the_same_request_have_titles_that_differ(cli, store):
    named = (*TINY, "--name", "twins")
    first, second = (store.run(cli(*named)[1][-1]["run_id"]) for _ in range(2))
    fork = store.run(cli("fork", first.id, "--step", "4")[1][-1]["run_id"])
    assert first.title == "twins"
    assert second.title == "twins (2)"
    assert fork.title.startswith("mlp on Digits (scikit-learn), seed 0, fork of step 4")


def test_deleting_runs_is_all_or_nothing(cli, store):
    ended = cli(*TINY)[1][-1]["run_id"]
    waiting = store.submit(store.run(ended).request)
    assert main(["delete", ended, waiting]) == 2
    assert store.run(ended).state == "finished"


def test_a_queued_run_that_nobody_takes_is_resumed_after_it_was_stopped(cli):
    run_id = cli(*TINY, "--detach")[1][0]["run_id"]
    assert cli("stop", run_id)[0] == 0
    code, told = cli("resume", run_id)
    assert (code, told[-1]["state"], told[-1]["step"]) == (0, "finished", 8)


def test_now_does_not_wait_for_a_run_at_work(cli, store):
    busy = store.submit(store.run(cli(*TINY)[1][-1]["run_id"]).request)
    worker_id = store.workers.register()
    store.claim(worker_id, busy)
    assert cli(*TINY, "--now")[0] == 0
    store.workers.unregister(worker_id)


def test_a_trained_network_predicts_pictures(cli, tmp_path, lab):
    run_id = cli(*TINY, "--epochs", "12", "--train-limit", "1200")[1][-1]["run_id"]
    prepared = load_prepared("digits", lab)
    files = [str(tmp_path / f"{number}.png") for number in range(20)]
    for file, image in zip(files, prepared.test_images[:20], strict=True):
        Image.fromarray(image[0]).save(file)
    code, (found,) = cli("predict", run_id, *files)
    assert code == 0
    assert [each["picture"] for each in found] == files
    assert all(sum(each["probabilities"].values()) == pytest.approx(1) for each in found)
    right = [
        str(label) == each["class"]
        for label, each in zip(prepared.test_labels[:20], found, strict=True)
    ]
    assert np.mean(right) >= 0.8
    inverted = tmp_path / "paper.png"
    Image.fromarray(255 - prepared.test_images[0][0]).save(inverted)
    (again,) = cli("predict", run_id, str(inverted), "--invert")[1]
    # Batches of one and of twenty are multiplied in another order.
    assert again[0]["probabilities"] == pytest.approx(found[0]["probabilities"], rel=1e-3)


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_what_is_no_picture_is_refused(content, cli, tmp_path, capsys):
    run_id = cli(*TINY, "--max-batches", "1")[1][-1]["run_id"]
    file = tmp_path / "x.png"
    if content is not None:
        file.write_bytes(content)
    assert main(["predict", run_id, str(file)]) == 2
    warning, error = capsys.readouterr().err.splitlines()
    assert "is hardly better than guessing" in warning  # it trained for a single batch
    assert error.startswith("error: ")


def test_an_exported_run_gives_the_same_scores_without_the_lab(cli, tmp_path, lab, store):
    run_id = cli(*TINY)[1][-1]["run_id"]
    folder = tmp_path / "taken"
    assert cli("export", run_id, "--to", str(folder))[0] == 0
    facts = json.loads((folder / "run.json").read_text())
    names: dict = {"__name__": "net"}
    exec((folder / "net.py").read_text(), names)
    net = names["Net"]()
    net.load_state_dict(load_file(folder / "weights.safetensors"))
    prepared = load_prepared("digits", lab)
    mean, std = (
        torch.tensor(facts["pictures"][name]).view(1, -1, 1, 1) for name in ("mean", "std")
    )
    images = (torch.from_numpy(prepared.test_images.copy()) / 255 - mean) / std
    labels = torch.from_numpy(prepared.test_labels.copy())
    with torch.inference_mode():
        accuracy = (net.eval()(images).argmax(dim=1) == labels).double().mean().item()
    assert accuracy == pytest.approx(store.run(run_id).summary["test_accuracy"], abs=1e-9)


def test_a_zip_of_pictures_is_taken_in_trained_on_and_removed(cli, tmp_path):
    archive = tmp_path / "shades.zip"
    with ZipFile(archive, "w") as file:
        for name, level in (("dark", 40), ("light", 220)):
            for number in range(10):
                picture = io.BytesIO()
                Image.new("L", (20, 20), level + number).save(picture, "PNG")
                file.writestr(f"{name}/{number}.png", picture.getvalue())
    code, (info,) = cli("data", "add", str(archive), "--size", "16", "--channels", "1")
    assert (code, info["name"], info["in_size"]) == (0, "folder:shades", [1, 16, 16])
    assert info["classes"] == ["dark", "light"]
    code, told = cli("train", "--preset", "lenet5", "--dataset", "folder:shades", "--epochs", "1")
    assert (code, told[-1]["state"]) == (0, "finished")
    assert cli("data", "remove", "folder:shades")[0] == 0
    listed = cli("data", "list")[1][0]
    assert "folder:shades" not in [each["name"] for each in listed]


# -- signals, and readers that go away -------------------------------------------------------------


ENDLESS = ("train", "--preset", "mlp", "--epochs", "5000")


def once_it_trains(store: RunStore, act: Callable[[], object]) -> threading.Thread:
    """Do something as soon as a run of this store makes steps."""

    def wait_and_act() -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            if any(run.step for run in store.runs(states=["running"])):
                act()
                return
            time.sleep(0.02)

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


def checkpoint_steps(store: RunStore, run_id: str) -> list[int]:
    return [saved.step for saved in store.saved_weights(run_id) if saved.what == "checkpoint"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_a_checkpoint_from_which_it_goes_on(number, cli, store):
    thread = once_it_trains(store, lambda: os.kill(os.getpid(), number))
    code, told = cli(*ENDLESS)
    thread.join()
    run_id, step = told[-1]["run_id"], told[-1]["step"]
    assert (code, told[-1]["state"]) == (130, "interrupted")
    assert checkpoint_steps(store, run_id)[-1] == step > 0

    thread = once_it_trains(store, lambda: store.submit_command(run_id, Command("stop")))
    code, told = cli("resume", run_id)
    thread.join()
    assert (code, told[-1]["state"]) == (0, "stopped")
    assert told[-1]["step"] >= step
    steps = store.steps_after(run_id, 0, 10**6)["step"]
    assert steps == list(range(1, told[-1]["step"] + 1))


def test_ctrl_c_interrupts_a_run_that_another_process_trains(cli, store):
    run_id = cli(*TINY, "--detach")[1][0]["run_id"]
    worker_id = store.workers.register()
    store.claim(worker_id, run_id)
    store.record_events(run_id, worker_id, [Phase("running", ""), a_step(1)])
    orders = []
    before = signal.getsignal(signal.SIGINT)

    def be_the_worker() -> None:
        while signal.getsignal(signal.SIGINT) is before:  # until the command handles the key
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        while not orders:
            orders.extend(store.record_events(run_id, worker_id, []))
        store.record_events(run_id, worker_id, [RunEnd("interrupted", "", 1)])

    thread = once_it_trains(store, be_the_worker)
    code = follow_or_train(store, run_id, JsonProgress())
    thread.join()
    store.workers.unregister(worker_id)
    assert (code, [order.kind for order in orders]) == (130, ["interrupt"])


def test_ctrl_c_interrupts_all_seeds_and_one_command_continues_them(store, capsys):
    thread = once_it_trains(store, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert main([*ENDLESS, "--seeds", "3"]) == 130
    thread.join()
    printed = capsys.readouterr().out.splitlines()
    last, second, first = store.runs(limit=3)
    assert [run.state for run in (first, second, last)] == ["interrupted"] * 3
    group = first.request.group
    assert printed[-1] == (
        "Interrupted: of 3 runs, 1 keeps its steps, 2 have not begun. To continue: "
        f"'python -m cnnlib resume {group}'."
    )
    assert not any(line.startswith("mean of") for line in printed)

    def end_each() -> None:
        for run in (first, second, last):
            wait_for(lambda run=run: store.run(run.id).state == "running")
            store.submit_command(run.id, Command("stop"))

    thread = threading.Thread(target=end_each)
    thread.start()
    assert main(["resume", group]) == 0
    thread.join()
    assert [store.run(run.id).state for run in (first, second, last)] == ["stopped"] * 3
    assert store.run(first.id).step >= first.step


def test_several_runs_are_continued_by_their_ids(cli):
    ids = [cli(*TINY, "--detach")[1][0]["run_id"] for _ in range(2)]
    code, told = cli("resume", *ids)
    assert code == 0
    assert [each["run_id"] for each in told if each["event"] == "end"] == ids


def test_a_run_that_trains_here_at_once_is_not_said_to_wait_for_a_worker(store, capsys):
    for left in store.runs(states=["queued"]):  # by other tests
        store.submit_command(left.id, Command("stop"))
    for options in ((), ("--now",)):
        assert main([*TINY, *options]) == 0
        assert "waits for" not in capsys.readouterr().out


def test_a_name_stands_as_it_was_given(store, capsys):
    assert main([*TINY, "--name", "just so", "--epochs", "0"]) == 0
    assert store.runs(limit=1)[0].title == "just so"
    assert main([*TINY, "--name", "just so", "--epochs", "0", "--seeds", "2"]) == 0
    titles = [run.title for run in store.runs(limit=2)]
    assert titles == [
        "just so on Digits (scikit-learn), seed 1",
        "just so on Digits (scikit-learn), seed 0",
    ]


def test_a_diverged_run_names_the_command_that_goes_on_from_it(store, tmp_path, capsys):
    assert main([*TINY, "--optimizer", "sgd", "--lr", "1e6", "--epochs", "5"]) == 3
    run = store.runs(limit=1)[0]
    advice = capsys.readouterr().out.splitlines()[-1]
    assert "learning rate 0.003, the lowest of the lab's recipes with SGD: " in advice
    assert f"'python -m cnnlib fork {run.id} --step 0 --lr 0.003'" in advice
    for argv in (("resume", run.id), ("inspect", "errors", run.id)):
        assert main([*argv]) == 2
        refusal = capsys.readouterr().err
        assert advice in refusal and "Let it finish" not in refusal
    assert main(["runs", "show", run.id]) == 0
    assert advice in capsys.readouterr().out
    picture = tmp_path / "a.png"
    Image.fromarray(np.arange(28 * 28, dtype="uint8").reshape(28, 28)).save(picture)
    for word in ("predict", "read"):
        main([word, run.id, str(picture)])  # refused where the outputs are not numbers
        assert f"The run {run.id} diverged" in capsys.readouterr().err
    command = advice.partition("cnnlib ")[2].rstrip("'.").split()
    assert main([*command, "--detach"]) == 0
    fork = store.runs(limit=1)[0]
    assert fork.request.origin.run_id == run.id
    store.submit_command(fork.id, Command("stop"))


def test_a_run_waits_its_turn_and_says_for_what(cli, store, capsys):
    run_id = cli(*TINY, "--detach")[1][0]["run_id"]
    busy = store.submit(store.run(run_id).request)
    worker_id = store.workers.register()
    store.claim(worker_id, busy)
    waiting = threading.Timer(3.0, store.record_events, (busy, worker_id, [RunEnd("finished")]))
    waiting.start()
    assert follow_or_train(store, run_id, JsonProgress()) == 0
    waiting.join()
    store.workers.unregister(worker_id)
    assert f"Run {busy} is starting, so this run waits" in capsys.readouterr().err


def test_a_run_that_has_just_started_elsewhere_does_not_wait_for_itself(store, capsys):
    run_id, worker_id = a_running_run(store)
    update = {"run_id": run_id, "state": "queued", "queue_position": 1}  # read before its start
    assert not _QueueTurn(store, skip=False).is_our_turn(update)
    assert capsys.readouterr().err == ""
    store.record_events(run_id, worker_id, [the_end()])
    store.workers.unregister(worker_id)


def test_a_reader_that_goes_away_ends_the_run_with_a_checkpoint(store, monkeypatch):
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        thread = once_it_trains(store, lambda: os.close(reading))
        assert main([*ENDLESS, "--json"]) == 1
        thread.join()
    run = store.runs(limit=1)[0]
    assert run.state == "interrupted"
    assert checkpoint_steps(store, run.id)[-1] == run.step


# -- in a process of its own -----------------------------------------------------------------------


def start(*argv: str) -> subprocess.Popen:
    """The command line in a process of its own, as people start it."""
    command = [sys.executable, "-W", "error", "-m", "cnnlib", *argv]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, cwd=Path(__file__).parents[2], **pipes)


def await_step(process: subprocess.Popen) -> str:
    """Read what a training process tells until it made a step; returns the run's id."""
    for line in process.stdout:
        if (told := json.loads(line))["event"] == "step":
            return told["run_id"]
    pytest.fail(f"it ended before its first step: {process.stderr.read()}")


def test_ctrl_c_exits_with_130_and_says_nothing_on_standard_error():
    with start(*ENDLESS, "--json") as process:
        await_step(process)
        if sys.platform == "linux":  # it reads the variables of a worker when it starts
            environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
            assert b"MALLOC_TOP_PAD_=268435456" in environment
        process.send_signal(signal.SIGINT)
        told, err = process.communicate(timeout=DEADLINE_SECONDS)
    assert (process.returncode, err) == (130, "")
    assert json.loads(told.splitlines()[-1])["state"] == "interrupted"


def test_a_killed_run_is_lost_and_whoever_watches_exits_with_3(cli):
    with start(*ENDLESS, "--json") as process:
        run_id = await_step(process)
        process.kill()
        process.communicate(timeout=DEADLINE_SECONDS)
    code, told = cli("watch", run_id)
    assert (code, told[-1]["state"]) == (3, "lost")
    assert "Resume the run" in told[-1]["reason"]


def test_a_list_whose_reader_goes_away_ends_quietly():
    with start("presets", "--json") as process:
        process.stdout.close()
        process.wait(timeout=DEADLINE_SECONDS)
        assert process.stderr.read() == ""


def test_listing_presets_imports_nothing_heavy():
    ask = "from cnnlib.cli.main import main; main(['presets']); import sys; "
    ask += "sys.exit(sorted({'torch', 'numpy', 'pandas', 'sqlalchemy'} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
