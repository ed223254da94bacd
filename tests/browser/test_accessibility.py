"""Accessibility of every page: axe, operation by keyboard alone, and texts for screen readers."""

import re

import pytest
from driving import HEADINGS, RESTING, faults
from example_runs import a_request, a_running_run, an_epoch, steps, the_end
from inspecting import a_run_with_even_errors, a_saved_run
from playwright.sync_api import Page, expect

from cnnlib.design.spec import CNNSpec
from cnnlib.runs import RunStore

pytestmark = pytest.mark.browser

COLD = 60_000  # ms: the first page of a server that shares its cores

# The element with the keyboard focus, also inside components.
ACTIVE = """
let at = document.activeElement;
while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
"""


def open_page(page: Page, url: str, address: str, heading: str) -> None:
    """Open a page and wait until its script has ended."""
    page.goto(f"{url}/{address}")
    title = page.get_by_role("heading", level=1, name=heading)
    expect(title).to_be_visible(timeout=COLD)
    expect(page.locator(RESTING)).to_be_attached(timeout=COLD)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=COLD)


def faults_of_all(page: Page, url: str, headings: dict[str, str]) -> dict[str, list[str]]:
    """The faults of each page in both themes; pages without faults are left out."""
    found = {}
    for address, heading in headings.items():
        open_page(page, url, address, heading)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            wait_for_theme(page, theme)
            if lines := faults(page):
                found[f"{address or 'home'}, {theme}"] = lines
    return found


def wait_for_theme(page: Page, theme: str) -> None:
    expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", theme)


def a_finished_run(store: RunStore, **fields) -> str:
    run_id, worker_id = a_running_run(store, **fields)
    store.record_events(
        run_id, worker_id, [*steps(1, 20), an_epoch(1, 10), an_epoch(2, 20), the_end()]
    )
    return run_id


@pytest.fixture
def filled(store) -> list[str]:
    """Add two finished runs, a running one and one that waits for it; return the finished ids."""
    ids = [a_finished_run(store, seed=seed) for seed in (0, 1)]
    a_running_run(store, name="It runs")
    store.submit(a_request(name="It waits"))
    return ids


def test_axe_finds_nothing_on_any_page_of_an_empty_lab(app_server, page):
    assert faults_of_all(page, app_server(), HEADINGS) == {}


def test_axe_finds_nothing_where_there_are_runs(url, store, page, filled):
    first, second = filled
    title = store.run(first).title
    headings = {
        "": "Lab",
        f"train?run={first}": title,
        f"results?run={first}&run={second}": "Results",
        "results?view=duel": "Results",
        "results?view=experiment": "Results",
        "data?dataset=digits": "Data",
    }
    assert faults_of_all(page, url, headings) == {}


def test_axe_finds_nothing_inside_a_trained_network(url, store, page):
    run_id = a_saved_run(store, CNNSpec(channels=(8, 6)), saved_steps=(0, 4, 8))
    title = store.run(run_id).title
    with_errors = a_run_with_even_errors(store)
    page.goto(f"{url}/inspect?run={run_id}&layer=features.conv1")
    expect(page.locator(".grid canvas")).to_have_count(2, timeout=2 * COLD)  # torch is imported
    expect(page.get_by_text("maps of step 8")).to_be_visible()
    headings = {
        f"inspect?run={run_id}&layer=features.conv1": "Look inside",
        f"inspect?run={with_errors}&view=Errors": "Look inside",
        f"draw?run={run_id}": "Draw",
        f"train?run={run_id}": title,
    }
    assert faults_of_all(page, url, headings) == {}


# -- the keyboard alone ----------------------------------------------------------------------------


def focused(page: Page) -> str:
    """The accessible name of the element with the keyboard focus; "" without one."""
    name = 'at.getAttribute("aria-label") || at.labels?.[0]?.textContent || at.textContent'
    frames = "['BODY', 'MAIN'].includes(at.tagName)"  # their text is that of the whole page
    return page.evaluate(f"() => {{ {ACTIVE} return {frames} ? '' : {name} }}")


def tab_to(page: Page, name: str, key: str = "Tab", most: int = 100) -> None:
    """Press Tab until the name of the focused element matches a pattern."""
    passed = []
    for _ in range(most):
        if re.search(name, here := focused(page)):
            return
        passed.append(here[:40])
        page.keyboard.press(key)
    raise AssertionError(f"{most} presses of {key} do not lead to {name!r}, only to {passed}")


def focus_shows(page: Page) -> bool:
    """Whether an outline, a ring or a border is drawn around the focused element or its frame."""
    return page.evaluate(
        f"""() => {{
            {ACTIVE}
            for (let up = 0; at && up < 4; up++, at = at.parentElement) {{
                const {{ outlineStyle, boxShadow }} = getComputedStyle(at);
                if (outlineStyle !== "none" || boxShadow !== "none") return true;
            }}
            return false;
        }}"""
    )


def test_a_design_is_changed_and_undone_by_the_keyboard_alone(url, page):
    open_page(page, url, "build", "Build")
    parameters = page.locator(".numbers dd").first
    expect(parameters).to_have_text("106,154", timeout=COLD)
    tab_to(page, "^Width$")
    page.keyboard.press("ArrowRight")
    expect(parameters).not_to_have_text("106,154")
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    tab_to(page, "Undo$", key="Shift+Tab")
    assert focus_shows(page)
    page.keyboard.press("Enter")
    expect(parameters).to_have_text("106,154")


def test_the_picture_of_the_network_has_descriptions(url, page):
    open_page(page, url, "build", "Build")
    picture = page.get_by_role("group", name="Picture of a network")
    expect(picture).to_have_attribute(
        "aria-label", "Picture of a network. Convolutions: 2; skips: 0; linear layers: 3"
    )
    tab_to(page, "^Image")
    page.keyboard.press("ArrowRight")
    assert focused(page).startswith("Convolution 3 × 3, name: features.conv1")
    edges = page.locator("[data-layer]:focus-visible > path:not(.wide)").first
    expect(edges).to_have_css("stroke-width", "1.5px")


def test_a_network_is_trained_and_stopped_by_the_keyboard_alone(url, page):
    open_page(page, url, "train", "Train")
    for name in ("Build$", "Seeds", "Train$"):
        tab_to(page, name)
        assert focus_shows(page)
    page.keyboard.press("Enter")
    state = page.locator(".status .state").first
    expect(state).to_have_text("Training", timeout=120_000)
    for button, then in (("Pause$", "Paused"), ("One step$", "Paused"), ("Resume$", "Training")):
        tab_to(page, button)
        page.keyboard.press("Enter")
        expect(state).to_have_text(then, timeout=COLD)
    tab_to(page, "Stop$")
    page.keyboard.press("Enter")
    expect(state).to_have_text("Stopped", timeout=COLD)


def test_a_step_of_the_training_is_chosen_by_the_keyboard_alone(url, store, page):
    run_id = a_saved_run(store, CNNSpec(channels=(8, 6)), saved_steps=(0, 4, 8))
    open_page(page, url, f"inspect?run={run_id}&layer=features.conv1", "Look inside")
    expect(page.locator(".grid canvas")).to_have_count(2, timeout=2 * COLD)  # torch is imported
    tab_to(page, "^Training step$")
    assert focus_shows(page)
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile("step=4"))


def test_runs_are_chosen_in_the_table_by_the_keyboard_alone(url, page, filled):
    open_page(page, url, "results", "Results")
    expect(page.locator("tr[data-row]").first).to_be_attached(timeout=COLD)
    tab_to(page, "^Select (?!all)")
    page.keyboard.press("ArrowDown")
    assert focus_shows(page)
    page.keyboard.press("Space")
    expect(page).to_have_url(re.compile("run="), timeout=COLD)


def test_the_tools_of_the_pad_are_reached_by_the_keyboard_alone(url, store, page):
    run_id = a_saved_run(store, CNNSpec(channels=(8, 6)), saved_steps=(0, 4, 8))
    open_page(page, url, f"draw?run={run_id}", "Draw")
    expect(page.locator("canvas.upper-canvas")).to_be_visible(timeout=2 * COLD)  # torch is imported
    tab_to(page, "^Pen$")
    assert focus_shows(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    for button in ("Undo$", "Clear$", "Width"):
        tab_to(page, button)
        assert focus_shows(page)
    page.keyboard.press("Enter")
    tab_to(page, "^Eraser width$")
    assert focus_shows(page)


def test_the_window_of_a_convolution_is_moved_by_the_keyboard_alone(url, page):
    open_page(page, url, "convolution", "Look inside")
    expect(page.get_by_text("Row 14, column 14")).to_be_visible(timeout=COLD)
    tab_to(page, "^Output map")
    assert focus_shows(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_text("Row 15, column 15")).to_be_visible()


def test_two_designs_are_compared_by_the_keyboard_alone(url, page):
    open_page(page, url, "results?view=duel", "Results")
    differ = page.get_by_text("Settings that differ")
    before = differ.inner_text(timeout=COLD)
    tab_to(page, "^Design B$")
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(differ).not_to_have_text(before)
    tab_to(page, "Start the duel$")
    assert focus_shows(page)


def test_the_curves_of_a_run_have_a_text_description(url, store, page, filled):
    title = store.run(filled[0]).title
    open_page(page, url, f"train?run={filled[0]}", title)
    chart = page.locator('.panel[data-panel="loss"] .canvas')
    expect(chart).to_have_attribute("role", "img")
    # In example_runs every step has loss 1, and epoch 2 a mean of 1 / 2 and 0.8 on validation.
    ends = (
        "each batch 1.0000, smoothed 1.0000, training, epoch mean 0.5000, "
        "validation, epoch end 0.8000"
    )
    expect(chart).to_have_attribute("aria-label", re.compile(f"^Loss, ending at {ends}"))
