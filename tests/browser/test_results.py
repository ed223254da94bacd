"""The results table in a real browser: rows are chosen, searched, sorted, folded and copied."""

import re
from dataclasses import replace

import pytest
import sqlalchemy as sa
from compare_runs import a_finished_run
from driving import result_row
from example_runs import a_request, a_running_run, an_epoch, steps, the_end
from playwright.sync_api import Locator, Page, expect

from cnnlib.design.spec import CNNSpec
from cnnlib.experiments.duel import Duel
from cnnlib.runs import studies
from cnnlib.runs.studies import StudyStep
from cnnlib.runs.tables import runs

pytestmark = pytest.mark.browser

WIDE = CNNSpec(channels=(8,))
DIGITS = "Digits (scikit-learn)"


def click_row(page: Page, row: int) -> None:
    """Click the box at the left of a row, counted from 0."""
    page.get_by_role("checkbox", name=re.compile("^Select (?!all)")).nth(row).click()


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
    page.get_by_role("button", name="View").click()
    page.get_by_text("Each seed", exact=True).click()
    page.keyboard.press("Escape")
    expect(result_row(page, "fed, seed 2")).to_be_attached()


def test_rows_that_are_clicked_are_overlaid_and_stay_selected(three_runs, url, page):
    page.goto(f"{url}/results")
    expect(result_row(page, "fed")).to_be_attached()
    show_each_seed(page)
    click_row(page, 0)
    expect(page.locator(".live .panel").first).to_be_visible()
    click_row(page, 2)
    expect(overlaid(page)).to_have_text([f"fed on {DIGITS}, seed 0", f"fed on {DIGITS}, seed 2"])
    assert [f"run={run_id}" in page.url for run_id in three_runs] == [True, False, True]
    click_row(page, 0)
    expect(overlaid(page)).to_have_text([f"fed on {DIGITS}, seed 2"])
    page.reload()
    expect(overlaid(page)).to_have_text([f"fed on {DIGITS}, seed 2"])
    page.get_by_role("button", name="Open in Train").click()
    expect(page.get_by_role("heading", level=1, name=f"fed on {DIGITS}, seed 2")).to_be_visible()
    assert page.url.endswith(f"/train?run={three_runs[0]}")


def test_back_leaves_the_page_in_one_press_after_rows_were_chosen(three_runs, url, page):
    page.goto(f"{url}/glossary")
    page.get_by_test_id("stTopNav").get_by_role("link", name="Results").click()
    expect(result_row(page, "fed")).to_be_attached()
    show_each_seed(page)
    for row in (0, 1, 0):
        click_row(page, row)
    expect(overlaid(page)).to_have_count(1)
    expect(page).to_have_url(re.compile("run="))
    page.go_back()
    expect(page.get_by_role("heading", name="Glossary", level=1)).to_be_visible()
    page.go_forward()
    expect(overlaid(page)).to_have_count(1)


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
    expect(overlaid(page)).to_have_text([f"fed on {DIGITS}, seed 1"])
    run_id, worker_id = a_running_run(store, preset="fed", seed=7)
    page.reload()
    expect(result_row(page, "fed, seed 7")).to_be_attached()
    expect(overlaid(page)).to_have_text([f"fed on {DIGITS}, seed 1"])
    store.record_events(run_id, worker_id, [the_end()])


def test_the_table_is_searched_sorted_and_copied(store, url, page):
    for number, name in enumerate(("first", "second", "third")):
        a_finished_run(store, 0.9, 0.9 + 0.01 * number, name=name, channels=(9 - number,))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{url}/results")
    names = page.locator("tr[data-row] .named")
    expect(names).to_have_count(3)
    header = page.get_by_role("columnheader", name="Parameters")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    expect(names).to_have_text(["first", "second", "third"])
    header.get_by_role("button").click()
    expect(names).to_have_text(["third", "second", "first"])
    search = page.get_by_role("searchbox", name="Search the results")
    search.fill("test>90.5")
    expect(names).to_have_text(["third", "second"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert lines[0].split("\t")[0] == "Design"
    assert [line.split("\t")[0] for line in lines[1:]] == ["third", "second"]
    search.fill("depth>3")
    expect(page.get_by_role("alert")).to_contain_text("'depth>3' names no column")
    search.fill("")
    expect(names).to_have_count(3)


def test_a_search_for_words_answers_before_the_page_does(store, url, page):
    for number, name in enumerate(("first", "second", "third")):
        a_finished_run(store, 0.9, 0.9 + 0.01 * number, name=name, channels=(9 - number,))
    page.goto(f"{url}/results")
    names = page.locator("tr[data-row] .named")
    expect(names).to_have_count(3)
    search = page.get_by_role("searchbox", name="Search the results")
    shown = search.evaluate(
        """(box, text) => {
          box.value = text;
          box.dispatchEvent(new Event("input"));
          const names = [...box.getRootNode().querySelectorAll("tr[data-row] .named")];
          return names.map((each) => each.textContent);
        }""",
        "ir digits",
    )
    assert shown == ["third", "first"]
    expect(names).to_have_text(["third", "first"])


def copies(store, run_id: str, count: int) -> None:
    """Let a finished run have copies with other designs: design 0, design 1 and so on."""
    with store.database.write() as connection:
        row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).mappings().one()
        connection.execute(sa.delete(runs).where(runs.c.id == run_id))
        for number in range(count):
            spec = row["request"]["spec"] | {"channels": [number + 1]}
            changed = row["request"] | {"spec": spec, "name": f"design {number}"}
            values = dict(row) | {"id": f"{number:012}", "number": number + 1, "request": changed}
            connection.execute(sa.insert(runs).values(**values))


def test_many_rows_are_all_drawn(store, url, page):
    copies(store, a_finished_run(store), 130)  # more than are drawn at once
    page.goto(f"{url}/results")
    expect(page.locator("tr[data-row]")).to_have_count(130)
    search = page.get_by_role("searchbox", name="Search the results")
    search.fill("12")
    expect(page.locator("tr[data-row]")).to_have_count(12)  # 12, 112, 120 to 129
    search.fill("")
    expect(page.locator("tr[data-row]")).to_have_count(130)


def test_the_rows_of_a_duel_stand_under_it_and_fold(store, url, page):
    duel = Duel(a_request(), replace(a_request(), spec=WIDE), "small", "large")
    duel_id = studies.submit(store, "duel", duel.to_dict(), lambda _: StudyStep(state="done"))
    for channels in ((4,), (8,)):
        a_finished_run(store, channels=channels, group=duel_id)
    page.goto(f"{url}/results")
    heading = page.locator("tr.heading")
    expect(heading).to_contain_text("small against large")
    rows = page.locator("tr[data-row] input")
    expect(rows).to_have_count(2)
    heading.get_by_role("button").click()
    expect(rows).to_have_count(0)
    heading.get_by_role("link", name="small against large").click()
    expect(page).to_have_url(re.compile(f"duel={duel_id}"))
    expect(page.get_by_text("Earlier duels")).to_have_count(0)


def test_two_rows_open_the_form_of_their_duel(store, url, page):
    ids = [a_finished_run(store, name=name, channels=(n,)) for n, name in ((4, "low"), (8, "high"))]
    page.goto(f"{url}/results?{'&'.join(f'run={run_id}' for run_id in ids)}")
    page.get_by_role("button", name="Duel", exact=True).click()
    expect(page).to_have_url(re.compile("view=duel"))
    expect(page.get_by_role("heading", name="Which of two designs is better?")).to_be_visible()
    chosen = page.get_by_role("combobox", name=re.compile("Design [AB]"))
    expect(chosen).to_have_count(2)


def test_on_a_phone_a_cut_table_fades_and_the_sections_stay_where_they_are(three_runs, url, page):
    page.set_viewport_size({"width": 420, "height": 900})
    page.goto(f"{url}/results")
    scroll = page.locator(".results .scroll")
    faded = "e => getComputedStyle(e).maskImage.includes('gradient')"
    expect(scroll).to_be_visible()
    assert scroll.evaluate(faded)
    scroll.evaluate("e => e.scrollTo(e.scrollWidth, 0)")
    page.wait_for_function(
        "e => getComputedStyle(e).maskImage === 'none'", arg=scroll.element_handle()
    )
    page.set_viewport_size({"width": 1440, "height": 900})
    sections = page.get_by_role("radiogroup", name="Section")
    top = (sections.bounding_box() or {})["y"]
    page.get_by_text("Duels", exact=True).click()
    expect(page.get_by_role("heading", name="Which of two designs is better?")).to_be_visible()
    assert (sections.bounding_box() or {})["y"] == top
