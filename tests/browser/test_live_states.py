"""The training page in every state: screenshots of each, and a check that nothing overflows.

``CNNLAB_SHOTS`` names a folder for the screenshots; the default is the test's temporary folder.
"""

import os
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest
from driving import state
from example_runs import a_request, an_epoch, the_end
from playwright.sync_api import Page, expect
from simulated_run import Lab, SimulatedRun, running_lab

from cnnlib.data.prepare import prepare
from cnnlib.records.events import Command, Intervention, Phase, RunEnd
from cnnlib.train.control import INTERRUPTED

pytestmark = pytest.mark.browser

THEMES_AND_WIDTHS = (("light", 1280), ("dark", 420))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Generator[Lab]:
    """One app for all tests of this file."""
    with running_lab(tmp_path_factory.mktemp("states")) as lab:
        yield lab


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("CNNLAB_SHOTS") or tmp_path / "shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def simulated(lab: Lab) -> Generator[SimulatedRun]:
    """A running run that has done a third of its steps."""
    run = SimulatedRun(lab.store, total_steps=600)
    run.add_steps(200)
    lab.store.record_events(run.run_id, run.worker_id, [an_epoch(1, 200)])
    yield run
    if lab.store.run(run.run_id).is_live:
        run.end()


def shoot(page: Page, shots: Path, name: str) -> None:
    """Write a screenshot of the whole page in each theme; fail if it is wider than the window."""
    for scheme, width in THEMES_AND_WIDTHS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function("innerWidth === " + str(width))
        main = page.locator('[data-testid="stMain"]')
        expect(main).to_be_visible()
        height = main.evaluate("main => main.scrollHeight")
        page.set_viewport_size({"width": width, "height": max(900, min(height, 3000))})
        page.screenshot(path=shots / f"train-{name}-{scheme}-{width}.png", animations="disabled")
        overflow = main.evaluate("main => main.scrollWidth - main.clientWidth")
        assert overflow <= 0, f"{name} is {overflow} pixels too wide at {width}"


def watch(page: Page, lab: Lab, run: SimulatedRun, state_label: str) -> None:
    """Open the run's page and wait for its state."""
    page.goto(f"{lab.served.url}/train?run={run.run_id}")
    expect(state(page)).to_have_text(state_label, timeout=90_000)


def test_empty_and_choosing(lab, page, shots):
    page.goto(f"{lab.served.url}/train?dataset=digits")
    expect(page.get_by_role("button", name="Prepare now")).to_be_visible(timeout=90_000)
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_visible()
    shoot(page, shots, "empty")
    for _ in prepare("digits", lab.store.folders):
        pass
    page.reload()
    expect(page.get_by_alt_text("Example of class 7")).to_be_visible(timeout=90_000)
    expect(page.get_by_text("in total")).to_be_visible()  # the forecast
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_visible()
    shoot(page, shots, "choosing")


def test_waiting(lab, simulated, page, shots):
    # The app trains one run at a time, and the simulated one is running.
    run_id = lab.store.submit(a_request(preset="fed", seed=1))
    try:
        page.goto(f"{lab.served.url}/train?run={run_id}")
        expect(state(page)).to_have_text("Waiting", timeout=90_000)
        expect(page.locator(".status .phase")).to_contain_text("waits for")
        shoot(page, shots, "waiting")
    finally:
        lab.store.submit_command(run_id, Command("stop"))


def test_running(lab, simulated, page, shots):
    watch(page, lab, simulated, "Training")
    shoot(page, shots, "running")


def test_paused(lab, simulated, page, shots):
    paused = [Intervention(200, "pause"), Phase("paused", "paused at step 200")]
    lab.store.record_events(simulated.run_id, simulated.worker_id, paused)
    watch(page, lab, simulated, "Paused")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    shoot(page, shots, "paused")


def test_with_a_problem(lab, simulated, page, shots):
    worse = [replace(an_epoch(at, 100 + 100 * at), val_loss=0.8 + at / 10) for at in range(2, 5)]
    lab.store.record_events(simulated.run_id, simulated.worker_id, worse)
    watch(page, lab, simulated, "Training")
    expect(page.locator(".trouble")).to_be_visible()
    page.get_by_text("Execution details").click()
    shoot(page, shots, "trouble")


@pytest.mark.parametrize(
    ("end", "state_label", "reason"),
    [
        ("diverged", "Diverged", "Diverged at step 200: the loss became NaN or infinite."),
        ("failed", "Failed", "The machine has no memory left for a step. Make batches smaller."),
        ("interrupted", "Interrupted", INTERRUPTED),
    ],
)
def test_ended_early(lab, simulated, page, shots, end, state_label, reason):
    lab.store.record_events(
        simulated.run_id, simulated.worker_id, [RunEnd(end, reason, step=200, train_seconds=4.0)]
    )
    watch(page, lab, simulated, state_label)
    expect(page.locator(".status .reason")).to_contain_text(reason)
    expect(page.get_by_role("button", name="Continue")).to_be_visible()
    shoot(page, shots, end)


def test_done(lab, simulated, page, shots):
    simulated.add_steps(400)
    events = [an_epoch(2, 400, 0.7), an_epoch(3, 600, 0.75), the_end(step=600)]
    lab.store.record_events(simulated.run_id, simulated.worker_id, events)
    watch(page, lab, simulated, "Finished")
    expect(page.locator(".status .outcome")).to_contain_text("95 % interval")
    for name in ("Look inside", "Test with a drawing", "See in results"):
        expect(page.get_by_role("button", name=name)).to_be_visible()
    shoot(page, shots, "done")
