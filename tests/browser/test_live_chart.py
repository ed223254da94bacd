"""The live chart of a simulated run: zoom, hidden curves, two tabs, an unreachable server."""

from collections.abc import Generator
from dataclasses import replace
from itertools import pairwise

import pytest
from driving import RESTING, state, step, wait_until
from example_runs import a_checkpoint, an_epoch, started, steps, the_end
from playwright.sync_api import Page, expect
from simulated_run import TOTAL, SimulatedRun

from cnnlib.records.events import Command, Intervention, SampleScore
from cnnlib.runs import RunStore, queue

pytestmark = pytest.mark.browser


@pytest.fixture
def simulated(store: RunStore) -> Generator[SimulatedRun]:
    """A running run with 200 steps and an epoch."""
    run = SimulatedRun(store)
    run.add_steps(200)
    store.record_events(run.run_id, run.worker_id, [an_epoch(1, 200)])
    yield run
    if store.run(run.run_id).is_live:
        run.end()


def watch(page: Page, url: str, run: SimulatedRun) -> None:
    """Open the run's page and wait until it has caught up."""
    page.goto(f"{url}/train?run={run.run_id}")
    wait_until(lambda: state(page).count() > 0 and step(page) == run.step, page, seconds=90)


def update(page: Page, run: SimulatedRun, times: int) -> None:
    """Add ten steps `times` times, each time waiting until the page shows them."""
    for _ in range(times):
        run.add_steps(10)
        wait_until(lambda: step(page) == run.step, page)


def tooltip_at(page: Page, share: float) -> str:
    """The tooltip of the loss chart at a share of its width."""
    plot = page.locator('.panel[data-panel="loss"] .u-over')
    wait_until(lambda: plot.bounding_box() is not None, page)  # a new scale creates a new plot
    box = plot.bounding_box()
    page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
    return page.locator('.panel[data-panel="loss"] .tip').inner_text()


def zoom(page: Page) -> None:
    """Zoom by dragging from a fifth to two fifths of the loss chart."""
    box = page.locator('.panel[data-panel="loss"] .u-over').bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.2 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], middle, steps=5)
    page.mouse.up()


def test_a_zoom_is_still_there_after_twenty_updates(url, simulated, page):
    watch(page, url, simulated)
    zoom(page)
    whole = page.get_by_role("button", name="Whole run")
    expect(whole).to_be_enabled()
    before = [tooltip_at(page, share) for share in (0.1, 0.9)]
    update(page, simulated, 20)
    assert [tooltip_at(page, share) for share in (0.1, 0.9)] == before
    whole.click()
    expect(whole).to_be_disabled()
    assert tooltip_at(page, 0.9) != before[1]


def test_a_hidden_curve_stays_hidden_over_updates_and_a_reload(url, simulated, page):
    watch(page, url, simulated)
    button = page.locator('[data-curve="loss-val"]')
    assert "validation" in tooltip_at(page, 0.5)
    button.click()
    update(page, simulated, 20)
    expect(button).to_have_attribute("aria-pressed", "false")
    assert "validation" not in tooltip_at(page, 0.5)
    page.reload()
    expect(button).to_have_attribute("aria-pressed", "false")


def test_two_tabs_follow_a_run_and_stop_it_once(url, simulated, page):
    watch(page, url, simulated)
    other = page.context.new_page()
    watch(other, url, simulated)
    update(page, simulated, 3)
    wait_until(lambda: step(other) == simulated.step, other)
    for tab in (page, other):
        tab.get_by_role("button", name="Stop").click()
    commands = []
    wait_until(lambda: commands.extend(simulated.add_steps(1)) or "stop" in commands, page)
    simulated.end("stopped")
    for tab in (page, other):
        expect(state(tab)).to_have_text("Stopped")
        expect(tab.get_by_role("button", name="Stop")).to_have_count(0)  # the buttons follow


def test_every_step_arrives_however_fast_they_come(url, simulated, page):
    watch(page, url, simulated)
    answers = []
    page.on("response", lambda answer: answers.append(answer) if "metrics" in answer.url else None)
    before = simulated.step
    for _ in range(30):
        simulated.add_steps(100)
    wait_until(lambda: step(page) == simulated.step, page)
    received = [at for answer in answers for at in answer.json()["steps"]["step"]]
    assert received == list(range(before + 1, simulated.step + 1))


def test_the_size_of_an_update_does_not_grow_with_the_run(url, simulated, page):
    watch(page, url, simulated)
    sizes = []
    page.on(
        "response",
        lambda answer: sizes.append(len(answer.body())) if "metrics" in answer.url else None,
    )
    update(page, simulated, 3)
    early = max(sizes)
    simulated.add_steps(3000)
    wait_until(lambda: step(page) == simulated.step, page)
    update(page, simulated, 1)  # the event of the large answer can come after its curve
    sizes.clear()
    update(page, simulated, 3)
    assert max(sizes) < 1.2 * early


def test_the_keyboard_zooms_and_moves(url, simulated, page):
    watch(page, url, simulated)
    chart = page.locator('.panel[data-panel="loss"] .canvas')
    chart.focus()
    chart.press("+")
    whole = page.get_by_role("button", name="Whole run")
    expect(whole).to_be_enabled()
    chart.press("0")
    expect(whole).to_be_disabled()


def test_the_axis_can_be_logarithmic_and_count_epochs(url, simulated, page):
    watch(page, url, simulated)
    page.get_by_role("button", name="Log").click()
    page.get_by_role("button", name="Epochs").click()
    assert tooltip_at(page, 0.5).startswith("epoch")
    page.get_by_role("button", name="Gradient norm").click()
    expect(page.locator('.panel[data-panel="gradient"]')).to_be_visible()


def test_several_runs_share_the_charts_and_can_be_hidden(url, store, simulated, page):
    second = SimulatedRun(store)
    second.add_steps(100)
    page.goto(f"{url}/train?run={simulated.run_id}&run={second.run_id}")
    expect(page.locator(".status")).to_have_count(2)
    name = page.locator(f'[data-run="{second.run_id}"] .run')
    name.click()
    expect(name).to_have_attribute("aria-pressed", "false")
    second.end()
    expect(page.locator(f'[data-run="{second.run_id}"] .state')).to_have_text("Finished")


def test_the_loss_says_which_runs_have_label_smoothing_or_class_weights(
    url, store, simulated, page
):
    request = store.run(simulated.run_id).request
    recipe = replace(request.recipe, label_smoothing=0.1)
    smoothed = store.submit(replace(request, recipe=recipe))
    both = replace(recipe, class_balance="weights")
    weighted = store.submit(replace(request, recipe=both))
    title = page.locator('.panel[data-panel="loss"] h2')
    for run_ids, expected in (
        ([simulated.run_id], "Loss"),
        (
            [weighted],
            "Loss (training with label smoothing and class weights, validation without)",
        ),
        (
            [simulated.run_id, smoothed, weighted],
            "Loss (training of run 2 with label smoothing, of run 3 with label smoothing and class "
            "weights, validation without)",
        ),
        ([smoothed], "Loss (training with label smoothing, validation without)"),
        (
            [simulated.run_id, smoothed],
            "Loss (training of run 2 with label smoothing, validation without)",
        ),
    ):
        page.goto(f"{url}/train?" + "&".join(f"run={each}" for each in run_ids))
        expect(title).to_have_text(expected)
    for run_id in (smoothed, weighted):
        store.submit_command(run_id, Command("stop"))


def test_a_page_change_and_back_finds_the_whole_curve(url, simulated, page):
    watch(page, url, simulated)
    page.get_by_role("link", name="Results").click()
    expect(page.get_by_role("heading", name="Results")).to_be_visible()
    simulated.add_steps(50)
    page.go_back()
    wait_until(lambda: state(page).count() > 0 and step(page) == simulated.step, page)
    assert f"run={simulated.run_id}" in page.url


def test_the_page_reports_an_unreachable_server_and_catches_up(url, simulated, page):
    watch(page, url, simulated)
    page.route("**/metrics*", lambda route: route.abort())
    expect(state(page)).to_have_text("Reconnecting")
    at = step(page)
    simulated.add_steps(30)
    assert step(page) == at  # the page keeps its steps
    page.unroute("**/metrics*")
    expect(state(page)).to_have_text("Training")
    wait_until(lambda: step(page) == simulated.step, page)


def test_a_run_that_goes_on_from_a_checkpoint_is_read_again(url, store, page):
    run = SimulatedRun(store)
    run.add_steps(80)
    store.record_events(run.run_id, run.worker_id, [a_checkpoint(50)])
    run.end("interrupted")
    watch(page, url, run)
    expect(state(page)).to_have_text("Interrupted")
    worker_id = store.workers.register()
    with store.database.write() as connection:  # before the app's worker claims it
        queue.resume(connection, run.run_id)
        assert queue.claim(connection, worker_id, run.run_id, None)
    store.rewind(store.run(run.run_id), 50)
    store.record_events(run.run_id, worker_id, [started(TOTAL), *steps(51, 60)])
    expect(state(page)).to_have_text("Training")
    wait_until(lambda: step(page) == 60, page)
    store.record_events(run.run_id, worker_id, [the_end(step=60)])
    store.workers.unregister(worker_id)


def test_nothing_is_animated_with_reduced_motion(url, simulated, page):
    page.emulate_media(reduced_motion="reduce")
    watch(page, url, simulated)
    dot = "getComputedStyle(element, '::before').animationName"
    assert state(page).evaluate(f"element => {dot}") == "none"


def test_a_hundred_thousand_steps_are_drawn_from_no_more_points_than_a_thousand(url, page):
    page.goto(url)
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


def test_a_diverged_run_is_reported(url, store, page):
    run = SimulatedRun(store)
    run.add_steps(5)
    watch(page, url, run)
    store.record_events(run.run_id, run.worker_id, [the_end("diverged", step=5)])
    expect(state(page)).to_have_text("Diverged")


def test_problems_and_the_execution_mode_are_described_while_it_runs(url, store, simulated, page):
    watch(page, url, simulated)
    expect(page.locator(".trouble")).to_have_count(0)
    expect(page.locator(RESTING)).to_be_attached()  # the test pictures below it have been asked for
    summary = page.get_by_text("Execution details")
    summary.focus()
    summary.press("Enter")
    expect(page.get_by_text("abacus, torch 2.")).to_be_visible()
    worse = [replace(an_epoch(at, 100 + 20 * at), val_loss=0.8 + at / 10) for at in range(2, 12)]
    store.record_events(simulated.run_id, simulated.worker_id, worse)
    expect(page.locator(".trouble")).to_contain_text("Over-fitting since epoch 1")
    expect(page.get_by_text("abacus, torch 2.")).to_be_visible()  # the section stays open


AXES = "/assets/common/live/axes.js"
MARKS = "/assets/common/live/marks.js"


def evaluate(page: Page, module: str, expression: str) -> object:
    """Import a module of the live chart and evaluate an expression with its exports."""
    return page.evaluate(f'import("{module}").then((exported) => {{ {expression} }})')


def test_an_outlier_does_not_set_the_range_of_an_axis(url, page):
    page.goto(url)
    found = evaluate(
        page,
        AXES,
        """
        const loss = (step) => 2.3 * Math.exp(-step / 100) + 0.1;
        const learning = Array.from({ length: 400 }, (_, step) => loss(step));
        const exploded = learning.with(200, 1e6);
        const range = (values, log) => exported.valueRange([values], { clip: true, log });
        return { quiet: range(learning), exploded: range(exploded), log: range(exploded, true),
                 empty: range([]), flat: range([0, 0, 0]) };
        """,
    )
    assert found["quiet"]["highest"] is None
    assert 2.4 <= found["quiet"]["range"][1] < 3
    assert found["exploded"]["highest"] == 1e6
    assert found["exploded"]["range"] == found["quiet"]["range"]
    assert found["log"]["range"][1] > 1e6
    assert found["empty"]["range"] == [0, 1]
    assert found["flat"]["highest"] is None


def test_ticks_have_labels_that_differ(url, page):
    page.goto(url)
    labels = evaluate(
        page,
        AXES,
        """
        const labels = (ticks) => exported.tickLabels(ticks, false);
        return [labels([2.5e6, 3e6, 3.5e6]), labels([0, 0.5, 1]), labels([1e-4, 2.5e-4]),
                exported.tickLabels([0.955, 0.96], true), labels(exported.logTicks(0.01, 1e6)),
                labels(exported.logTicks(0.9, 1.1))];
        """,
    )
    assert labels[:4] == [
        ["2.5e6", "3.0e6", "3.5e6"],
        ["0", "0.5", "1"],
        ["1.0e-4", "2.5e-4"],
        ["95.5 %", "96 %"],
    ]
    assert all(len(set(each)) == len(each) <= 9 for each in labels)


def test_marks_that_would_overlap_are_merged_into_one_row(url, page):
    page.goto(url)
    merged = evaluate(
        page,
        MARKS,
        """
        const at = [10, 14, 18, 200, 399].map((x) => ({ x, text: "lr 0.1" }));
        const facts = ({ marks, left, width }) => [exported.labelText(marks), left, width];
        return exported.mergeMarks(at, 400).map(facts);
        """,
    )
    assert [text for text, _, _ in merged] == ["3 changes", "lr 0.1", "lr 0.1"]
    ends = [(left, left + width) for _, left, width in merged]
    assert ends[0][0] >= 0 and ends[-1][1] <= 400
    assert all(before[1] < after[0] for before, after in pairwise(ends))


def test_settings_belong_to_one_run(url, store, simulated, page):
    watch(page, url, simulated)
    page.get_by_role("button", name="Log").click()
    page.get_by_role("button", name="Gradient norm").click()
    other = SimulatedRun(store)
    other.add_steps(50)
    watch(page, url, other)
    expect(page.get_by_role("button", name="Linear")).to_have_attribute("aria-pressed", "true")
    expect(page.locator('.panel[data-panel="gradient"]')).to_be_hidden()
    other.end()


def test_four_charts_stand_two_by_two(url, simulated, page):
    page.set_viewport_size({"width": 1440, "height": 1000})
    watch(page, url, simulated)
    for name in ("Learning rate", "Gradient norm"):
        page.locator(".toolbar").get_by_role("button", name=name).click()
    panels = page.locator(".panel")
    expect(panels).to_have_count(4)
    for place in range(4):
        expect(panels.nth(place)).to_be_visible()
    boxes = [panels.nth(place).bounding_box() for place in range(4)]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[2]["y"] == boxes[3]["y"]
    assert boxes[0]["x"] == boxes[2]["x"] and boxes[1]["x"] == boxes[3]["x"]


def test_charts_side_by_side_have_their_titles_and_plots_at_one_height(url, simulated, page):
    page.set_viewport_size({"width": 1100, "height": 1000})  # the loss legend takes two lines
    watch(page, url, simulated)
    legends = page.locator(".panel:not([hidden]) .legend")
    heights = [legends.nth(place).bounding_box()["height"] for place in range(2)]
    assert heights[0] > heights[1]
    for part in ("h2", ".canvas"):
        tops = page.locator(f".panel:not([hidden]) {part}").evaluate_all(
            "parts => parts.map((part) => part.getBoundingClientRect().top)"
        )
        assert tops[0] == tops[1]


def test_the_page_follows_a_rename_and_a_changed_rate_from_elsewhere(url, store, simulated, page):
    watch(page, url, simulated)
    store.rename(simulated.run_id, "renamed elsewhere")
    expect(page.get_by_role("heading", name="renamed elsewhere")).to_be_visible()
    change = Intervention(simulated.step, "set", "lr", 0.25)
    store.record_events(simulated.run_id, simulated.worker_id, [change])
    expect(page.get_by_role("button", name="earning rate 0.25")).to_be_visible()


def test_the_names_of_several_runs_follow_a_rename_from_elsewhere(url, store, simulated, page):
    second = SimulatedRun(store)
    second.add_steps(100)
    page.goto(f"{url}/train?run={simulated.run_id}&run={second.run_id}")
    expect(page.locator(".status")).to_have_count(2)
    store.rename(second.run_id, "renamed elsewhere")
    name = page.locator(f'[data-run="{second.run_id}"] .run')
    expect(name).to_contain_text("renamed elsewhere")
    second.end()


def test_a_run_that_was_deleted_elsewhere_is_reported_and_polled_no_more(url, store, page):
    run = SimulatedRun(store)
    run.add_steps(20)
    run.end()
    watch(page, url, run)
    store.delete(run.run_id)
    expect(page.get_by_text("there is no such run here")).to_be_visible()
    expect(page.get_by_role("button", name="See all results")).to_be_visible()
    expect(page.get_by_role("button", name="Look inside")).to_have_count(0)
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.wait_for_timeout(2500)
    assert not [url for url in requests if run.run_id in url]


def test_leaving_a_live_page_raises_no_error(url, simulated, page):
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for _ in range(5):
        watch(page, url, simulated)
        simulated.add_steps(5)
        page.get_by_role("link", name="Results").click()
        expect(page.get_by_role("heading", name="Results")).to_be_visible()
    page.wait_for_timeout(500)
    assert errors == []


def test_the_accuracy_on_the_sample_is_shown_with_its_interval(url, store, simulated, page):
    watch(page, url, simulated)
    score = SampleScore(simulated.step, 486, 500, 4.0)
    store.record_events(simulated.run_id, simulated.worker_id, [score])
    # Wilson's interval of 486 of 500 is 95.4 to 98.3 %.
    expect(page.locator('[data-fact="sample"] dd').first).to_have_text(
        f"97.2 %486 of 500 at step {simulated.step}, 95 % interval 95.4 to 98.3 %"
    )
    expect(page.locator('[data-curve="accuracy-sample"]')).to_be_visible()
