"""The Lab in a browser: a network is shaped while it trains, drawn for, kept; a link opens it."""

import re

import pytest
from driving import wait_until
from playwright.sync_api import Page, expect

from cnnlib.data.prepare import prepare
from cnnlib.records.run import Run
from cnnlib.runs import RunStore

pytestmark = pytest.mark.browser
# A camera that sees a dark bar move over light paper.
MOVING_BAR = """
navigator.mediaDevices.getUserMedia = async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
  const context = canvas.getContext("2d");
  let x = 0;
  setInterval(() => {
    context.fillStyle = "#eee";
    context.fillRect(0, 0, 320, 240);
    context.fillStyle = "#222";
    context.fillRect(80 + (x = (x + 8) % 120), 40, 30, 160);
  }, 50);
  const stream = canvas.captureStream();
  window.cameraTrack = stream.getTracks()[0];
  return stream;
};
"""
COLD = 90_000  # the viewer and the worker import torch first
SLOW_PLANS = """
const send = window.fetch;
window.fetch = async (...request) => {
  if (String(request[0]).endsWith("/api/plan")) await new Promise((done) => setTimeout(done, 150));
  return send(...request);
};
"""


def open_lab(page: Page, url: str) -> None:
    """Open the Lab and wait until its maps are there."""
    page.goto(url)
    expect(page.get_by_test_id("lab-play")).to_be_enabled(timeout=COLD)
    expect(page.get_by_test_id("lab-map-1-0")).to_be_visible(timeout=COLD)
    expect(page.get_by_test_id("lab-answer")).to_contain_text(re.compile(r"\d"), timeout=COLD)


def step(page: Page) -> int:
    """The step that the bar shows; 0 before the first."""
    found = re.search(r"step ([\d,]+)", page.get_by_test_id("lab-state").inner_text())
    return int(found[1].replace(",", "")) if found else 0


def play(page: Page, until: int = 20) -> None:
    """Press play and wait for some steps."""
    page.get_by_test_id("lab-play").click()
    wait_until(lambda: step(page) >= until, page, 90)


def pause(page: Page) -> int:
    """Press pause; return the step at which the network stands."""
    page.get_by_test_id("lab-play").click()
    wait_until(lambda: newest()[0] == "paused", page)
    stopped = newest()[1]
    wait_until(lambda: step(page) == stopped, page)
    expect(page.get_by_test_id("lab-play")).to_have_accessible_name("Play")
    return stopped


def newest() -> tuple[str, int]:
    """State and step of the newest run of this test, sketches included."""
    run = newest_run()
    return (run.state, run.step) if run else ("", 0)


def newest_run() -> Run | None:
    store = RunStore()
    with store.database.read() as connection:
        run_id = connection.exec_driver_sql("SELECT id FROM runs ORDER BY number DESC").scalar()
    run = store.run(str(run_id)) if run_id else None
    store.close()
    return run


def expect_a_fresh_network(page: Page, before: Run) -> None:
    """Wait until another run trains from its own first step, and the page shows it."""
    wait_until(lambda: newest_run().id != before.id and newest_run().step > 0, page, 60)
    run = newest_run()
    assert run.request.origin is None
    wait_until(lambda: 0 < step(page) <= newest()[1] and newest_run().id == run.id, page, 60)


def test_one_click_trains_a_network_that_reads_digits(url, page, store):
    open_lab(page, url)
    play(page)
    accuracy = page.get_by_test_id("lab-accuracy")

    def share() -> float:
        text = accuracy.inner_text().replace("%", "").strip()
        return float(text) if re.fullmatch(r"[\d.]+", text) else 0.0

    wait_until(lambda: share() >= 90, page, 90)
    expect(page.get_by_test_id("lab-loss")).to_have_text(re.compile(r"\d"))
    assert store.runs() == []
    stopped = pause(page)
    page.get_by_test_id("lab-step").click()
    wait_until(lambda: step(page) == stopped + 1, page)
    page.wait_for_timeout(500)
    assert step(page) == stopped + 1


def test_a_control_changes_the_network_while_it_trains(url, page):
    open_lab(page, url)
    play(page)
    params = page.get_by_test_id("lab-params")
    before = params.inner_text()
    slider = page.get_by_test_id("lab-convolutions")
    slider.focus()
    slider.press("ArrowRight")
    expect(params).not_to_have_text(before)
    expect(page.get_by_test_id("lab-column-3")).to_be_visible()
    seen = step(page)
    wait_until(lambda: step(page) >= seen + 10, page, 60)
    assert "design=" in page.url
    page.keyboard.press("Control+z")
    expect(params).to_have_text(before)


def test_the_answer_follows_the_pen(url, page):
    open_lab(page, url)
    play(page, until=60)
    page.get_by_test_id("lab-draw").click()
    box = page.get_by_test_id("lab-input").bounding_box()
    x, top, bottom = box["x"] + box["width"] / 2, box["y"] + 15, box["y"] + box["height"] - 15
    answer = page.get_by_test_id("lab-answer")
    before = answer.inner_text()
    page.mouse.move(x, top)
    page.mouse.down()
    page.mouse.move(x, bottom, steps=12)
    expect(answer).not_to_have_text(before, timeout=10_000)  # the pen is still down
    page.mouse.up()


def test_start_again_has_fresh_weights(url, page):
    open_lab(page, url)
    play(page)
    before = newest_run()
    page.get_by_test_id("lab-restart").click()
    expect_a_fresh_network(page, before)


def test_a_kept_design_is_trained_clean_and_is_in_the_results(url, page, store):
    open_lab(page, url)
    play(page)
    page.get_by_test_id("lab-keep").click()
    page.get_by_test_id("lab-keep-clean").click()
    wait_until(lambda: [run.state for run in store.runs()] == ["finished"], page, 120)
    [run] = store.runs()
    assert (run.request.origin, run.intervened) == (None, False)
    seen = step(page)
    wait_until(lambda: step(page) > seen, page, 60)  # the sketch went on after it


def test_a_link_shows_the_same_screen_elsewhere(url, page, browser):
    open_lab(page, url)
    page.get_by_test_id("lab-channels").focus()
    page.get_by_test_id("lab-channels").press("ArrowRight")
    page.wait_for_url(re.compile("design="))
    params = page.get_by_test_id("lab-params").inner_text()
    with browser.new_context() as other:
        tab = other.new_page()
        tab.goto(page.url)
        expect(tab.get_by_test_id("lab-params")).to_have_text(params, timeout=COLD)


def test_a_reload_shows_the_sketch_that_trains(url, page):
    open_lab(page, url)
    play(page)
    page.reload()
    expect(page.get_by_test_id("lab-play")).to_be_enabled(timeout=COLD)
    wait_until(lambda: step(page) > 20, page)


def test_undo_goes_back_to_the_designs_of_before_a_reload(url, page):
    open_lab(page, url)
    params = page.get_by_test_id("lab-params")
    before = params.inner_text()
    page.get_by_test_id("lab-channels").press("ArrowRight")
    page.wait_for_url(re.compile("design="))
    changed = params.inner_text()
    assert changed != before
    page.reload()
    expect(params).to_have_text(changed, timeout=COLD)
    page.get_by_role("button", name="Undo").click()
    expect(params).to_have_text(before)
    page.reload()
    page.get_by_role("button", name="Redo").click(timeout=COLD)
    expect(params).to_have_text(changed)


def test_the_share_right_is_of_a_step_of_the_network_that_is_shown(url, page):
    open_lab(page, url)
    play(page)
    score = page.locator(".score")
    expect(score).to_contain_text(re.compile(r"step \d+"), timeout=COLD)
    changed_at = pause(page)
    page.get_by_test_id("lab-channels").press("ArrowRight")
    page.wait_for_url(re.compile("design="))
    expect(score).to_contain_text("not measured yet")
    page.reload()
    wait_until(lambda: step(page) == changed_at, page, 60)
    expect(score).to_contain_text("not measured yet")
    page.get_by_test_id("lab-play").click()
    expect(score).to_contain_text(re.compile(r"step \d+"), timeout=COLD)
    measured_at = re.search(r"step ([\d,]+)", score.inner_text())[1]
    assert int(measured_at.replace(",", "")) > changed_at


def test_a_change_starts_with_fresh_weights_where_it_is_asked_for(url, page):
    open_lab(page, url)
    play(page)
    before = newest_run()
    page.get_by_test_id("lab-fresh").check()
    page.get_by_test_id("lab-convolutions").focus()
    page.get_by_test_id("lab-convolutions").press("ArrowRight")
    expect_a_fresh_network(page, before)


def test_a_comparison_trains_clean_runs(url, page, store):
    open_lab(page, url)
    play(page)
    page.get_by_test_id("lab-compare").click()
    page.get_by_test_id("lab-rival").select_option("preset mlp")
    page.get_by_test_id("lab-compare-start").click()
    page.get_by_role("link", name="Open it").click()
    page.wait_for_url(re.compile("results.duel="))
    wait_until(lambda: len(store.runs()) >= 2, page, 120)
    assert {run.request.origin for run in store.runs()} == {None}


def test_the_camera_is_the_input(url, page):
    page.add_init_script(MOVING_BAR)
    open_lab(page, url)
    page.get_by_test_id("lab-draw").click()
    canvas = page.get_by_test_id("lab-input")
    empty = canvas.evaluate("each => each.toDataURL()")
    camera = page.get_by_test_id("lab-camera")
    camera.click()
    wait_until(lambda: canvas.evaluate("each => each.toDataURL()") != empty, page)
    expect(camera).to_have_text("Hold")
    camera.click()
    held = canvas.evaluate("each => each.toDataURL()")
    page.wait_for_timeout(500)
    assert canvas.evaluate("each => each.toDataURL()") == held
    page.get_by_test_id("lab-draw").click()
    assert page.evaluate("window.cameraTrack.readyState") == "ended"


def test_the_numbers_follow_a_hand_that_is_faster_than_the_server(url, page):
    page.add_init_script(SLOW_PLANS)
    open_lab(page, url)
    box = page.get_by_test_id("lab-channels").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.2, y)
    page.mouse.down()
    shown = set()
    for move in range(60):
        page.mouse.move(box["x"] + box["width"] * (0.2 + move / 100), y)
        page.wait_for_timeout(30)
        shown.add(page.get_by_test_id("lab-params").inner_text())
    assert len(shown) > 3  # the button is still down
    page.mouse.up()


def test_the_line_under_the_network_is_of_the_design_that_is_shown(url, page):
    open_lab(page, url)
    page.locator("button.resize", has_text="+").first.click()
    expect(page.locator("p.about")).to_contain_text("20 maps")  # the pointer did not move


def test_another_dataset_is_not_asked_for_a_picture_of_the_one_before(
    mnist_folder, app_server, page
):
    for name in ("mnist", "digits"):
        for _ in prepare(name):
            pass
    page.goto(f"{app_server()}?dataset=mnist")
    first = re.compile("picture 0,")
    picture = page.get_by_test_id("lab-input")
    expect(picture).to_have_attribute("aria-label", first, timeout=COLD)
    refused = []
    page.on("response", lambda each: each.status >= 400 and refused.append(each.url))
    number = page.get_by_label("Number of the picture")
    number.fill("3280")  # digits has 144
    number.press("Enter")
    page.get_by_test_id("lab-dataset").select_option("digits")
    page.wait_for_url(lambda url: "mnist" not in url)
    expect(picture).to_have_attribute("aria-label", first)
    page.wait_for_timeout(1000)  # a picture is handed to the page 400 ms after it was chosen
    assert refused == []
    expect(page.get_by_role("status").filter(has_text="unseen picture")).to_have_count(0)
