"""The live chart, fed by the test: zoom, hidden curves, two tabs, a server that goes away."""

from collections.abc import Generator
from dataclasses import replace

import pytest
from driving import state, step, wait_until
from example_runs import a_checkpoint, an_epoch, started, steps, the_end
from feeding import TOTAL, Feeder, Lab, a_lab
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Generator[Lab]:
    """One app for all tests of this file."""
    with a_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def fed(lab: Lab) -> Generator[Feeder]:
    """A run with 200 steps and an epoch, that goes on."""
    feeder = Feeder(lab.store)
    feeder.tell(200)
    lab.store.record_events(feeder.run_id, feeder.worker_id, [an_epoch(1, 200)])
    yield feeder
    if lab.store.run(feeder.run_id).is_live:
        feeder.end()


def watch(page: Page, lab: Lab, feeder: Feeder) -> None:
    """Open the run's page and wait until it has caught up."""
    page.goto(f"{lab.served.url}/train?run={feeder.run_id}")
    wait_until(lambda: state(page).count() > 0 and step(page) == feeder.step, page, seconds=90)


def update(page: Page, feeder: Feeder, times: int) -> None:
    """So many batches of steps, each of which the page shows before the next one comes."""
    for _ in range(times):
        feeder.tell(10)
        wait_until(lambda: step(page) == feeder.step, page)


def place_under_mouse(page: Page, share: float) -> str:
    """What the loss chart says about the place that lies at a share of its width."""
    plot = page.locator('.panel[data-panel="loss"] .u-over')
    wait_until(lambda: plot.bounding_box() is not None, page)  # another scale is another plot
    box = plot.bounding_box()
    page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
    return page.locator('.panel[data-panel="loss"] .tip').inner_text()


def zoom(page: Page) -> None:
    """Drag from a fifth to two fifths of the loss chart."""
    box = page.locator('.panel[data-panel="loss"] .u-over').bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.2 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], middle, steps=5)
    page.mouse.up()


def test_a_zoom_is_still_there_after_twenty_updates(lab, fed, page):
    watch(page, lab, fed)
    zoom(page)
    whole = page.get_by_role("button", name="Whole run")
    expect(whole).to_be_enabled()
    before = [place_under_mouse(page, share) for share in (0.1, 0.9)]
    update(page, fed, 20)
    assert [place_under_mouse(page, share) for share in (0.1, 0.9)] == before
    whole.click()
    expect(whole).to_be_disabled()
    assert place_under_mouse(page, 0.9) != before[1]


def test_a_hidden_curve_stays_hidden_over_updates_and_a_reload(lab, fed, page):
    watch(page, lab, fed)
    button = page.locator('[data-curve="loss-val"]')
    assert "validation" in place_under_mouse(page, 0.5)
    button.click()
    update(page, fed, 20)
    expect(button).to_have_attribute("aria-pressed", "false")
    assert "validation" not in place_under_mouse(page, 0.5)
    page.reload()
    expect(button).to_have_attribute("aria-pressed", "false")


def test_two_tabs_follow_a_run_and_stop_it_once(lab, fed, page):
    watch(page, lab, fed)
    other = page.context.new_page()
    watch(other, lab, fed)
    update(page, fed, 3)
    wait_until(lambda: step(other) == fed.step, other)
    for tab in (page, other):
        tab.get_by_role("button", name="Stop").click()
    orders = []
    wait_until(lambda: orders.extend(fed.tell(1)) or "stop" in orders, page)
    fed.end("stopped")
    for tab in (page, other):
        expect(state(tab)).to_have_text("Stopped")
        expect(tab.get_by_role("button", name="Stop")).to_have_count(0)  # the buttons follow


def test_every_step_arrives_however_fast_they_come(lab, fed, page):
    watch(page, lab, fed)
    answers = []
    page.on("response", lambda answer: answers.append(answer) if "metrics" in answer.url else None)
    before = fed.step
    for _ in range(30):
        fed.tell(100)
    wait_until(lambda: step(page) == fed.step, page)
    told = [at for answer in answers for at in answer.json()["steps"]["step"]]
    assert told == list(range(before + 1, fed.step + 1))


def test_the_size_of_an_update_does_not_grow_with_the_run(lab, fed, page):
    watch(page, lab, fed)
    sizes = []
    page.on(
        "response",
        lambda answer: sizes.append(len(answer.body())) if "metrics" in answer.url else None,
    )
    update(page, fed, 3)
    early = max(sizes)
    fed.tell(3000)
    wait_until(lambda: step(page) == fed.step, page)
    sizes.clear()
    update(page, fed, 3)
    assert max(sizes) < 1.2 * early


def test_the_keyboard_zooms_and_moves(lab, fed, page):
    watch(page, lab, fed)
    chart = page.locator('.panel[data-panel="loss"] .canvas')
    chart.focus()
    chart.press("+")
    whole = page.get_by_role("button", name="Whole run")
    expect(whole).to_be_enabled()
    chart.press("0")
    expect(whole).to_be_disabled()


def test_the_axis_can_be_logarithmic_and_count_epochs(lab, fed, page):
    watch(page, lab, fed)
    page.get_by_role("button", name="Log").click()
    page.get_by_role("button", name="Epochs").click()
    assert place_under_mouse(page, 0.5).startswith("epoch")
    page.get_by_role("button", name="Gradient norm").click()
    expect(page.locator('.panel[data-panel="gradient"]')).to_be_visible()


def test_several_runs_share_the_charts_and_can_be_hidden(lab, fed, page):
    second = Feeder(lab.store)
    second.tell(100)
    page.goto(f"{lab.served.url}/train?run={fed.run_id}&run={second.run_id}")
    expect(page.locator(".status")).to_have_count(2)
    name = page.locator(f'[data-run="{second.run_id}"] .run')
    name.click()
    expect(name).to_have_attribute("aria-pressed", "false")
    second.end()
    expect(page.locator(f'[data-run="{second.run_id}"] .state')).to_have_text("Finished")


def test_a_page_change_and_back_finds_the_whole_curve(lab, fed, page):
    watch(page, lab, fed)
    page.get_by_role("link", name="Results").click()
    expect(page.get_by_role("heading", name="Results")).to_be_visible()
    fed.tell(50)
    page.go_back()
    wait_until(lambda: state(page).count() > 0 and step(page) == fed.step, page)
    assert f"run={fed.run_id}" in page.url


def test_the_page_says_when_the_server_is_away_and_catches_up(lab, fed, page):
    watch(page, lab, fed)
    page.route("**/metrics*", lambda route: route.abort())
    expect(state(page)).to_have_text("Reconnecting")
    at = step(page)
    fed.tell(30)
    assert step(page) == at  # what it had is still there
    page.unroute("**/metrics*")
    expect(state(page)).to_have_text("Training")
    wait_until(lambda: step(page) == fed.step, page)


def test_a_run_that_goes_on_from_a_checkpoint_is_read_again(lab, page):
    feeder = Feeder(lab.store)
    feeder.tell(80)
    lab.store.record_events(feeder.run_id, feeder.worker_id, [a_checkpoint(50)])
    feeder.end("interrupted")
    watch(page, lab, feeder)
    expect(state(page)).to_have_text("Interrupted")
    lab.store.resume(feeder.run_id)
    worker_id = lab.store.register_worker()
    assert lab.store.claim(worker_id, feeder.run_id)
    lab.store.rewind(lab.store.run(feeder.run_id), 50)
    lab.store.record_events(feeder.run_id, worker_id, [started(TOTAL), *steps(51, 60)])
    expect(state(page)).to_have_text("Training")
    wait_until(lambda: step(page) == 60, page)
    lab.store.record_events(feeder.run_id, worker_id, [the_end(step=60)])
    lab.store.unregister_worker(worker_id)


def test_nothing_moves_for_those_who_asked_for_less_motion(lab, fed, page):
    page.emulate_media(reduced_motion="reduce")
    watch(page, lab, fed)
    dot = "getComputedStyle(element, '::before').animationName"
    assert state(page).evaluate(f"element => {dot}") == "none"


def test_a_hundred_thousand_steps_are_drawn_from_no_more_points_than_a_thousand(lab, page):
    page.goto(lab.served.url)
    drawn = page.evaluate(
        """async () => {
          const { Column } = await import("/assets/common/live/column.js");
          const count = (length) => {
            const column = new Column();
            for (let at = 0; at < length; at++) column.push(Math.sin(at * at));
            const found = column.extremes(0, length, 500);
            const seen = found.map((at) => column.at(at));
            return { points: found.length, least: Math.min(...seen), greatest: Math.max(...seen),
                     rising: found.every((at, row) => row === 0 || at > found[row - 1]) };
          };
          return [count(1000), count(100_000)];
        }"""
    )
    small, large = drawn
    # A block gives two points; 1,000 values make 500 blocks of 2, and 100,000 values 391 blocks of
    # 256 with a last one that is not whole: 390 blocks and the halves of 160 = 128 + 32.
    assert small["points"] == 1000
    assert large["points"] == 2 * (390 + 2)
    assert large["greatest"] > 0.9999 and large["least"] < -0.9999  # no peak is lost
    assert large["rising"]


def test_a_run_that_diverged_is_said(lab, page):
    feeder = Feeder(lab.store)
    feeder.tell(5)
    watch(page, lab, feeder)
    lab.store.record_events(feeder.run_id, feeder.worker_id, [the_end("diverged", step=5)])
    expect(state(page)).to_have_text("Diverged")


def test_troubles_and_what_was_chosen_are_told_in_words_while_it_runs(lab, fed, page):
    watch(page, lab, fed)
    expect(page.locator(".trouble")).to_have_count(0)
    summary = page.get_by_text("How it runs")
    summary.focus()
    summary.press("Enter")
    expect(page.get_by_text("abacus, torch 2.")).to_be_visible()
    worse = [replace(an_epoch(at, 100 * at), val_loss=0.8 + at / 10) for at in range(2, 5)]
    lab.store.record_events(fed.run_id, fed.worker_id, worse)
    expect(page.locator(".trouble")).to_contain_text("Over-fitting since epoch 1")
    expect(page.get_by_text("abacus, torch 2.")).to_be_visible()  # what was opened stays open
