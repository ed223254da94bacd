"""Training from the page to the trained network, in a real browser without any mock."""

import json
import os
import subprocess
import sys
from urllib.parse import parse_qsl, urlsplit

import pytest
from driving import (
    ENDED,
    fact,
    loss_curve,
    outcome,
    pick,
    result_row,
    state,
    step,
    wait_until,
    workers_of,
    write,
)
from playwright.sync_api import Page, expect
from serving import serving

from cnnlib.runs import RunStore

pytestmark = pytest.mark.browser

TRAINING = 240_000  # ms: two busy cores
READY = 180_000  # ms: a worker imports torch, tries execution modes, tests the network at the end


def test_lenet_learns_mnist_in_an_epoch_and_survives_a_reload(mnist_folder, app_server, page):
    url = app_server()
    page.goto(f"{url}/train")
    pick(page, "Dataset", "MNIST")
    pick(page, "Preset", "LeNet-style, 3 × 3")
    expect(page.get_by_text("106,154")).to_be_visible()
    write(page, "Epochs", 1)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(state(page)).to_have_text("Training", timeout=READY)

    pictures = {loss_curve(page)}
    for _ in range(2):  # two updates while it runs
        before = step(page)
        wait_until(lambda before=before: step(page) > before, page)
        wait_until(lambda: loss_curve(page) not in pictures, page)
        pictures.add(loss_curve(page))
        expect(state(page)).to_have_text("Training")

    seen = step(page)
    page.reload()
    expect(state(page)).to_have_text("Training", timeout=20_000)
    assert step(page) >= seen  # the training did not restart

    expect(state(page)).to_have_text("Finished", timeout=TRAINING)
    assert outcome(page) >= 0.93
    assert fact(page, "epoch") == "1 / 1"

    page.get_by_role("button", name="See in results").click()
    expect(result_row(page, "lenet5")).to_be_attached()


def test_with_digits_alone_one_press_trains_a_network_that_reads_them(app_server, page):
    page.goto(f"{app_server()}/train")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(state(page)).to_have_text("Training", timeout=READY)
    expect(state(page)).to_have_text("Finished", timeout=TRAINING)
    assert outcome(page) >= 0.90
    page.get_by_role("button", name="See in results").click()
    expect(result_row(page, "mnist_fast")).to_be_attached()


def test_a_run_of_the_command_line_appears_in_the_browser(url, page):
    command = [sys.executable, "-m", "cnnlib", "train", "--preset", "lenet5", "--dataset", "digits"]
    command += ["--epochs", "2", "--seed", "3", "--json"]
    process = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
    end = json.loads(process.stdout.splitlines()[-1])
    page.goto(url)
    page.get_by_role("link", name="lenet5 on Digits (scikit-learn), seed 3").click()
    expect(state(page)).to_have_text("Finished")
    assert outcome(page) == pytest.approx(end["test_accuracy"], abs=5e-5)
    assert f"run={end['run_id']}" in page.url


def test_a_killed_worker_is_reported_within_five_seconds_and_the_recorded_steps_stay(
    app_server, page, tmp_path
):
    page.goto(f"{app_server()}/train")
    write(page, "Epochs", 2000)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(state(page)).to_have_text("Training", timeout=READY)
    wait_until(lambda: step(page) >= 20, page)
    [worker] = workers_of(tmp_path / "runs")
    worker.kill()
    expect(state(page)).to_have_text("Lost", timeout=5_000)
    expect(page.locator(".status .reason")).to_contain_text("worker")
    assert step(page) >= 20
    expect(page.get_by_role("button", name="Continue")).to_be_visible()


def test_a_run_can_be_paused_stepped_resumed_and_stopped(url, page):
    page.goto(f"{url}/train")
    write(page, "Epochs", 2000)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(state(page)).to_have_text("Training", timeout=READY)
    page.get_by_role("button", name="Pause").click()
    expect(state(page)).to_have_text("Paused")
    at = step(page)
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.get_by_role("button", name="One step").click()
    wait_until(lambda: step(page) == at + 1, page)
    expect(state(page)).to_have_text("Paused")
    page.get_by_role("button", name="Resume").click()
    expect(state(page)).to_have_text("Training")
    wait_until(lambda: step(page) > at + 1, page)
    page.get_by_role("button", name="Stop").click()
    expect(state(page)).to_have_text(ENDED, timeout=READY)
    expect(state(page)).to_have_text("Stopped")
    assert 0 <= outcome(page) <= 1  # a stopped run is evaluated


def test_when_the_app_ends_its_run_is_interrupted_and_goes_on_after_a_click(page, tmp_path):
    with serving(tmp_path / "first.log", os.environ) as first:
        page.goto(f"{first.url}/train")
        write(page, "Epochs", 2000)
        page.get_by_role("button", name="Train", exact=True).click()
        expect(state(page)).to_have_text("Training", timeout=READY)
        wait_until(lambda: step(page) >= 50, page)
        [(_, run_id)] = parse_qsl(urlsplit(page.url).query)
        seen = step(page)
    store = RunStore()
    run = store.run(run_id)
    store.close()
    assert (run.state, run.step >= seen) == ("interrupted", True)
    with serving(tmp_path / "second.log", os.environ) as second:
        page.goto(f"{second.url}/train?run={run_id}")
        expect(state(page)).to_have_text("Interrupted")
        page.get_by_role("button", name="Continue").click()
        expect(state(page)).to_have_text("Training", timeout=READY)
        wait_until(lambda: step(page) > run.step, page)


def begin(page: Page, url: str) -> None:
    """Start a run of some minutes, short enough that the lab does not compile it first."""
    page.goto(f"{url}/train")
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_visible(timeout=READY)
    write(page, "Epochs", 500)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(state(page)).to_have_text("Training", timeout=READY)


def test_an_app_that_is_killed_and_started_again_finds_the_run_going_on_with_whole_curves(
    page, tmp_path
):
    with serving(tmp_path / "first.log", os.environ) as first:
        begin(page, first.url)
        wait_until(lambda: step(page) >= 20, page, seconds=90)
        [(_, run_id)] = parse_qsl(urlsplit(page.url).query)
        first.process.kill()
        expect(state(page)).to_have_text("Reconnecting")
        seen = step(page)
        with serving(tmp_path / "second.log", os.environ) as second:
            page.goto(f"{second.url}/train?run={run_id}")
            expect(state(page)).to_have_text("Training", timeout=READY)
            wait_until(lambda: step(page) > seen + 5, page, seconds=90)
            page.get_by_role("button", name="Stop").click()
            expect(state(page)).to_have_text("Stopped", timeout=READY)
    store = RunStore()
    recorded = store.steps_after(run_id, 0, 10**6)["step"]
    assert recorded == list(range(1, store.run(run_id).step + 1))  # no step is missing
    assert [each.order for each in store.interventions(run_id)] == ["stop"]
    store.close()


def test_answers_layers_and_confusions_are_shown_during_training(url, page):
    begin(page, url)
    cards = page.locator(".cards")
    expect(cards).to_be_visible(timeout=READY)
    expect(page.locator(".card")).to_have_count(20)
    first = int(cards.get_attribute("data-step"))
    page.locator(".card").first.evaluate("card => { card.dataset.kept = 'yes'; }")
    wait_until(lambda: int(cards.get_attribute("data-step")) > first, page, seconds=90)
    # The cards are updated, not created anew, so they do not flicker.
    expect(page.locator(".card").first).to_have_attribute("data-kept", "yes")
    page.locator(".card").nth(3).click()
    expect(page.get_by_text("Prediction:")).to_be_visible()
    expect(page.get_by_text("Feature maps")).to_be_visible()
    page.get_by_text("Confusion matrix", exact=True).click()
    expect(page.get_by_text("validation pictures correct")).to_be_visible(timeout=READY)
    page.get_by_text("Off", exact=True).click()
    expect(page.get_by_text("Choose a view to watch")).to_be_visible(timeout=READY)
    page.get_by_role("button", name="Stop").click()
    expect(state(page)).to_have_text("Stopped", timeout=READY)
