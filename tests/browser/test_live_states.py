"""The training page in every state: screenshots of each, and a check that nothing overflows.

``CNNLAB_SHOTS`` names a folder for the screenshots; the default is the test's temporary folder.
"""

import os
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest
from driving import state
from example_runs import a_request, a_stopped_end, an_epoch, the_end
from playwright.sync_api import Page, expect
from simulated_run import SimulatedRun

from cnnlib.data.prepare import prepare
from cnnlib.records.events import Command, Intervention, Phase, RunEnd
from cnnlib.runs import RunStore
from cnnlib.runs.capacity import cores
from cnnlib.train.control import INTERRUPTED

pytestmark = pytest.mark.browser

THEMES_AND_WIDTHS = (("light", 1280), ("dark", 420))


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("CNNLAB_SHOTS") or tmp_path / "shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def simulated(store: RunStore) -> Generator[SimulatedRun]:
    """A running run that has done a third of its steps."""
    run = SimulatedRun(store, total_steps=600)
    run.add_steps(200)
    store.record_events(run.run_id, run.worker_id, [an_epoch(1, 200)])
    yield run
    if store.run(run.run_id).is_live:
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


def watch(page: Page, url: str, run: SimulatedRun, state_label: str) -> None:
    """Open the run's page and wait for its state."""
    page.goto(f"{url}/train?run={run.run_id}")
    expect(state(page)).to_have_text(state_label, timeout=90_000)


def test_empty_and_choosing(app_server, page, shots):
    page.goto(f"{app_server()}/train?dataset=digits")
    expect(page.get_by_role("button", name="Prepare now")).to_be_visible(timeout=90_000)
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_visible()
    shoot(page, shots, "empty")
    for _ in prepare("digits"):
        pass
    page.reload()
    expect(page.get_by_alt_text("Example of class 7")).to_be_visible(timeout=90_000)
    expect(page.get_by_text("Time in total")).to_be_visible()  # the forecast
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_visible()
    shoot(page, shots, "choosing")


def test_waiting(url, store, simulated, page, shots):
    # The run needs all cores, and the simulated one holds one of them.
    run_id = store.submit(a_request(preset="fed", seed=1, mode=f"t{cores()}-nchw-fp32"))
    try:
        page.goto(f"{url}/train?run={run_id}")
        expect(state(page)).to_have_text("Waiting", timeout=90_000)
        expect(page.locator(".status .phase")).to_contain_text("waits for")
        shoot(page, shots, "waiting")
    finally:
        store.submit_command(run_id, Command("stop"))


def test_running(url, simulated, page, shots):
    watch(page, url, simulated, "Training")
    shoot(page, shots, "running")


def test_paused(url, store, simulated, page, shots):
    paused = [Intervention(200, "pause"), Phase("paused", "paused at step 200")]
    store.record_events(simulated.run_id, simulated.worker_id, paused)
    watch(page, url, simulated, "Paused")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    shoot(page, shots, "paused")


def test_with_a_problem(url, store, simulated, page, shots):
    worse = [replace(an_epoch(at, 200 + 20 * at), val_loss=0.8 + at / 10) for at in range(2, 12)]
    store.record_events(simulated.run_id, simulated.worker_id, worse)
    watch(page, url, simulated, "Training")
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
def test_ended_early(url, store, simulated, page, shots, end, state_label, reason):
    store.record_events(
        simulated.run_id, simulated.worker_id, [RunEnd(end, reason, step=200, train_seconds=4.0)]
    )
    watch(page, url, simulated, state_label)
    expect(page.locator(".status .reason")).to_contain_text(reason)
    if end != "diverged":  # it would diverge again, and this one has no checkpoint to fork
        expect(page.get_by_role("button", name="Continue")).to_be_visible()
    shoot(page, shots, end)


def test_stopped(url, store, simulated, page, shots):
    store.record_events(simulated.run_id, simulated.worker_id, [a_stopped_end(230)])
    watch(page, url, simulated, "Stopped")
    fact = page.locator('.status [data-fact="val"]')
    expect(fact).to_contain_text("60.00 %")
    expect(fact).to_contain_text("at step 230, where the run was stopped")
    shoot(page, shots, "stopped")


def test_done(url, store, simulated, page, shots):
    simulated.add_steps(400)
    events = [an_epoch(2, 400, 0.7), an_epoch(3, 600, 0.75), the_end(step=600)]
    store.record_events(simulated.run_id, simulated.worker_id, events)
    watch(page, url, simulated, "Finished")
    expect(page.locator(".status .outcome")).to_contain_text("95 % interval")
    for name in ("Look inside", "Test with a drawing", "See in results"):
        expect(page.get_by_role("button", name=name)).to_be_visible()
    shoot(page, shots, "done")
