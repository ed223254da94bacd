"""Inspect in a real browser: the slider, the canvases, and the window of a convolution."""

import os
import re
import statistics
import time
from dataclasses import replace
from pathlib import Path

import pytest
from driving import pick, wait_until
from example_runs import a_request, a_running_run, started, the_end
from inspecting import (
    a_run_with_errors_of_a_class,
    a_run_with_even_errors,
    a_saved_run,
    snapshot_name,
)
from playwright.sync_api import expect
from sample_data import prepared_now

from cnnlib.design.spec import CNNSpec
from cnnlib.nets.model import build_model
from cnnlib.records.events import WeightsSaved
from cnnlib.train.checkpoint import write_weights

pytestmark = pytest.mark.browser

# Limit in seconds for a step of the slider; the goal on a quiet machine is 0.3 s.
NOTCH_SECONDS = float(os.environ.get("CNNLAB_NOTCH_SECONDS", "3"))
SPEC = CNNSpec(channels=(64, 6), norm="batch")


@pytest.fixture
def run_id(store) -> str:
    run_id = a_saved_run(store, SPEC, saved_steps=tuple(range(0, 24, 2)))
    return run_id


def drawn(page) -> list[int]:
    """The number of drawings of each canvas of tiles so far."""
    counts = page.locator(".grid canvas").evaluate_all("all => all.map(each => each.dataset.drawn)")
    return [int(count or 0) for count in counts]


def open_layer(page, url: str, run_id: str, layer: str) -> None:
    page.goto(f"{url}/inspect?run={run_id}&layer={layer}")
    expect(page.locator(".grid canvas")).to_have_count(2, timeout=90_000)  # torch is imported
    wait_until(lambda: min(drawn(page)) > 0, page)


def test_a_notch_of_the_slider_redraws_filters_and_64_maps(url, page, run_id, tmp_path):
    open_layer(page, url, run_id, "features.conv1")
    slider = page.get_by_role("slider", name="Training step")
    slider.focus()
    taken = []
    for _ in range(8):
        before = drawn(page)
        began = time.perf_counter()
        slider.press("ArrowLeft")
        wait_until(
            lambda before=before: all(a > b for a, b in zip(drawn(page), before, strict=True)), page
        )
        taken.append(time.perf_counter() - began)
    report = f"notch: median {statistics.median(taken):.3f} s of {[round(t, 3) for t in taken]}"
    print(report)
    Path(os.environ.get("CNNLAB_NOTCH_REPORT", tmp_path / "notch.txt")).write_text(report)
    assert statistics.median(taken) < NOTCH_SECONDS


def test_the_window_moves_without_a_request_to_the_server(url, page, run_id):
    open_layer(page, url, run_id, "features.conv2")
    output = page.locator(".window .output")
    output.scroll_into_view_if_needed()
    calculation = page.locator(".window .sum")
    expect(calculation).to_contain_text("Row 7, column 7")
    sent = []
    page.on("websocket", lambda socket: sent.append(socket))
    page.on("request", lambda request: sent.append(request.url))
    output.focus()
    for row in range(6, 0, -1):
        output.press("ArrowUp")
        expect(calculation).to_contain_text(f"Row {row}, column 7")
        expect(calculation).to_contain_text("Matches the")
    box = output.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    expect(calculation).to_contain_text("Row 0, column 0")
    assert [each for each in sent if "/_stcore/health" not in str(each)] == []


def test_a_click_on_a_map_chooses_its_channel(url, page, run_id):
    open_layer(page, url, run_id, "features.conv2")
    maps = page.locator(".grid canvas").first
    maps.scroll_into_view_if_needed()
    box = maps.bounding_box()
    page.mouse.move(box["x"] + 2.5 * 118, box["y"] + 20)  # a map is 112 pixels wide, a gap 6
    expect(page.locator(".grid .readout").first).to_contain_text("Channel 2, row")
    page.mouse.down()
    page.mouse.up()
    kernel = page.locator(".window figure", has_text="× Kernel")
    before = kernel.inner_text()
    wait_until(lambda: kernel.inner_text() != before, page)


def test_the_first_map_and_the_lens_are_visible_without_scrolling(url, page, run_id):
    page.set_viewport_size({"width": 1440, "height": 900})
    open_layer(page, url, run_id, "features.conv1")
    box = page.locator(".grid canvas").first.bounding_box()
    assert box["y"] + 112 < 900  # the first of its rows
    lens = page.locator(".window .output").bounding_box()
    assert lens["x"] > box["x"] + box["width"] and lens["y"] + lens["height"] < 900
    rail = page.locator(".st-key-inspect_rail")
    assert rail.bounding_box()["x"] < box["x"]
    page.locator(".st-key-inspect_next").scroll_into_view_if_needed()
    page.get_by_text("Training step").scroll_into_view_if_needed()  # in the rail alone
    assert 0 < rail.bounding_box()["y"] < 100  # it stays


def test_the_network_chooses_the_layer_and_follows_the_step(url, page, run_id):
    open_layer(page, url, run_id, "features.conv1")
    network = page.get_by_role("region", name="The network")
    expect(network.get_by_text("maps of step 22")).to_be_visible()
    number = network.get_by_test_id("lab-map-2-1").get_attribute("data-map")
    network.get_by_test_id("lab-map-2-1").click()
    expect(page.get_by_role("combobox", name="Layer")).to_have_value(
        re.compile("^Second convolution")
    )
    expect(page.get_by_role("img", name="6 feature maps of features.conv2")).to_be_visible()
    expect(network.locator(".map[aria-pressed=true]")).to_have_attribute("data-map", number)
    page.get_by_role("slider", name="Training step").press("Home")
    expect(network.get_by_text("maps of step 0")).to_be_visible()


def channel_chosen_in(network, page) -> str:
    """Choose a channel that the first column does not show, in the feature maps; return it."""
    expect(network.get_by_text("maps of step")).to_be_visible()
    maps = network.locator("[data-testid^=lab-map-1-]")
    shown = set(maps.evaluate_all("all => all.map(each => each.dataset.map)"))
    channel = next(each for each in range(64) if str(each) not in shown)
    canvas = page.locator(".grid canvas").first
    canvas.focus()
    canvas.press("ArrowRight")
    canvas.press("ArrowLeft")  # the frame is on channel 0
    for _ in range(channel):
        canvas.press("ArrowRight")
    canvas.press("Enter")
    return str(channel)


@pytest.mark.parametrize("width", [1280, 420])
def test_a_channel_that_the_network_does_not_show_is_named_and_can_be_shown(
    url, page, run_id, width
):
    page.set_viewport_size({"width": width, "height": 900})
    open_layer(page, url, run_id, "features.conv1")
    network = page.get_by_role("region", name="The network")
    expect(network.get_by_text("maps of step")).to_be_visible()
    offer = network.get_by_role("button", name="show it")
    first = network.locator(".map[aria-pressed=true]")
    wait_until(lambda: offer.is_visible() or first.count() > 0, page)
    if offer.is_visible():  # channel 0, which is chosen at first
        offer.click()
    expect(first).to_have_attribute("data-map", "0")
    channel = channel_chosen_in(network, page)
    maps = network.locator("[data-testid^=lab-map-1-]")
    text = "Channel {} is not among the {} maps shown of Conv 1: show it"
    wait_until(lambda: offer.text_content() == text.format(channel, maps.count()), page)
    count = maps.count()
    expect(network.locator(".map[aria-pressed=true]")).to_have_count(0)
    offer.press("Enter")
    marked = network.locator(".map[aria-pressed=true]")
    expect(marked).to_have_attribute("data-map", channel)
    expect(marked).to_be_focused()
    expect(offer).to_be_hidden()
    assert maps.count() >= count  # the button needed room


def test_a_channel_that_is_not_shown_is_marked_when_its_column_opens(url, page, run_id):
    open_layer(page, url, run_id, "features.conv1")
    network = page.get_by_role("region", name="The network")
    channel = channel_chosen_in(network, page)
    expect(network.get_by_role("button", name=f"Channel {channel} is not among")).to_be_visible()
    network.get_by_role("button", name="Show 60 more maps").click()
    expect(network.locator(".map[aria-pressed=true]")).to_have_attribute("data-map", channel)
    expect(network.get_by_role("button", name="show it")).to_be_hidden()


def test_the_channel_of_a_folded_column_can_be_shown(url, store, page):
    run_id = a_saved_run(store, CNNSpec(channels=(64,) * 16, pool_every=8))
    open_layer(page, url, run_id, "features.conv4")
    network = page.get_by_role("region", name="The network")
    offer = network.get_by_role("button", name="show it")
    expect(offer).to_have_text("Channel 0 is in Conv 4, which is folded: show it")
    offer.click()
    expect(
        network.get_by_test_id("lab-column-4").locator(".map[aria-pressed=true]")
    ).to_have_attribute("data-map", "0")
    expect(offer).to_be_hidden()


def test_back_leaves_the_page_in_one_press(url, page, run_id):
    """Each choice changes the address, but none is an entry of the browser's history."""
    page.goto(f"{url}/glossary")
    page.get_by_role("link", name="Look inside", exact=True).click()
    expect(page.locator(".grid canvas").first).to_be_visible(timeout=90_000)
    page.get_by_role("slider", name="Training step").press("ArrowLeft")
    expect(page).to_have_url(re.compile("step=20"))
    page.get_by_role("radio", name="Gradients", exact=True).click()
    expect(page).to_have_url(re.compile("view=Gradients"))
    page.get_by_role("radio", name="Convolution", exact=True).click()
    expect(page.locator(".window .sum")).to_contain_text("Matches the")
    expect(page).to_have_url(re.compile("view=Convolution$"))
    page.go_back()
    expect(page.get_by_role("heading", level=1, name="Glossary")).to_be_visible()
    page.go_forward()
    expect(page.locator(".window .sum")).to_contain_text("Matches the")


def test_a_reload_shows_the_same(url, page, run_id):
    open_layer(page, url, run_id, "features.conv1")
    page.get_by_role("slider", name="Training step").press("ArrowLeft")
    expect(page.get_by_text("At step 20 the network predicts")).to_be_visible()
    pick(page, "Layer", "Second convolution (6 × 14 × 14)")
    expect(page).to_have_url(re.compile(r"layer=features\.conv2"))
    page.reload()
    expect(page.get_by_text("At step 20 the network predicts")).to_be_visible(timeout=90_000)
    expect(page.get_by_role("combobox", name="Layer")).to_have_value(
        re.compile("^Second convolution")
    )


def test_play_goes_through_all_saved_steps_and_ends(url, page, run_id):
    page.goto(f"{url}/inspect?run={run_id}&step=18")
    slider = page.get_by_role("slider", name="Training step")
    expect(slider).to_have_attribute("aria-valuetext", "18", timeout=90_000)
    page.get_by_text("Play", exact=True).click()
    expect(slider).to_have_attribute("aria-valuetext", "22", timeout=60_000)
    expect(page.get_by_role("switch", name="Play")).not_to_be_checked(timeout=30_000)
    expect(page.get_by_text("At step 22 the network predicts")).to_be_visible(timeout=30_000)


def test_a_running_run_is_followed_to_its_newest_weights(url, store, page):
    run_id, worker_id = a_running_run(store)
    begin = replace(started(), fingerprint=prepared_now("digits").info.fingerprint)
    store.record_events(run_id, worker_id, [begin])
    folder = store.folders.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)

    def save(step: int, file: str, kind: str) -> None:
        size = write_weights(folder / file, build_model(a_request().spec, seed=step), step)
        store.record_events(run_id, worker_id, [WeightsSaved(step, file, kind, size)])

    save(0, snapshot_name(0), "snapshot")
    save(3, "latest.safetensors", "latest")
    page.goto(f"{url}/inspect?run={run_id}")
    slider = page.get_by_role("slider", name="Training step")
    expect(slider).to_have_attribute("aria-valuetext", "3", timeout=90_000)
    save(4, "latest.safetensors", "latest")
    expect(slider).to_have_attribute("aria-valuetext", "4")
    expect(page.get_by_text("At step 4 the network predicts")).to_be_visible()
    slider.press("Home")
    expect(page.get_by_text("At step 0 the network predicts")).to_be_visible()
    save(5, snapshot_name(5), "snapshot")
    expect(slider).to_have_attribute("max", "2")  # the positions of steps 0, 4 and 5
    expect(page.get_by_text("At step 0 the network predicts")).to_be_visible()
    slider.press("End")
    expect(page.get_by_text("At step 5 the network predicts")).to_be_visible()
    store.record_events(run_id, worker_id, [the_end()])


def test_a_click_on_a_confusion_shows_its_pictures_and_one_of_them_opens(url, store, page):
    run_id = a_run_with_even_errors(store, SPEC)
    page.goto(f"{url}/inspect?run={run_id}&view=Errors")
    rows = page.locator(".confusion tr")
    expect(rows).to_have_count(11, timeout=90_000)
    rows.nth(1 + 2).locator("td").nth(7).click()
    expect(page.get_by_role("heading", name="Pictures of 2, predicted as 7")).to_be_visible()
    expect(page.locator(".confusion [data-chosen=true]")).to_have_attribute(
        "title", re.compile("pictures of 2: predicted as 7")
    )
    for key, predicted in (("ArrowLeft", 6), ("ArrowRight", 7)):
        page.keyboard.press(key)
        expect(page.locator(".confusion td:focus")).to_have_attribute(
            "aria-label", re.compile(rf"^true 2, predicted {predicted}: \d+ of \d+$")
        )
        page.keyboard.press("Enter")
        heading = f"Pictures of 2, predicted as {predicted}"
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        selected = page.get_by_role("gridcell", selected=True)
        expect(selected).to_have_accessible_name(re.compile(f"predicted {predicted}:"))
    pick(page, "Predicted class", "4")
    expect(page.locator(".confusion td[tabindex='0']")).to_have_attribute(
        "aria-label",
        re.compile("^true 2, predicted 4: "),  # Tab leads to the chosen cell
    )
    pick(page, "Predicted class", "7")
    expect(page.get_by_role("heading", name="Pictures of 2, predicted as 7")).to_be_visible()
    pictures = page.locator(".grid canvas")
    pictures.scroll_into_view_if_needed()
    pictures.click(position={"x": 20, "y": 20})
    expect(page.get_by_text("there is no other run with predictions")).to_be_visible()
    expect(page.get_by_text("True class: 2.")).to_be_visible()


CONTRAST = """cell => {
    const rgb = (colour) => {
        const canvas = new OffscreenCanvas(1, 1).getContext("2d");
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)].map((each) => each / 255);
    };
    const linear = (each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    const luminance = (colour) => {
        const [r, g, b] = rgb(colour).map(linear);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const { color, backgroundColor } = getComputedStyle(cell);
    const [low, high] = [color, backgroundColor].map(luminance).sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
}"""


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_confusion_matrix_is_readable_on_and_beside_its_diagonal(url, store, page, mode):
    """WCAG 2.2, 1.4.3: a contrast of at least 4.5, whatever share of its class a cell has."""
    page.emulate_media(color_scheme=mode)
    run_id = a_run_with_errors_of_a_class(store, SPEC)
    page.goto(f"{url}/inspect?run={run_id}&view=Errors")
    rows = page.locator(".confusion tr")
    expect(rows).to_have_count(11, timeout=90_000)
    for place in range(10):
        cell = rows.nth(1 + place).locator("td").nth(place or 1)  # all 0 are called 1
        expect(cell).not_to_be_empty()
        assert cell.evaluate(CONTRAST) >= 4.5, (place, mode)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_convolution_playground_shows_its_arithmetic(url, page, mode):
    page.emulate_media(color_scheme=mode)
    page.goto(f"{url}/convolution")
    expect(page.locator(".window .sum")).to_contain_text("Matches the")
    page.get_by_role("textbox", name="Kernel numbers").fill("0 0 0\n0 2 0\n0 0 0")
    page.get_by_role("textbox", name="Kernel numbers").press("Tab")
    expect(page.get_by_text("With this kernel both outputs are the same.")).to_be_visible()


def test_inspect_fits_a_phone(url, page, run_id):
    page.set_viewport_size({"width": 420, "height": 900})
    open_layer(page, url, run_id, "features.conv2")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("address", ["inspect", "train"])
def test_a_drawing_on_the_small_pad_is_inspected(url, page, run_id, address):
    page.goto(f"{url}/{address}?run={run_id}")
    if address == "train":
        page.get_by_text("Layers", exact=True).click(timeout=90_000)
    sources = page.get_by_role("radiogroup", name="Picture")
    expect(page.get_by_alt_text("The chosen picture")).to_be_visible(timeout=90_000)
    sources.get_by_text("Draw", exact=True).click()
    draw_a_stroke(page)
    expect(page.get_by_text("Your drawing, prepared for the network.")).to_be_visible()
    expect(page.get_by_role("combobox", name="True class")).to_be_visible()


def test_a_drawing_is_convolved(url, page):
    page.goto(f"{url}/convolution")
    expect(page.locator(".window .sum")).to_contain_text("Matches the", timeout=90_000)
    page.get_by_role("combobox", name="Picture").click()
    page.get_by_role("option", name="Draw", exact=True).click()
    expect(page.get_by_text("Draw something. Until then the letter is shown.")).to_be_visible()
    draw_a_stroke(page)
    expect(page.get_by_text("Draw something.")).to_have_count(0)
    expect(page.get_by_text("Output: 32 × 32")).to_be_visible()


def draw_a_stroke(page) -> None:
    pad = page.locator("canvas.upper-canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 130, steps=8)
    page.mouse.up()
