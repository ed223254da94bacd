"""The verdict card of a duel and its page: numbers as in the records, nothing from the network."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from compare_runs import a_store, finish
from example_runs import a_request
from html_check import HtmlCheck

from cnnlib.cli.main import main
from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import StoreError
from cnnlib.experiments.duel import Duel, duel_state, start_duel
from cnnlib.experiments.study import advance_studies
from cnnlib.experiments.verdict_card import verdict_card
from cnnlib.records.compare import Speed
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.recipe import Recipe
from cnnlib.report import duel_page as module
from cnnlib.report.duel_page import (
    duel_card,
    duel_page,
    small_picture_uri,
    write_card,
    write_duel_page,
)
from cnnlib.runs import RunStore

INFO = DatasetInfo("digits", "Digits", (1, 8, 8), ("cat", "dog"), 5000, 4, fingerprint="f00d")
CLEAR = (0.040, 0.042, 0.038, 0.041, 0.039, 0.040, 0.042)  # the seventh pair of twenty decides
LABELS = [0, 1, 1, 0]
SPEEDS = [Speed(0.001, 0.0005, 32, 1, "abacus"), Speed(0.002, 0.0015, 32, 1, "abacus")]


@pytest.fixture
def store(tmp_path):
    opened = a_store(tmp_path)
    yield opened
    opened.close()


def a_duel(**fields) -> Duel:
    one = a_request(mode="t1-nchw-fp32", **fields.pop("request", {}))
    one = replace(one, spec=CNNSpec(in_size=(1, 8, 8), out_classes=2, channels=(4,)))
    other = replace(one, spec=replace(one.spec, channels=(8,)))
    sides = (one, replace(other, recipe=fields.pop("recipe_b", one.recipe)))
    return Duel(*sides, *fields.pop("names", ("narrow", "wide")), **fields)


def fight(store: RunStore, duel: Duel, differences=CLEAR) -> str:
    """Run a duel in which B is better by these differences; A errs on picture 0, B on none."""
    duel_id = start_duel(store, duel)
    for pair, difference in enumerate(differences):
        advance_studies(store)
        sides = duel_state(store, duel_id).pairs[pair]
        accuracies = (0.9, 0.9 + difference)
        for run, accuracy, answer in zip(sides, accuracies, (1, 0), strict=True):
            finish(store, run.id, val=accuracy, test=accuracy, predictions="test.npz")
            folder = store.folders.run(run.id)
            folder.mkdir(parents=True)
            np.savez(
                folder / "test.npz",
                labels=np.array(LABELS),
                predicted=np.array([answer, *LABELS[1:]]),
                probabilities=np.full((4, 2), 0.5),
            )
    advance_studies(store)
    return duel_id


def with_dataset(monkeypatch) -> None:
    """Let the page find four pictures of the duel's dataset."""
    pictures = np.arange(4 * 64, dtype=np.uint8).reshape(4, 1, 8, 8)
    data = SimpleNamespace(info=INFO, test_images=pictures)
    monkeypatch.setattr(module, "load_prepared", lambda *_: data)


# -- the record ------------------------------------------------------------------------------------


def test_the_card_says_who_by_how_much_and_how_sure(store):
    card, _ = verdict_card(store, fight(store, a_duel()), info=INFO, speeds=SPEEDS)
    assert card.headline == "wide is better than narrow by 4.03 points"
    assert (card.winner, card.direction) == (card.b, "wide minus narrow")
    assert card.difference == pytest.approx(sum(CLEAR) / 7)
    assert card.interval == (card.verdict.low, card.verdict.high)
    assert [pair.seed for pair in card.pairs] == list(range(7))
    assert [pair.b - pair.a for pair in card.pairs] == pytest.approx(CLEAR)
    assert "at most 5 % of all cases" in card.certainty[0]
    assert "No seed collapsed; with 7 seeds" in card.certainty[1]


def test_the_card_shows_what_differs_and_what_its_band_is(store):
    card, _ = verdict_card(store, fight(store, a_duel()), info=INFO)
    shown = write_card(card, "Verdict")
    assert "channels of each convolution" in shown and "Both have the same recipe." in shown
    assert "counts as equal" in shown
    assert "<dt>Error rate</dt><dd><strong>at most 5 %</strong>" in shown


def test_the_card_has_the_price_of_each_design(store):
    duel = a_duel()
    card, _ = verdict_card(store, fight(store, duel), info=INFO, speeds=SPEEDS)
    for side, request, speed in zip((card.a, card.b), (duel.a, duel.b), SPEEDS, strict=True):
        price = cost(plan(request.spec))
        assert (side.params, side.macs, side.speed) == (price.params, price.macs, speed)
    assert card.b.accuracy == pytest.approx(0.9 + sum(CLEAR) / 7)


def test_a_better_a_is_shown_from_its_side(store):
    card, _ = verdict_card(store, fight(store, a_duel(), [-each for each in CLEAR]))
    assert card.headline == "narrow is better than wide by 4.03 points"
    assert card.direction == "narrow minus wide"
    assert card.interval == (-card.verdict.high, -card.verdict.low)
    assert 0 < card.interval[0] < card.difference < card.interval[1]


def test_the_data_are_counted_with_the_limit_of_training_pictures(store):
    card, _ = verdict_card(store, fight(store, a_duel()), info=INFO)
    # 5,000 training pictures, of which the runs measured 1,000 for validation
    assert (card.data.train, card.data.validation, card.data.test) == (4000, 1000, 1000)
    limited = fight(store, a_duel(request={"train_limit": 300}))
    assert verdict_card(store, limited, info=INFO)[0].data.train == 300
    assert verdict_card(store, limited)[0].data.train is None  # the dataset is not here


@pytest.mark.parametrize(
    ("differences", "within", "headline", "promise"),
    [
        ((), 0.001, "narrow and wide: no pair has finished yet", "exclude neither"),
        ((0.1, -0.1), 0.001, "narrow and wide: undecided after 2 pairs", "exclude neither"),
        (
            (0.01, -0.01) * 3,
            0.2,
            "No difference larger than 20.00 points between narrow and wide",
            "differed by 20.00 points or more",
        ),
    ],
)
def test_other_verdicts_have_their_headline_and_promise(
    store, differences, within, headline, promise
):
    duel = a_duel(most_pairs=6, within=within)
    card, _ = verdict_card(store, fight(store, duel, differences))
    assert card.headline == headline
    assert card.winner is None
    assert promise in card.certainty[0]


def test_recipes_that_differ_are_named(store):
    card, _ = verdict_card(store, fight(store, a_duel(), ()))
    assert card.recipes == "Both designs are trained with the same recipe."
    own = a_duel(recipe_b=Recipe(epochs=2, lr=0.02))
    card, _ = verdict_card(store, fight(store, own, ()))
    assert card.recipes.endswith(
        "The recipes of narrow and wide differ: learning rate 0.001 and 0.02."
    )


def test_a_collapsed_seed_is_counted(store):
    card, _ = verdict_card(store, fight(store, a_duel(), (-0.38, *CLEAR[1:])))
    assert (card.a.collapsed, card.b.collapsed) == (0, 1)
    assert "1 of 7 seeds of wide" in card.certainty[1]


# -- the page --------------------------------------------------------------------------------------


def test_the_page_is_valid_small_and_needs_no_network(store, monkeypatch):
    with_dataset(monkeypatch)
    page = duel_page(store, fight(store, a_duel()), SPEEDS)
    read = HtmlCheck(page)
    assert read.problems == []
    assert len(page.encode()) < 500_000
    assert "script" not in read.tags
    assert read.tags.count("h1") == 1
    images = [attributes for tag, attributes in read.attributes if tag == "img"]
    assert [image["alt"] for image in images] == ["Test picture 0, class cat"]
    charts = [a for tag, a in read.attributes if tag == "svg" and a.get("role") == "img"]
    assert len(charts) == 5  # the interval, the pairs, two curves, the classes
    assert all(chart["aria-label"] for chart in charts)


def test_the_numbers_of_the_page_are_those_of_the_record(store, monkeypatch):
    with_dataset(monkeypatch)
    card, report = duel_card(store, fight(store, a_duel()), SPEEDS)
    lines = HtmlCheck(write_duel_page(card, report)).text.split("\n")
    for side in (card.a, card.b):
        assert {f"{side.params:,}", f"{side.macs:,}", f"{100 * side.accuracy:.2f} %"} <= {*lines}
    assert {"0.5 ms", "1.5 ms", "1 ms", "2 ms", "3 ×"} <= {*lines}  # of SPEEDS
    for pair in card.pairs:
        assert {f"{100 * pair.b:.2f} %", f"{100 * (pair.b - pair.a):.2f}"} <= {*lines}
    assert {card.headline, card.sentence, *card.certainty} <= {*lines}
    assert any("4,000 training pictures" in line for line in lines)


def test_a_picture_has_its_class_and_both_answers(store, monkeypatch):
    with_dataset(monkeypatch)
    _, report = duel_card(store, fight(store, a_duel()))
    [picture] = report.pictures.pictures
    assert (picture.index, picture.label, picture.answers, picture.votes) == (0, 0, (1, 0), (7, 7))
    assert (report.pictures.only_a, report.pictures.only_b, report.pictures.count) == (0, 1, 4)
    text = " ".join(HtmlCheck(duel_page(store, report.runs.runs[0][0].request.group)).text.split())
    assert "Class: cat narrow: dog 7 of 7 wide: cat ✓ 7 of 7" in text


def test_a_page_without_its_dataset_says_so(store):
    page = duel_page(store, fight(store, a_duel()))
    assert "the dataset is not on this machine, or has changed" in page
    assert "<img" not in page
    assert "not measured" in page


def test_a_duel_without_a_pair_has_a_page(store):
    read = HtmlCheck(duel_page(store, fight(store, a_duel(), ())))
    assert read.problems == []
    assert "no pair has finished yet" in read.text
    assert "The duel is not over" in read.text
    assert "What would change it" not in read.text
    assert "\nCompared on the validation split." in read.text  # no picture is counted yet


def test_names_are_text_and_not_html(store):
    duel_id = fight(store, a_duel(names=("<b>x</b>", "a&b")))
    page = duel_page(store, duel_id)
    assert HtmlCheck(page).problems == []
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page


def test_large_pictures_become_small_files():
    noise = np.random.default_rng(0).integers(0, 256, (3, 224, 224), dtype=np.uint8)
    assert (
        len(small_picture_uri(noise)) < 20_000
    )  # twenty of them leave room for the rest of the page
    assert small_picture_uri(noise[:, :8, :8]).startswith("data:image/png")


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture
def here(store, monkeypatch):
    """Let commands use the store, and measure no speed."""
    monkeypatch.setenv("CNNLAB_RUNS", str(store.folders.runs))
    monkeypatch.setenv("CNNLAB_DATA", str(store.folders.data))
    monkeypatch.setattr(
        "cnnlib.train.execution.speed.picture_speeds", lambda specs: SPEEDS[: len(specs)]
    )
    return store


def test_the_command_writes_page_and_record(here, tmp_path, capsys):
    duel_id = fight(here, a_duel())
    file = tmp_path / "card.html"
    assert main(["verdict", duel_id, "--output", str(file), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["headline"], record["winner"]) == (
        "wide is better than narrow by 4.03 points",
        "wide",
    )
    assert record["b"]["speed"]["alone_seconds"] == 0.002
    assert len(record["pairs"]) == 7
    assert HtmlCheck(file.read_text()).problems == []


def test_the_command_prints_the_card(here, capsys):
    assert main(["verdict", fight(here, a_duel())]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("wide is better than narrow by 4.03 points\n")
    assert "Time for one picture, alone" in printed
    assert "- Other data: " in printed


def test_an_unknown_duel_is_a_sentence(store):
    with pytest.raises(StoreError, match="There is no duel"):
        duel_page(store, "1m8kd1nk6835")


def test_the_recipe_of_b_is_an_option(here, capsys):
    command = ["duel", "mlp", "lenet5", "--dataset", "digits", "--detach", "--json"]
    options = ["--epochs", "2", "--recipe-b", "mnist-adam", "--lr-b", "0.5", "--no-flip-b"]
    assert main([*command, *options]) == 0
    started = json.loads(capsys.readouterr().out)
    duel = duel_state(here, started["duel_id"]).duel
    assert (duel.a.recipe.optimizer, duel.a.recipe.epochs) == ("adamw", 2)
    # The named recipe, with the shared number of epochs and B's own learning rate
    assert (duel.b.recipe.optimizer, duel.b.recipe.epochs, duel.b.recipe.lr) == ("adam", 2, 0.5)
    assert "learning rate 0.002 and 0.5" in started["recipes"]


def test_without_its_options_b_has_the_recipe_of_a(here, capsys):
    assert main(["duel", "mlp", "lenet5", "--dataset", "digits", "--detach", "--json"]) == 0
    duel = duel_state(here, json.loads(capsys.readouterr().out)["duel_id"]).duel
    assert duel.a.recipe == duel.b.recipe


def test_an_error_names_the_option_of_b(here, capsys):
    assert main(["duel", "mlp", "lenet5", "--dataset", "digits", "--lr-b", "-1"]) == 2
    assert capsys.readouterr().err.startswith("error: --lr-b is -1.0, but it must be")
