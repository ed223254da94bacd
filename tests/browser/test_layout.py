"""Controls and pictures stand in lines and equal rows, in a real browser, on a phone too."""

import pytest
from playwright.sync_api import Page, expect

from cnnlib.records.recipe import Recipe
from cnnlib.train.api import fit

pytestmark = pytest.mark.browser

PHONE = {"width": 420, "height": 900}


def edges(page: Page, side: str, *selectors: str) -> list[float]:
    """The "top" or "bottom" of the visible elements of some selectors at one moment, rounded."""
    for selector in selectors:
        expect(page.locator(selector).first).to_be_visible()
    found = page.evaluate(_EDGES, [side, ", ".join(selectors)])
    return [round(2 * each) / 2 for each in found]


_EDGES = """([side, selector]) =>
  [...document.querySelectorAll(selector)].map((each) => each.getBoundingClientRect())
    .filter(({ height }) => height).map((box) => box[side])"""


def test_the_controls_of_a_row_and_their_labels_stand_in_lines(url, page):
    fit("lenet5", "digits", Recipe(epochs=1), device="cpu")
    page.goto(f"{url}/data?dataset=digits")
    expect(page.locator(".sheet section")).to_have_count(10)
    row = [".st-key-data_split [data-testid=stWidgetLabel]", ".st-key-data_class label"]
    assert len(set(edges(page, "top", *row))) == 1
    actions = ["[data-testid=stHorizontalBlock] [data-testid=stPageLink-NavLink]"]
    actions += ["[data-testid=stHorizontalBlock] [data-testid=stPopoverButton]"]
    assert len(set(edges(page, "bottom", *actions))) == 1


def test_on_a_phone_the_classes_of_draw_and_of_a_dataset_are_one_row(url, page):
    fit("lenet5", "digits", Recipe(epochs=1), device="cpu")
    page.set_viewport_size(PHONE)
    page.goto(f"{url}/draw")
    expect(page.locator(".st-key-draw_label [role=radio]")).to_have_count(10)
    assert len(set(edges(page, "top", ".st-key-draw_label [role=radio]"))) == 1
    page.goto(f"{url}/train?dataset=digits")
    expect(page.locator(".strip img")).to_have_count(10)
    assert len(set(edges(page, "top", ".strip img"))) == 1
