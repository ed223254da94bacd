"""The Data page in a real browser: a zip of one's own becomes a dataset, and goes again."""

import pytest
from playwright.sync_api import expect
from sample_data import class_folders, write_zip

pytestmark = pytest.mark.browser

READY = 90_000  # ms: a worker prepares the pictures


def test_a_zip_becomes_a_dataset_that_is_shown_and_removed(app_server, page, tmp_path):
    pets = write_zip(tmp_path / "pets.zip", class_folders({"cat": 6, "dog": 9}))
    page.goto(f"{app_server()}/data")
    page.get_by_text("Add pictures of your own").click()
    page.locator(".st-key-data_zip input[type=file]").set_input_files(pets)
    expect(page.get_by_text("pets.zip")).to_be_visible()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("2 classes, 3 × 32 × 32")).to_be_visible(timeout=READY)
    expect(page.get_by_role("heading", name="Pictures per class")).to_be_visible(timeout=READY)
    shown = page.locator('img[alt^="cat, number"], img[alt^="dog, number"]')
    expect(shown).to_have_count(12)  # of 15, 1 cat and 2 dogs are the test split
    assert "dataset=folder" in page.url
    page.get_by_test_id("stPopoverButton").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("folder:pets is removed")).to_be_visible()
