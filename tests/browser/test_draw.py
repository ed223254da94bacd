"""The Draw page in a real browser: digits drawn by mouse, finger and pen, and their answers."""

import io
import re
from dataclasses import replace

import pytest
from drawings import SIDE, STROKES, Point
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from sample_data import write_folder

from cnnlib.data.prepare import prepare
from cnnlib.design.presets import preset
from cnnlib.design.spec import CNNSpec
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.recipe_presets import default_recipe
from cnnlib.train.api import fit

pytestmark = pytest.mark.browser

LOADING = 120_000  # ms: the server imports torch
FINE_TUNING = 180_000  # ms: a worker tries execution modes, trains six epochs and compares


def pad(page: Page) -> Locator:
    return page.locator("canvas.upper-canvas")


def draw(page: Page, digit: str, left: int = 0, top: int = 0, scale: float = 1.0) -> None:
    """Draw a digit with the mouse."""
    for stroke in STROKES[digit]:
        stroke_on(page, [(left + x * scale, top + y * scale) for x, y in stroke])


def on_page(page: Page, points: list[Point]) -> list[Point]:
    """Convert points of the drawings' square to points of the window."""
    box = pad(page).bounding_box()
    scale = box["width"] / SIDE
    return [(box["x"] + x * scale, box["y"] + y * scale) for x, y in points]


def stroke_on(page: Page, points: list[Point]) -> None:
    (x, y), *others = on_page(page, points)
    page.mouse.move(x, y)
    page.mouse.down()
    for x, y in others:
        page.mouse.move(x, y, steps=6)
    page.mouse.up()


def press(page: Page, key: str) -> None:
    page.locator(f".st-key-{key} button").click()


def expect_answer(page: Page, digit: str) -> None:
    """Wait until the network's answer is this class."""
    expect(page.locator(".answer strong")).to_have_text(digit, timeout=LOADING)


def expect_empty_pad(page: Page) -> None:
    """Wait until the page reports an empty pad."""
    expect(page.get_by_text("Draw something.", exact=True)).to_be_visible(timeout=LOADING)


def test_digits_drawn_with_the_mouse_are_read_at_every_place_and_size(
    mnist_folder, app_server, page
):
    for _ in prepare("mnist"):
        pass
    spec = preset("cnn3").adapt((1, 28, 28), 10)
    fit("cnn3", "mnist", replace(default_recipe(spec, "mnist", 60_000), epochs=1), device="cpu")
    page.goto(f"{app_server()}/draw")
    expect_empty_pad(page)
    for digit in STROKES:
        draw(page, digit)
        expect_answer(page, digit)
        press(page, "draw_clear")
        expect_empty_pad(page)
        draw(page, digit, left=150, top=140, scale=0.45)
        expect_answer(page, digit)
        press(page, "draw_clear")
        expect_empty_pad(page)

    # The answer follows Undo, which removes one stroke, and the eraser.
    draw(page, "3")
    expect_answer(page, "3")
    for _ in STROKES["3"]:
        press(page, "draw_undo")  # without a pause
    expect_empty_pad(page)
    stroke_on(page, [(140, 60), (140, 200)])
    expect(page.get_by_text("% probability")).to_be_visible()
    page.get_by_text("Eraser", exact=True).click()
    page.get_by_role("button", name="Width").click()
    expect(page.get_by_text("Eraser width").first).to_be_visible()
    page.keyboard.press("Escape")
    stroke_on(page, [(140, 50), (140, 215)])
    expect_empty_pad(page)


def touch(page: Page, stroke: list[Point]) -> None:
    """Draw a stroke with a finger."""
    device = page.context.new_cdp_session(page)
    for number, (x, y) in enumerate(on_page(page, stroke)):
        kind = "touchMove" if number else "touchStart"
        device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    device.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def write_with_pen(page: Page, stroke: list[Point]) -> None:
    """Draw a stroke with a pen on a tablet."""
    device = page.context.new_cdp_session(page)
    for number, (x, y) in enumerate(on_page(page, stroke)):
        pen = {"x": x, "y": y, "button": "left", "pointerType": "pen", "clickCount": 1}
        kind = "mouseMoved" if number else "mousePressed"
        device.send("Input.dispatchMouseEvent", pen | {"type": kind, "buttons": 1})
    device.send("Input.dispatchMouseEvent", pen | {"type": "mouseReleased"})


def test_a_finger_and_a_pen_draw_and_the_page_stays_where_it_is(url, browser):
    fit("lenet5", "digits", Recipe(epochs=1), device="cpu")
    small = {"width": 420, "height": 700}
    with browser.new_context(viewport=small, has_touch=True, is_mobile=True) as context:
        page = context.new_page()
        page.goto(f"{url}/draw")
        expect_empty_pad(page)
        pad(page).scroll_into_view_if_needed()
        before = pad(page).bounding_box()
        touch(page, [(140, 40), (140, 120), (140, 240)])  # as if to scroll
        expect(page.get_by_text("% probability")).to_be_visible(timeout=LOADING)
        assert pad(page).bounding_box() == before
        press(page, "draw_clear")
        expect_empty_pad(page)
        write_with_pen(page, [(60, 60), (140, 60), (200, 60)])
        expect(page.get_by_text("% probability")).to_be_visible()


def test_a_drawing_is_inspected_and_used_to_fine_tune_the_network(url, page):
    fit("lenet5", "digits", Recipe(epochs=3), device="cpu", name="reader")
    page.goto(f"{url}/draw")
    expect_empty_pad(page)
    draw(page, "7")
    expect(page.get_by_text("% probability")).to_be_visible(timeout=LOADING)
    page.get_by_role("button", name="Why? Look inside").click()
    expect(page.get_by_text("Your drawing, prepared for the network.")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Look inside")
    expect(page.get_by_role("radio", name="Why this answer")).to_be_checked()
    expect(page.get_by_role("img", name="The picture that is explained")).to_be_visible()

    page.get_by_role("link", name="Draw", exact=True).click()
    expect(page.get_by_text("% probability")).to_be_visible()  # the drawing was kept
    teaching = page.locator(".st-key-draw_teaching")
    teaching.get_by_role("radio", name="7").click()
    teaching.get_by_role("button", name="Teach the network").click()
    expect(page.get_by_text("1 drawing saved for Digits")).to_be_visible()
    # When it ends, the same drawing is read by both networks, side by side.
    expect(page.locator(".answer")).to_have_count(2, timeout=FINE_TUNING)
    expect(page.locator(".answer .role")).to_have_text(["before teaching", "after teaching"])
    expect(page.locator(".answer strong").last).to_have_text(re.compile(r"\d"))
    boxes = [each.bounding_box() for each in page.locator(".answer").all()]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] < boxes[1]["x"]
    assert page.url.count("run=") == 2
    report = page.get_by_text("Accuracy before → after fine-tuning:")
    expect(report).to_contain_text("of 359 test pictures", timeout=FINE_TUNING)


@pytest.mark.parametrize("size", [(390, 664), (420, 850)])
def test_on_a_phone_pad_and_answer_are_on_one_screen(url, browser, size):
    fit("lenet5", "digits", Recipe(epochs=1), device="cpu")
    screen = {"width": size[0], "height": size[1]}
    with browser.new_context(viewport=screen, has_touch=True, is_mobile=True) as context:
        page = context.new_page()
        page.goto(f"{url}/draw")
        expect_empty_pad(page)
        touch(page, [(140, 40), (140, 120), (140, 240)])
        answer = page.locator(".answer .says")
        expect(answer).to_contain_text("% probability", timeout=LOADING)
        expect(pad(page)).to_be_in_viewport(ratio=1)
        expect(answer).to_be_in_viewport(ratio=1)
        assert page.evaluate("document.documentElement.scrollWidth") == size[0]


def test_on_a_laptop_the_answer_is_beside_the_pad_and_there_is_one_set_of_tools(url, page):
    fit("lenet5", "digits", Recipe(epochs=1), device="cpu")
    page.set_viewport_size({"width": 1024, "height": 768})
    page.goto(f"{url}/draw")
    expect_empty_pad(page)
    place, answer = pad(page).bounding_box(), page.locator(".answer").bounding_box()
    assert answer["x"] > place["x"] + place["width"] and answer["y"] < place["y"] + 100
    pad(page).hover()
    expect(page.locator(".dc-toolbar")).to_be_hidden()
    expect(page.get_by_role("button", name="Undo")).to_have_count(1)


def test_a_drawing_survives_a_reload(url, page):
    fit("lenet5", "digits", Recipe(epochs=1), device="cpu")
    page.goto(f"{url}/draw")
    expect_empty_pad(page)
    draw(page, "7")
    expect(page.get_by_text("% probability")).to_be_visible(timeout=LOADING)
    page.reload()
    expect(page.get_by_text("% probability")).to_be_visible(timeout=LOADING)
    press(page, "draw_undo")
    expect_empty_pad(page)
    page.reload()
    expect_empty_pad(page)  # an empty pad is kept too


def test_a_network_with_colour_input_is_drawn_for_in_colours(url, page):
    folders = Folders.from_environment()
    squares = {
        f"{colour}/{number}.png": coloured(colour, number)
        for colour in ("blue", "red")
        for number in range(30)
    }
    write_folder(folders.data / "colours", squares)
    for _ in prepare("folder:colours"):
        pass
    spec = CNNSpec(in_size=(3, 32, 32), channels=(4,), hidden_dims=(), out_classes=2)
    fit(spec, "folder:colours", Recipe(epochs=8, batch_size=8, lr=0.01), device="cpu")
    page.goto(f"{url}/draw")
    expect_empty_pad(page)
    for colour, code in (("red", "#ff0000"), ("blue", "#0000ff")):
        page.locator(".st-key-draw_colour button, .st-key-draw_colour [data-baseweb]").first.click()
        page.get_by_role("textbox").last.fill(code)
        page.keyboard.press("Escape")
        stroke_on(page, [(90, 90), (190, 90), (190, 140), (90, 140), (90, 190), (190, 190)])
        expect_answer(page, colour)
        press(page, "draw_clear")
        expect_empty_pad(page)


def coloured(colour: str, number: int) -> bytes:
    """A PNG of a bright rectangle on black, at a place that depends on the number."""
    out = io.BytesIO()
    image = Image.new("RGB", (32, 32))
    left, top = 4 + number % 5, 4 + number // 5
    image.paste(colour, (left, top, left + 14, top + 14))
    image.save(out, "PNG")
    return out.getvalue()
