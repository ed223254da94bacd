"""Digits drawn with the mouse are read by a network that was trained here on real pictures."""

from dataclasses import replace

import pytest
from drawings import STROKES, Point
from playwright.sync_api import Locator, Page, expect

from cnnlib.data.prepare import prepare
from cnnlib.design.presets import preset
from cnnlib.records.offers import offered_recipe
from cnnlib.train.load import fit

pytestmark = pytest.mark.browser

LOADING = 120_000  # ms: the server imports torch


def pad(page: Page) -> Locator:
    return page.locator("canvas.upper-canvas")


def draw(page: Page, digit: str, left: int = 0, top: int = 0, scale: float = 1.0) -> None:
    """Draw a digit with the mouse."""
    for stroke in STROKES[digit]:
        stroke_on(page, [(left + x * scale, top + y * scale) for x, y in stroke])


def stroke_on(page: Page, points: list[Point]) -> None:
    box = pad(page).bounding_box()
    (x, y), *others = [(box["x"] + x, box["y"] + y) for x, y in points]
    page.mouse.move(x, y)
    page.mouse.down()
    for x, y in others:
        page.mouse.move(x, y, steps=6)
    page.mouse.up()


def press(page: Page, key: str) -> None:
    page.locator(f".st-key-{key} button").click()


def says(page: Page, digit: str) -> None:
    """The network's answer, which follows the strokes."""
    expect(page.get_by_text("% sure").locator("strong")).to_have_text(digit, timeout=LOADING)


def nothing_drawn(page: Page) -> None:
    expect(page.get_by_text("the answer follows every stroke")).to_be_visible(timeout=LOADING)


def test_digits_drawn_with_the_mouse_are_read_wherever_and_however_small(
    mnist_folder, app_server, page
):
    for _ in prepare("mnist"):
        pass
    spec = preset("cnn3").adapt((1, 28, 28), 10)
    fit("cnn3", "mnist", replace(offered_recipe(spec, "mnist", 60_000), epochs=1), device="cpu")
    page.goto(f"{app_server()}/draw")
    nothing_drawn(page)
    for digit in STROKES:
        draw(page, digit)
        says(page, digit)
        press(page, "draw_clear")
        nothing_drawn(page)
        draw(page, digit, left=150, top=140, scale=0.45)
        says(page, digit)
        press(page, "draw_clear")
        nothing_drawn(page)

    # Undo takes back one stroke, and the answer follows; so does the eraser.
    draw(page, "3")
    says(page, "3")
    for _ in STROKES["3"]:
        press(page, "draw_undo")  # at once, as an impatient person does
    nothing_drawn(page)
    stroke_on(page, [(140, 60), (140, 200)])
    expect(page.get_by_text("% sure")).to_be_visible()
    page.get_by_text("Eraser", exact=True).click()
    expect(page.get_by_text("Eraser width").first).to_be_visible()
    stroke_on(page, [(140, 50), (140, 215)])
    nothing_drawn(page)
