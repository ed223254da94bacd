"""The results table in a real browser; its rows are on a canvas, and are clicked by position."""

import pytest
from driving import result_row
from example_runs import a_running_run, an_epoch, steps, the_end
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

HEADER, ROW = 35, 35  # pixels


def click_row(page: Page, row: int) -> None:
    """Click the box at the left of a row, counted from 0."""
    box = page.get_by_test_id("data-grid-canvas").bounding_box()
    page.mouse.click(box["x"] + 18, box["y"] + HEADER + ROW * row + ROW / 2)


def overlaid(page: Page) -> Locator:
    """The names of the runs in the chart of curves."""
    return page.locator(".live .run")


@pytest.fixture
def three_runs(store) -> list[str]:
    """Ids of three finished runs, the newest first, as the table shows them."""
    ids = []
    for seed in range(3):
        run_id, worker_id = a_running_run(store, preset="fed", seed=seed)
        store.record_events(run_id, worker_id, [*steps(1, 20), an_epoch(1, 20), the_end()])
        store.workers.unregister(worker_id)
        ids.insert(0, run_id)
    return ids


def show_each_seed(page: Page) -> None:
    """Switch the table to one row per run."""
    page.get_by_text("Each seed", exact=True).click()
    expect(result_row(page, "fed, seed 2")).to_be_attached()


def test_rows_that_are_clicked_are_overlaid_and_stay_selected(three_runs, url, page):
    page.goto(f"{url}/results")
    expect(result_row(page, "fed")).to_be_attached()
    show_each_seed(page)
    click_row(page, 0)
    expect(page.locator(".live .panel").first).to_be_visible()
    click_row(page, 2)
    expect(overlaid(page)).to_have_text(["fed on digits, seed 0", "fed on digits, seed 2"])
    assert [f"run={run_id}" in page.url for run_id in three_runs] == [True, False, True]
    click_row(page, 0)
    expect(overlaid(page)).to_have_text(["fed on digits, seed 2"])
    page.reload()
    expect(overlaid(page)).to_have_text(["fed on digits, seed 2"])
    page.get_by_role("button", name="Open in Train").click()
    expect(page.get_by_role("heading", level=1, name="fed on digits, seed 2")).to_be_visible()
    assert page.url.endswith(f"/train?run={three_runs[0]}")


def test_a_row_of_three_seeds_overlays_all_three(three_runs, url, page):
    page.goto(f"{url}/results")
    expect(result_row(page, "fed")).to_be_attached()
    click_row(page, 0)
    expect(overlaid(page)).to_have_count(3)
    page.get_by_text("Mean over seeds", exact=True).click()
    expect(page.locator(".js-plotly-plot").first).to_contain_text("Validation accuracy")


COLOUR = "line => getComputedStyle(line).getPropertyValue('--line')"


def test_runs_whose_colours_repeat_have_numbers_and_other_dashes(url, store, page):
    ids = []
    for seed in range(7):
        run_id, worker_id = a_running_run(store, preset="fed", seed=seed)
        store.record_events(run_id, worker_id, [*steps(1, 20), an_epoch(1, 20), the_end()])
        store.workers.unregister(worker_id)
        ids.append(run_id)
    page.goto(f"{url}/results?{'&'.join(f'run={run_id}' for run_id in ids)}")
    expect(overlaid(page)).to_have_count(7)
    line = page.locator(".live .run i")
    expect(line.nth(0)).to_have_class("solid")
    expect(line.nth(6)).to_have_class("dashdot")
    expect(overlaid(page).nth(6)).to_have_attribute("data-place", "7")
    assert line.nth(0).evaluate(COLOUR) == line.nth(6).evaluate(COLOUR) != ""  # there are six


def test_a_new_run_does_not_move_the_selection(store, three_runs, url, page):
    page.goto(f"{url}/results?run={three_runs[1]}")
    expect(overlaid(page)).to_have_text(["fed on digits, seed 1"])
    run_id, worker_id = a_running_run(store, preset="fed", seed=7)
    page.reload()
    expect(result_row(page, "fed, seed 7")).to_be_attached()
    expect(overlaid(page)).to_have_text(["fed on digits, seed 1"])
    store.record_events(run_id, worker_id, [the_end()])
