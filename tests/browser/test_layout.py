"""Controls and pictures stand in lines and equal rows, in a real browser, on a phone too."""

import pytest
from playwright.sync_api import Page, expect

from cnnlib.records.recipe import Recipe
from cnnlib.train.api import fit

pytestmark = pytest.mark.browser

PHONE = {"width": 420, "height": 900}


def tops(page: Page, *selectors: str) -> list[float]:
    """The upper edges of all elements of some selectors, rounded to half pixels."""
    found = [each for selector in selectors for each in page.locator(selector).all()]
    assert len(found) >= len(selectors)
    return [round(2 * each.bounding_box()["y"]) / 2 for each in found]


def bottoms(page: Page, *selectors: str) -> list[float]:
    """The lower edges of the first element of each selector, rounded to half pixels."""
    boxes = [page.locator(selector).first.bounding_box() for selector in selectors]
    return [round(2 * (box["y"] + box["height"])) / 2 for box in boxes]


def test_the_controls_of_a_row_and_their_labels_stand_in_lines(url, page):
    fit("lenet5", "digits", Recipe(epochs=1), device="cpu")
    page.goto(f"{url}/data?dataset=digits")
    expect(page.locator(".sheet section")).to_have_count(10)
    labels = tops(page, ".st-key-data_split label p", ".st-key-data_class label p")
    assert labels[0] == labels[1]
    link, remove = bottoms(
        page, 'a:has-text("Train on Digits")', '[data-testid="stPopoverButton"]:has-text("Remove")'
    )
    assert link == remove


def test_on_a_phone_the_classes_of_draw_and_of_a_dataset_are_one_row(url, page):
    fit("lenet5", "digits", Recipe(epochs=1), device="cpu")
    page.set_viewport_size(PHONE)
    page.goto(f"{url}/draw")
    expect(page.locator(".st-key-draw_label [role=radio]")).to_have_count(10)
    assert len(set(tops(page, ".st-key-draw_label [role=radio]"))) == 1
    page.goto(f"{url}/train?dataset=digits")
    expect(page.locator(".strip img")).to_have_count(10)
    assert len(set(tops(page, ".strip img"))) == 1
