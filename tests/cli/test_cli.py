"""The command line without training: what it prints, and what it says of wrong input."""

import argparse
import contextlib
import io
import json
import os
import runpy
import sys
from contextlib import closing
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pytest
from example_runs import (
    a_checkpoint,
    a_request,
    a_running_run,
    a_step,
    a_stopped_end,
    an_epoch,
    started,
    the_end,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sample_data import class_folders, encoded, write_folder, write_zip

import cnnlib
from cnnlib.cli.main import main, parser
from cnnlib.cli.output import TextProgress, one_line, plain
from cnnlib.cli.run_options import HELP
from cnnlib.design.cost import cost
from cnnlib.design.link import encode
from cnnlib.design.plan import plan
from cnnlib.design.presets import preset, presets
from cnnlib.design.spec import CNNSpec
from cnnlib.records.events import Command
from cnnlib.records.folders import Folders, app_folder
from cnnlib.records.recipe import Augmentation, Recipe
from cnnlib.runs import RunStore
from cnnlib.runs.access.dataset_owners import dataset_owner, record_dataset_owner

LENET = preset("lenet5").spec


@pytest.fixture
def run_cli(capsys):
    """Runs one command; returns exit code, standard output, standard error."""

    def run(*argv: str) -> tuple[int, str, str]:
        code = main(argv)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def refused(run_cli):
    """Runs a command that must be refused; returns the one sentence that it says."""

    def run(*argv: str) -> str:
        code, out, err = run_cli(*argv)
        assert (code, out) == (2, "")
        assert err.startswith("error: ") and err.count("\n") == 1 and err.endswith(".\n"), err
        assert not Path(os.environ["CNNLAB_RUNS"]).exists(), "something was written"
        return err

    return run


@pytest.fixture
def store():
    """The run store that the environment of the test names."""
    store = RunStore()
    yield store
    store.close()


def piped(content: bytes) -> io.TextIOWrapper:
    """A standard input that holds this and no more."""
    return io.TextIOWrapper(io.BytesIO(content))


def write(path: Path, value) -> str:
    """A file with a value as JSON, or with text or bytes as they are."""
    if isinstance(value, bytes):
        path.write_bytes(value)
    else:
        path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


# -- designs ---------------------------------------------------------------------------------------


def test_presets_are_listed_with_their_counts(run_cli):
    code, out, err = run_cli("presets")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["name", "params", "macs", "description"]
    assert any(line.startswith("lenet5") and "106,154" in line for line in lines)
    assert len(lines) == 2 + len(presets())


def test_presets_as_json_can_be_read_back_as_designs(run_cli):
    listed = json.loads(run_cli("presets", "--json")[1])
    assert [each["name"] for each in listed] == [each.name for each in presets()]
    assert [CNNSpec.from_dict(each["spec"]) for each in listed] == [p.spec for p in presets()]


def test_cost_prints_every_total_of_the_library(run_cli):
    facts = json.loads(
        run_cli(
            "cost", "--preset", "lenet5", "--batch-size", "64", "--optimizer", "adam", "--json"
        )[1]
    )
    expected = cost(plan(LENET), batch_size=64, optimizer="adam")
    assert facts["params"] == 106_154
    totals = asdict(expected)
    del totals["layers"]
    assert {name: facts[name] for name in totals} == totals
    assert [row["macs"] for row in facts["layers"]] == [row.macs for row in expected.layers]


def test_cost_explains_a_receptive_field_that_is_larger_than_the_picture(run_cli):
    assert "picture without edges" in run_cli("cost", "--preset", "resnet20")[1]
    out = run_cli("cost", "--spec", "1~ch.4~head.gap~in.1x40x40~pool.max~every.0~p.0")[1]
    assert "picture without edges" not in out


@pytest.mark.parametrize(
    ("argv", "start"),
    [
        (("--epochs", "-3"), "error: --epochs is -3, but"),
        (("--batch-size=100000",), "error: --batch-size is 100000, but"),
        (("--clip-grad-norm", "0"), "error: --clip-grad-norm is 0.0, but"),
        (("--split-seed", "-1"), "error: --split-seed is -1, but"),
        (("--train-limit", "0"), "error: --train-limit is 0, but"),
        (("--cutout", "99"), "error: --cutout is 99 pixels, but the pictures are 28 x 28"),
        (("--shift", "28"), "error: --shift is 28 pixels, but the pictures are 28 x 28"),
        (("--max-batches", "0"), "error: --max-batches: '0' is not a whole number from 1"),
        (("--validation", "1.0"), "error: --validation: '1.0' is neither a fraction below 1"),
        (
            ("--precision", "fastest", "--mode", "t1-nhwc-fp32"),
            "error: --mode t1-nhwc-fp32 computes in fp32, so it does not go together with "
            "--precision fastest.",
        ),
    ],
)
def test_an_error_names_the_option_that_was_given(argv, start, refused):
    assert refused("train", "--dataset", "digits", "--preset", "lenet5", *argv).startswith(start)


@pytest.mark.parametrize(
    "argv",
    [
        ("cost", "--preset", "lenet5", "--batch-size", "1" + "0" * 20),
        ("app", "--port", "1" + "0" * 20),
        ("runs", "--limit", "-1"),
        ("table", "--limit", "0"),
    ],
)
def test_a_number_out_of_range_is_refused_with_the_range(argv, refused):
    assert "is not a whole number from 1 to" in refused(*argv)


def test_cost_has_a_line_for_each_layer(run_cli):
    out = run_cli("cost", "--preset", "resnet20")[1]
    assert all(leaf.name in out for leaf in plan(preset("resnet20").spec).walk())


def test_a_preset_is_fitted_to_a_dataset(run_cli):
    facts = json.loads(run_cli("cost", "--preset", "lenet5", "--dataset", "cifar100", "--json")[1])
    assert facts["spec"]["in_size"] == [3, 32, 32]
    assert facts["spec"]["out_classes"] == 100


@pytest.mark.parametrize("form", ["file", "link", "address", "pipe"])
def test_a_design_may_come_as_a_file_a_link_an_address_or_through_a_pipe(
    form, tmp_path, run_cli, monkeypatch
):
    file = write(tmp_path / "design.json", LENET.to_dict())
    monkeypatch.setattr("sys.stdin", piped(json.dumps(LENET.to_dict()).encode()))
    link = encode(LENET)
    spec = {
        "file": file,
        "link": link,
        "address": f"http://localhost:8501/build?design={link}&x=1",
        "pipe": "-",
    }[form]
    code, out, _ = run_cli("cost", "--spec", spec, "--json")
    assert code == 0
    assert CNNSpec.from_dict(json.loads(out)["spec"]) == LENET


# -- wrong input -----------------------------------------------------------------------------------

WRONG_OPTIONS = {
    "--dataset": [
        "minst",
        "",
        "folder:",
        "folder:nowhere",
        "folder:../x",
        "folder:a\x00b",
        "\udcff",
    ],
    "--preset": ["lenet", "", "LENET5"],
    "--recipe": ["fast", ""],
    "--epochs": ["-1", "1.5", "x", "", "10001", "9" * 5000, "nan"],
    "--batch-size": ["0", "-8", "70000", "1e3"],
    "--optimizer": ["sdg", "", "SGD"],
    "--lr": ["-0.1", "nan", "inf", "x", ""],
    "--momentum": ["1", "-0.1", "nan"],
    "--weight-decay": ["-1", "inf"],
    "--schedule": ["linear", ""],
    "--step-epochs": ["0", "x"],
    "--step-factor": ["0", "2", "nan"],
    "--warmup": ["-0.1", "1.1"],
    "--label-smoothing": ["1", "-0.1", "nan"],
    "--clip-grad-norm": ["0", "-1", "x"],
    "--patience": ["0", "x", "-1"],
    "--max-batches": ["-1", "x"],
    "--class-balance": ["weight", "", "NONE"],
    "--shift": ["-1", "65", "x"],
    "--cutout": ["-1", "999"],
    "--seed": ["-1", "x", str(2**31)],
    "--seeds": ["0", "-1", "21", "x"],
    "--split-seed": ["-1", "x"],
    "--validation": ["-0.1", "nan", "inf", "x", "1.5", "1000000"],
    "--train-limit": ["0", "-1", "x", "1000000"],
    "--device": ["gpu", "tpu"],
    "--mode": ["fast", "t0-nchw-fp32", "t999-nchw-fp32", "x" * 200],
    "--name": ["x" * 121],
    "--now": ["--detach"],
}


@pytest.mark.parametrize(
    ("option", "value"),
    [(option, value) for option, values in WRONG_OPTIONS.items() for value in values],
    ids=lambda text: ascii(text[:20]),
)
def test_a_wrong_value_of_an_option_is_refused_in_one_sentence(option, value, refused):
    design = [] if option == "--preset" else ["--preset", "lenet5"]
    sentence = refused("train", *design, option, value)
    name = value if value.startswith("folder:no") else option.strip("-")
    assert name.replace("-", " ") in sentence.lower().replace("-", " ").replace("_", " ")


def test_every_field_of_a_recipe_has_an_option_and_wrong_values_to_test_it():
    names = {f.name for record in (Recipe, Augmentation) for f in fields(record)} - {"augmentation"}
    assert set(HELP) == names
    flags = {"decay_norm_and_bias", "restore_best", "test_each_epoch", "flip"}
    tested = {option.strip("-").replace("-", "_") for option in WRONG_OPTIONS}
    assert names - flags <= tested


WRONG_FILES = {
    "unknown field": {"chanels": [6]},
    "negative channels": {"channels": [-6]},
    "text for a number": {"channels": ["6"]},
    "a kernel larger than its input": {"channels": [6], "kernel_size": 63, "padding": 0},
    "too much pooling": {"channels": [6] * 9},
    "unknown activation": {"activation": "rely"},
    "no classes": {"out_classes": 0},
    "flat pictures": {"in_size": [28, 28]},
    "negative size": {"in_size": [1, -28, 28]},
    "too large": {"hidden_dims": [16384] * 32},
    "not a number": '{"dropout": NaN}',
    "endless": '{"dropout": Infinity}',
    "a number of thousands of digits": '{"out_classes": ' + "9" * 5000 + "}",
    "half a file": '{"channels": [6, 16',
    "empty": "",
    "a list": [1, 2],
    "a number": 5,
    "nothing": "null",
    "a stem of text": {"stem": "x"},
    "binary": bytes(range(256)),
    "an image": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "UTF-16": '{"channels": [6]}'.encode("utf-16")[:-1],
    "deeply nested": "[" * 100_000,
    "huge": " " * 1_000_001,
}


@pytest.mark.parametrize("command", ["cost", "train", "export"])
@pytest.mark.parametrize("kind", WRONG_FILES)
def test_a_wrong_design_file_is_refused_in_one_sentence(kind, command, tmp_path, refused):
    file = write(tmp_path / "design.json", WRONG_FILES[kind])
    target = tmp_path / "out"
    refused(command, "--spec", file, *(["--to", str(target)] if command == "export" else []))
    assert not target.exists()


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "nowhere.json",
        "/",
        "a\x00b",
        "x" * 5000,
        "1",
        "1~",
        "1~ch.0",
        "2~ch.6",
        "\udcff",
        "http://localhost/build",
        "http://[",
        "http://x/?design=1~zz.1",
    ],
)
def test_a_design_that_is_not_there_is_refused_in_one_sentence(spec, refused):
    refused("train", "--spec", spec)


def test_a_design_for_other_pictures_is_refused_unless_it_is_to_be_adapted(refused, run_cli):
    spec = encode(LENET)
    sentence = refused("train", "--spec", spec, "--dataset", "cifar10")
    assert "1 x 28 x 28 pictures and 10 classes, but cifar10 has 3 x 32 x 32" in sentence
    _code, out, _ = run_cli("cost", "--spec", spec, "--dataset", "cifar10", "--adapt", "--json")
    assert json.loads(out)["spec"]["in_size"] == [3, 32, 32]


def test_a_design_that_does_not_fit_comes_with_its_repair(refused):
    sentence = refused("cost", "--spec", "1~ch.8x9")
    assert "The window of the fifth pooling layer " in sentence
    assert "(Layer: features.pool5.) A change that works: " in sentence


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["trian"],
        ["train", "--preset", "lenet5", "--spec", "x"],
        ["train", "--preset", "lenet5", "extra"],
        ["train", "--preset"],
        ["train", "--preset", "lenet5", "--epoch", "3"],
        ["cost"],
        ["cost", "--preset", "lenet5", "--batch-size", "0"],
        ["cost", "--preset", "lenet5", "--optimizer", "muon2"],
        ["runs", "--state", "done"],
        ["runs", "--limit", "x"],
        ["runs", "show"],
        ["runs", "show", "../x"],
        ["runs", "show", "\udcff"],
        ["runs", "hide", "x"],
        ["watch", "nosuchrun"],
        ["pause", "nosuchrun"],
        ["resume", "nosuchrun"],
        ["set", "nosuchrun", "lr"],
        ["set", "nosuchrun", "lr=x"],
        ["set", "nosuchrun", "lr=-1"],
        ["set", "nosuchrun", "rate=0.1"],
        ["fork", "nosuchrun", "--step", "x"],
        ["delete", "nosuchrun"],
        ["rename", "nosuchrun", "x"],
        ["predict", "nosuchrun", "x.png"],
        ["export", "nosuchrun", "--to", "x"],
        ["export", "--preset", "lenet5"],
        ["data", "prepare", "minst"],
        ["data", "prepare", "folder:nowhere"],
        ["data", "add", "nowhere.zip"],
        ["data", "add", "é" * 300],  # longer than a name can be
        ["data", "remove", "folder:nowhere"],
        ["data", "sell"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_is_refused_in_one_sentence(argv, refused):
    refused(*argv)


def test_a_name_that_is_no_text_is_printed_with_its_bytes(monkeypatch):
    # Such a name is half a surrogate pair in Python (PEP 383), which UTF-8 does not have.
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr("sys.stdout", stream)
    assert main(["limits"]) == 0
    print("caf\udce9")
    stream.flush()
    assert stream.buffer.getvalue().endswith(b"caf\\udce9\n")


@pytest.mark.parametrize(
    ("argv", "meant"),
    [
        (["trian"], "train"),
        (["train", "--preset", "lenet6"], "lenet5"),
        (["train", "--preset", "lenet5", "--dataset", "minst"], "mnist"),
        (["train", "--preset", "lenet5", "--optimizer", "sdg"], "sgd"),
        (["train", "--preset", "lenet5", "--epoch", "3"], "--epochs"),
        (["runs", "--state", "finish"], "finished"),
        (["set", "x", "momentun=0.5"], "momentum"),
    ],
)
def test_a_near_name_is_suggested(argv, meant, refused):
    assert f"Did you mean '{meant}'?" in refused(*argv)


FUZZ = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
ANY_TEXT = st.text(max_size=20)
WORDS = st.sampled_from(
    [
        "presets",
        "cost",
        "train",
        "runs",
        "show",
        "watch",
        "set",
        "fork",
        "export",
        "data",
        "list",
        "--preset",
        "lenet5",
        "--spec",
        "--json",
        "--dataset",
        "digits",
        "--to",
        "-",
        "--",
        "-h",
        "--epochs",
        "--lr=nan",
        "--seeds",
        "0",
        "-1",
        "1e9",
        "lr=0.1",
        "--batch-size",
        "=",
        "-x",
    ]
)


@FUZZ
@given(argv=st.lists(WORDS | ANY_TEXT, max_size=6))
def test_no_command_line_ends_in_a_traceback(argv, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", piped(b""))
    try:
        code = main([*argv, "--no-such-option"])  # so that nothing is trained
    except SystemExit as leaving:  # --help
        code = leaving.code
    printed = capsys.readouterr()
    assert code in (0, 2)
    assert code == 0 or (printed.err.count("\n") == 1 and "Traceback" not in printed.err)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@FUZZ
@given(changes=st.dictionaries(st.sampled_from(list(LENET.to_dict())), JSON_VALUES, max_size=4))
def test_a_changed_design_file_is_costed_or_refused_in_one_sentence(changes, tmp_path, capsys):
    code = main(["cost", "--spec", write(tmp_path / "x.json", LENET.to_dict() | changes), "--json"])
    printed = capsys.readouterr()
    if code == 0:
        assert json.loads(printed.out)["params"] > 0
    else:
        assert (code, printed.out, printed.err.count("\n")) == (2, "", 1)


@FUZZ
@given(content=st.binary(max_size=200), cut=st.integers(0, 400))
def test_a_damaged_design_file_is_costed_or_refused_in_one_sentence(content, cut, tmp_path, capsys):
    whole = json.dumps(LENET.to_dict()).encode()
    file = write(tmp_path / "x.json", whole[:cut] + content + whole[cut + len(content) :])
    code = main(["cost", "--spec", file])
    printed = capsys.readouterr()
    assert code == 0 or (code, printed.out, printed.err.count("\n")) == (2, "", 1)


# -- runs ------------------------------------------------------------------------------------------


def finished_run(store: RunStore, **request) -> str:
    """A run of two epochs that was trained somewhere."""
    run_id, worker_id = a_running_run(store, **request)
    told = [started(), *(a_step(step) for step in range(1, 21))]
    told += [an_epoch(1, 10), an_epoch(2, 20, 0.75), a_checkpoint(20), the_end()]
    store.record_events(run_id, worker_id, told)
    return run_id


def test_looking_at_runs_makes_no_store(run_cli):
    assert run_cli("runs") == (0, "No runs yet.\n", "")
    assert run_cli("runs", "--json") == (0, "[]\n", "")
    assert not Path(os.environ["CNNLAB_RUNS"]).exists()


def test_a_list_of_runs_that_is_cut_says_so(store, run_cli):
    run_ids = [store.submit(a_request(seed=seed)) for seed in range(3)]
    _, out, _ = run_cli("runs", "--limit", "2")
    assert "The newest 2 of 3 runs; with --limit 3, all of them." in out
    _, out, _ = run_cli("runs")
    assert all(run_id in out for run_id in run_ids) and "newest" not in out


def test_runs_are_listed_the_newest_first_and_can_be_filtered(store, run_cli):
    first, second = finished_run(store), finished_run(store, seed=3, group="trio")
    waiting = store.submit(a_request(dataset="mnist"))

    def listed(*options: str) -> list[str]:
        return [run["run_id"] for run in json.loads(run_cli("runs", "--json", *options)[1])]

    assert listed() == [waiting, second, first]
    assert listed("--state", "finished", "--limit", "1") == [second]
    assert listed("--state", "finished", "--state", "queued", "--dataset", "mnist") == [waiting]
    assert listed("--group", "trio") == [second]
    assert run_cli("runs", "--dataset", "cifar10")[1] == "No run matches.\n"
    assert "75.00 %" in run_cli("runs")[1]


def test_a_run_is_shown_with_its_epochs(store, run_cli):
    run_id = finished_run(store)
    facts = json.loads(run_cli("runs", "show", run_id, "--json")[1])
    # The example's training loss is 1 / epoch.
    assert facts["epoch_train_loss"] == [1.0, 0.5]
    assert facts["epoch_val_accuracy"] == [0.5, 0.75]
    assert (facts["test_accuracy"], facts["seconds"]) == (0.75, 2.0)
    assert json.loads(run_cli("runs", "--json", "show", run_id)[1]) == facts
    shown = run_cli("runs", "show", run_id)[1]
    assert "validation accuracy  75.00 %" in shown


def test_an_unknown_run_is_refused(store, run_cli):
    code, out, err = run_cli("runs", "show", "nosuchrun")
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_orders_reach_the_worker(store, run_cli):
    run_id, worker_id = a_running_run(store)
    for argv in (["pause"], ["step"], ["set", "lr=0.01", "momentum=0.5"], ["stop"]):
        assert run_cli(argv[0], run_id, *argv[1:])[0] == 0
    orders = store.record_events(run_id, worker_id, [])
    assert [(order.kind, order.setting, order.value) for order in orders] == [
        ("pause", None, None),
        ("step", None, None),
        ("set", "lr", 0.01),
        ("set", "momentum", 0.5),
        ("stop", None, None),
    ]


def test_a_run_that_ended_takes_no_orders(store, run_cli):
    run_id = finished_run(store)
    code, out, err = run_cli("pause", run_id)
    assert (code, out) == (2, "")
    assert "finished, so 'pause' has no effect" in err


def test_a_finished_run_is_not_resumed(store, run_cli):
    assert run_cli("resume", finished_run(store))[0] == 2


def test_a_run_is_renamed_and_deleted(store, run_cli):
    run_id = finished_run(store)
    assert run_cli("rename", run_id, "my best")[1] == f"{run_id}  my best\n"
    assert run_cli("delete", run_id, "--json")[0] == 0
    assert store.runs() == []


def test_nothing_is_deleted_where_one_of_the_runs_is_unknown(store, run_cli):
    run_id = finished_run(store)
    assert run_cli("delete", run_id, "nosuchrun")[0] == 2
    assert len(store.runs()) == 1


def test_watching_tells_everything_about_a_run_that_ended(store, run_cli):
    run_id = finished_run(store)
    code, out, _ = run_cli("watch", run_id, "--json")
    told = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [each["event"] for each in told] == ["epoch", "epoch", "step", "end"]
    assert told[-1]["run_id"] == run_id


def test_a_stopped_run_names_the_step_of_its_validation(store, run_cli):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [a_step(1), an_epoch(1, 10, 0.5), a_stopped_end(13)])
    last = run_cli("watch", run_id)[1].splitlines()[-1]
    assert "val accuracy 60.00 % (step 13)  test accuracy 75.00 %" in last
    lines = run_cli("runs", "show", run_id)[1].splitlines()
    shown = {name: value for name, _, value in (line.partition("  ") for line in lines)}
    assert shown["validation accuracy"].strip() == "60.00 %"
    assert shown["weights of step"].strip() == "13" and "weights of epoch" not in shown
    assert "60.00 %" in run_cli("runs")[1] and "50.00 %" not in run_cli("runs")[1]
    facts = json.loads(run_cli("runs", "show", run_id, "--json")[1])
    assert (facts["val_step"], facts["weights_epoch"]) == (13, None)


@pytest.mark.parametrize(
    ("state", "code"),
    [("finished", 0), ("stopped", 0), ("diverged", 3), ("failed", 3), ("interrupted", 130)],
)
def test_the_exit_code_tells_how_a_watched_run_ended(state, code, store, run_cli):
    run_id, worker_id = a_running_run(store)
    store.record_events(run_id, worker_id, [started(), a_step(1), the_end(state, 1)])
    assert run_cli("watch", run_id)[0] == code


def test_a_run_that_nothing_will_start_says_so(store, run_cli, monkeypatch):
    code, out, err = run_cli("train", "--preset", "mlp", "--detach")
    run_id = out.split()[0]
    sentence = (
        "No worker process is running, so nothing will start this run. To train here: "
        f"'python -m cnnlib resume {run_id}'. Or start the app"
    )
    assert code == 0 and sentence in err
    polls = iter([None, None])

    def end_at_the_second_poll(seconds: float) -> None:
        if next(polls, "end") == "end":
            store.submit_command(run_id, Command("stop"))

    monkeypatch.setattr("time.sleep", end_at_the_second_poll)
    assert run_cli("watch", run_id)[2].count(sentence) == 1
    store.workers.register()
    assert run_cli("train", "--preset", "mlp", "--detach")[2].count("No worker") == 0


def test_commands_that_a_run_has_executed_are_told_in_words():
    output = TextProgress()
    for order, setting, value, sentence in (
        ("stop", None, None, "Stopped after step 121."),
        ("set", "lr", 0.01, "lr set to 0.01 after step 121."),
        ("prune", None, None, "Pruned after step 121."),
    ):
        change = {"order": order, "setting": setting, "value": value, "step": 121}
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            output.intervention("1", change)
        assert printed.getvalue() == f"{sentence}\n"


def test_a_fork_needs_a_saved_step_and_epochs_that_are_left(store, run_cli):
    run_id = finished_run(store)
    (store.folders.run(run_id)).mkdir(parents=True)
    code, _, err = run_cli("fork", run_id, "--detach")
    assert code == 2 and "has no checkpoint. Let the run train first." in err
    (store.folders.run(run_id) / "checkpoint-20").touch()
    code, _, err = run_cli("fork", run_id, "--step", "7", "--detach")
    assert code == 2 and "Choose one of the steps 20." in err
    code, _, err = run_cli("fork", run_id, "--detach")
    assert code == 2 and "starts after epoch 2, but its recipe ends after epoch 2" in err
    code, out, _ = run_cli("fork", run_id, "--epochs", "3", "--lr", "0.5", "--detach", "--json")
    fork = store.run(json.loads(out)["run_id"])
    assert fork.request.recipe == Recipe(epochs=3, lr=0.5)
    assert (fork.request.origin.run_id, fork.request.origin.step) == (run_id, 20)


def test_a_detached_run_waits_with_what_was_asked(store, run_cli):
    options = "--optimizer sgd --lr 0.1 --epochs 2 --flip --patience none --split-seed 4 --detach"
    code, out, _ = run_cli("train", "--preset", "lenet5", "--recipe", "fast99", *options.split())
    request = store.run(out.split()[0]).request
    assert code == 0
    assert request.recipe == Recipe(
        epochs=2,
        batch_size=128,
        optimizer="sgd",
        lr=0.1,
        schedule="one_cycle",
        label_smoothing=0.1,
        augmentation=Augmentation(flip=True),
    )
    assert (request.spec, request.preset, request.split_seed) == (LENET, "lenet5", 4)


def test_seeds_make_a_group(store, run_cli):
    argv = ["train", "--preset", "mlp", "--seed", "5", "--seeds", "3", "--detach", "--json"]
    runs = [json.loads(line) for line in run_cli(*argv)[1].splitlines()]
    assert [run["seed"] for run in runs] == [5, 6, 7]
    assert len({run["group"] for run in runs}) == 1 and runs[0]["group"]


# -- data, export ----------------------------------------------------------------------------------


def test_datasets_are_listed_with_how_ready_they_are(run_cli):
    listed = {info["name"]: info for info in json.loads(run_cli("data", "--json")[1])}
    assert listed["digits"]["state"] == "here"
    assert listed["mnist"]["in_size"] == [1, 28, 28]
    assert "not prepared yet" in run_cli("data", "list")[1].splitlines()[2]
    run_cli("data", "prepare", "digits")
    assert run_cli("data", "list")[1].splitlines()[2].split()[:2] == ["digits", "ready"]


def test_a_dataset_is_prepared_with_progress_and_removed(run_cli):
    code, out, _ = run_cli("data", "prepare", "digits", "--json")
    told = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert told[-1]["state"] == "prepared"
    fractions = [each["fraction"] for each in told[:-1]]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    assert "MB deleted" in run_cli("data", "remove", "digits")[1]
    assert json.loads(run_cli("data", "--json")[1])[0]["state"] == "here"


def test_folders_are_listed_and_corrected(run_cli):
    data = Folders.from_environment().data
    write_folder(data / "odd", class_folders({"cat": 4, "dog": 4, "test": 4}))
    listed = json.loads(run_cli("data", "folders", "folder:odd", "--json")[1])
    assert [(each["path"], each["role"]) for each in listed["folders"]] == [
        ("cat", "class"),
        ("dog", "class"),
        ("test", "unused"),
    ]
    assert [each["paths"] for each in listed["questions"]] == [["test"]]
    assert "To be decided: test/" in run_cli("data", "folders", "folder:odd")[1]
    assert run_cli("data", "prepare", "folder:odd")[0] == 2
    code, _, error = run_cli("data", "prepare", "folder:odd", "--folder", "tset=test")
    assert (code, "test" in error) == (2, True)
    assert run_cli("data", "prepare", "digits", "--size", "16")[0] == 2
    assert "Write it as PATH=ROLE" in run_cli("data", "prepare", "folder:odd", "--folder", "a")[2]
    unused = ("data", "prepare", "folder:odd", "--folder", "test=unused")
    assert "4 pictures, because test/ was left out by hand" in run_cli(*unused)[1]
    shown = run_cli("data", "show", "folder:odd")[1]
    assert "files not used" in shown
    assert "test/ was left out by hand" in shown
    options = ("--folder", "test=class", "--size", "16")
    assert run_cli("data", "prepare", "folder:odd", *options)[0] == 0
    shown = json.loads(run_cli("data", "show", "folder:odd", "--json")[1])
    assert (shown["classes"], shown["in_size"]) == (["cat", "dog", "test"], [3, 16, 16])


def test_answers_are_stored_while_other_questions_stay_open(run_cli):
    files = class_folders({"cat": 4, "dog": 4, "test": 4, "cat_pred": 4})
    write_folder(Folders.from_environment().data / "odd", files)
    prepare = ("data", "prepare", "folder:odd", "--folder")
    code, _, error = run_cli(*prepare, "test=guess")  # the guess is confirmed
    assert code == 2
    assert "--folder cat_pred=ROLE" in error and "--folder test=ROLE" not in error
    assert run_cli(*prepare, "cat_pred=class")[0] == 0
    shown = json.loads(run_cli("data", "show", "folder:odd", "--json")[1])
    assert shown["classes"] == ["cat", "cat_pred", "dog"]
    assert json.loads(shown["source"]["roles"]) == {"test": "unused", "cat_pred": "class"}
    run_cli("data", "remove", "folder:odd")
    asked = json.loads(run_cli("data", "folders", "folder:odd", "--json")[1])["questions"]
    assert len(asked) == 2, "the answers were removed with the prepared copy"


def test_roles_that_leave_no_training_picture_are_refused_and_not_stored(run_cli):
    write_folder(Folders.from_environment().data / "own", class_folders({"cat": 4, "dog": 4}))
    leave_out = ("--folder", "cat=unused", "--folder", "dog=unused")
    code, _, error = run_cli("data", "prepare", "folder:own", *leave_out)
    assert (code, "None of 8 pictures is a training picture" in error) == (2, True)
    assert run_cli("data", "prepare", "folder:own")[0] == 0


def test_splits_and_warnings_are_listed_and_shown(run_cli):
    files = class_folders({"a": 4, "b": 4}, "train/") | class_folders({"a": 3}, "val/", first=20)
    files |= class_folders({"a": 1, "c": 2}, "test/", first=9)
    write_folder(Folders.from_environment().data / "own", files)
    for state in ("not prepared yet", "ready"):
        lines = run_cli("data", "list")[1].splitlines()
        assert lines[0].split()[4:7] == ["train", "validation", "test"]
        row = lines[-1].split()
        assert row[0] == "folder:own" and row[-1] == "..."
        assert max(map(len, lines)) < 160
        out = run_cli("data", "show", "folder:own")[1]
        assert out.splitlines()[2].split() == ["a", "4", "3", "1"]
        assert f"8 training pictures, 3 validation pictures, 3 test pictures, {state}." in out
        assert "Without a training picture: c. A network cannot learn this class. 2 " in out
        run_cli("data", "prepare", "folder:own")


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"pets/1.png": b"", "pets/2.png": b""}, "2 pictures found, but not inside a folder"),
        ({"pets/.keep": b""}, "No picture was found. Each class needs its own folder"),
        ({"pets/cat/1": b"", "pets/cat/2": b""}, "has no file with a picture's suffix"),
        ({"pets.csv": b""}, "pets.csv is not a dataset. CNN Lab takes a zip"),
    ],
)
def test_what_is_in_the_place_of_a_dataset_is_said(files, sentence, refused):
    write_folder(Folders.from_environment().data, files)
    assert sentence in refused("data", "show", "folder:pets")


def test_a_dataset_many_folders_deep_is_found(run_cli):
    files = class_folders({"cat": 2, "dog": 2}, "a/b/c/train/")
    write_folder(Folders.from_environment().data / "deep", files)
    assert "folder:deep" in run_cli("data", "list")[1]


def test_a_name_without_its_prefix_is_understood(refused):
    write_folder(Folders.from_environment().data / "pets", class_folders({"cat": 2, "dog": 2}))
    assert "Write 'folder:pets'." in refused("data", "prepare", "pets")
    assert "Choose one of: digits" in refused("data", "prepare", "cats")


def pixels_csv() -> bytes:
    return b"label,pixel0,pixel1\n7,0,255\n"


def arrays_npz() -> bytes:
    out = io.BytesIO()
    np.savez(out, x_train=np.zeros((2, 28, 28), np.uint8), y_train=np.arange(2))
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("train.csv", pixels_csv(), "train.csv was not taken: it is not a zip. CNN Lab takes"),
        ("mnist.npz", arrays_npz(), "mnist.npz was not taken. No picture was found among 2 files"),
        ("cat.png", encoded(), "cat.png was not taken: it is PNG, not a zip. CNN Lab takes"),
        ("half.zip", b"PK\3\4 and no more", "half.zip cannot be read as a zip"),
    ],
)
def test_a_file_that_is_not_taken_is_named_as_it_was_given(name, content, found, run_cli, tmp_path):
    (tmp_path / name).write_bytes(content)
    code, _, error = run_cli("data", "add", str(tmp_path / name))
    assert (code, found in error) == (2, True), error
    assert "folder:" not in run_cli("data", "list")[1]


def test_adding_a_zip_says_what_is_to_be_decided_and_what_it_warns_of(run_cli, tmp_path):
    write_zip(tmp_path / "odd.zip", class_folders({"cat": 2, "dog": 2, "test": 2}))
    assert "--folder test=ROLE" in run_cli("data", "add", str(tmp_path / "odd.zip"))[1]
    write_zip(tmp_path / "one.zip", class_folders({"cat": 4}))
    assert "There is only one class, cat" in run_cli("data", "add", str(tmp_path / "one.zip"))[1]


def test_a_folder_is_not_taken_for_a_missing_file(refused, tmp_path):
    assert "is a folder, and this command takes a zip" in refused("data", "add", str(tmp_path))


TRAIN_OWN = ("train", "--preset", "mlp", "--dataset", "folder:own", "--detach")


def test_train_says_what_a_dataset_warns_of(run_cli):
    files = class_folders({"a": 4, "b": 4}, "train/") | class_folders(
        {"a": 1, "c": 2}, "test/", first=9
    )
    write_folder(Folders.from_environment().data / "own", files)
    code, _, error = run_cli(*TRAIN_OWN)
    assert code == 0
    assert error.splitlines()[0].startswith("Without a training picture: c.")
    assert error.splitlines()[1].startswith("Without a test picture: b.")


def test_train_says_that_an_own_validation_split_is_used(run_cli):
    files = class_folders({"a": 4, "b": 4}, "train/") | class_folders({"a": 3}, "val/", first=20)
    write_folder(Folders.from_environment().data / "own", files)
    sentence = "folder:own has its own validation split of 3 pictures"
    assert sentence not in run_cli(*TRAIN_OWN)[2]
    for option in (("--validation", "0.3"), ("--split-seed", "4"), ("--validation", "0")):
        assert sentence in run_cli(*TRAIN_OWN, *option)[2]


def test_train_refuses_a_dataset_with_an_open_question(run_cli):
    write_folder(
        Folders.from_environment().data / "own", class_folders({"cat": 4, "dog": 4, "test": 4})
    )
    code, out, error = run_cli(*TRAIN_OWN)
    assert (code, out) == (2, "")
    assert "--folder test=ROLE" in error


def test_own_pictures_are_prepared_with_the_options_that_are_given(run_cli):
    files = {f"{c}/{n}.png": encoded(n + ord(c), (16, 8)) for c in "ab" for n in range(3)}
    write_folder(Folders.from_environment().data / "own", files)
    run_cli("data", "prepare", "folder:own", "--size", "16", "--channels", "1")
    code, out, _ = run_cli("data", "prepare", "folder:own", "--fit", "pad", "--json")
    end = json.loads(out.splitlines()[-1])
    assert (code, end["in_size"], end["source"]["fit"]) == (0, [1, 16, 16], "pad")


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (("digits", "--fit", "pad"), "--fit is an option of your own pictures"),
        (("folder:own", "--fit", "cut"), "Choose one of: crop, pad, stretch"),
    ],
)
def test_a_fit_that_is_unknown_or_makes_no_sense_is_refused(refused, argv, sentence):
    write_folder(Folders.from_environment().data / "own", class_folders({"a": 2, "b": 2}))
    assert sentence in refused("data", "prepare", *argv)


def test_a_dataset_that_the_operator_removes_is_nobodys_any_more(run_cli):
    run_cli("data", "prepare", "digits")
    with closing(RunStore()) as store:
        record_dataset_owner(store.on_behalf_of("ada"), "digits")
        run_cli("data", "remove", "digits")
        assert dataset_owner(store, "digits") == ""


def test_a_design_is_exported_and_not_written_over(tmp_path, run_cli):
    folder = tmp_path / "taken"
    argv = ["export", "--preset", "lenet5", "--to", str(folder)]
    assert run_cli(*argv)[0] == 0
    assert {file.name for file in folder.iterdir()} == {"net.py", "summary.md", "design.json"}
    assert CNNSpec.from_dict(json.loads((folder / "design.json").read_text())) == LENET
    code, _, err = run_cli(*argv)
    assert code == 2 and "holds net.py, summary.md, design.json already" in err
    assert run_cli(*argv, "--force")[0] == 0


@pytest.mark.parametrize("folder", ["a\x00b", "file/below", "x" * 300])
def test_a_folder_that_cannot_be_written_is_refused(folder, tmp_path, run_cli, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    code, _, err = run_cli("export", "--preset", "lenet5", "--to", folder)
    assert (code, err.count("\n")) == (2, 1)


# -- printing --------------------------------------------------------------------------------------


def commands_of(command):
    """The commands below one, as name and parser; groups such as `experiment` are walked into."""
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                inner = list(commands_of(below))
                yield from [([name, *names], leaf) for names, leaf in inner] or [([name], below)]


def test_every_command_has_json_and_help(capsys):
    for names, command in commands_of(parser()):
        if names != ["app"]:
            # An option, or the ending of a file.
            assert "json" in command.format_help(), names
        with pytest.raises(SystemExit):
            main([*names, "--help"])


def test_what_is_not_a_number_becomes_null():
    assert plain({"a": (float("nan"), 1.5), "b": float("inf")}) == {"a": [None, 1.5], "b": None}


def test_a_line_holds_nothing_that_a_terminal_obeys():
    assert one_line("a\n b\x1b[31m\udcff") == "a b\\x1b[31m\\udcff"
    assert len(one_line("x" * 5000)) <= 1000


# -- earlier names ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earlier", "now"),
    [
        ("lessons", "labelled-drawings"),
        ("lessons keep digits 7 a.png", "labelled-drawings save digits 7 a.png"),
        ("teach a1", "fine-tune a1"),
        ("taught a1", "fine-tune-report a1"),
        ("unfamiliar a1", "ood a1"),
        ("experiment go-on a1", "experiment resume a1"),
        ("inspect why a1", "inspect attribution a1"),
        ("inspect surgery a1 --layer x", "inspect ablation a1 --layer x"),
        ("inspect excite a1 --layer x", "inspect patches a1 --layer x"),
        ("inspect dream a1 --layer x --out y.png", "inspect maximise a1 --layer x --out y.png"),
    ],
)
def test_commands_keep_their_earlier_names(earlier, now):
    def parsed(text):
        return {
            name: value
            for name, value in vars(parser().parse_args(text.split())).items()
            if name not in ("word", "what", "which")  # the names of the commands themselves
        }

    assert parsed(earlier) == parsed(now)


# -- the app ---------------------------------------------------------------------------------------


def test_the_app_is_started_by_streamlit_with_all_options(run_cli, monkeypatch):
    started = []
    monkeypatch.setattr(runpy, "run_module", lambda name, **_: started.append([name, *sys.argv]))
    monkeypatch.setattr(sys, "argv", ["cnnlib"])
    given = ["--port", "8600", "--address", "0.0.0.0", "--server.headless", "true"]
    code, out, _ = run_cli("app", *given)
    script = str(app_folder() / "app.py")
    ours = ["--server.port=8600", "--server.address=0.0.0.0"]
    assert started == [
        ["streamlit", "streamlit", "run", script, *ours, "--server.headless", "true"]
    ]
    assert code == 0
    folders = [os.environ["CNNLAB_DATA"], os.environ["CNNLAB_RUNS"]]
    assert out == "Datasets are in {}, runs in {}.\n".format(*folders)


def test_without_variables_data_and_runs_are_in_the_clone(monkeypatch, tmp_path):
    monkeypatch.delenv("CNNLAB_DATA")
    monkeypatch.delenv("CNNLAB_RUNS")
    monkeypatch.chdir(tmp_path)
    clone = Path(__file__).resolve().parents[2]
    assert Folders.from_environment() == Folders(data=clone / "data", runs=clone / "runs")


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.split()[-1] == cnnlib.__version__
