"""The Data page in a real browser: an uploaded zip becomes a dataset, and is removed again."""

from pathlib import Path

import pytest
from driving import faults, state, write
from playwright.sync_api import Page, expect
from sample_data import class_folders, encoded, write_zip

from cnnlib.records.recipe import Recipe
from cnnlib.train.api import fit

pytestmark = pytest.mark.browser

READY = 90_000  # ms: a worker prepares the pictures
TRAINING = 180_000  # ms: a worker tries execution modes, then trains


def choose(page: Page, file: Path) -> None:
    """Choose a file in the field for the zip, and wait until its name is shown."""
    page.locator(".st-key-data_zip input[type=file]").set_input_files(file)
    expect(page.get_by_text(file.name)).to_be_visible()


def test_the_odd_pictures_come_first_after_a_job_with_progress(url, page):
    fit("lenet5", "digits", Recipe(epochs=1), device="cpu", name="reader")
    page.goto(f"{url}/data?dataset=digits")
    expect(page.locator(".sheet section")).to_have_count(10)
    expect(page.locator('.sheet [data-kind="outlier"]')).to_have_count(0)
    page.get_by_role("button", name="Find the odd pictures").click()
    expect(page.get_by_text("The network: reader.")).to_be_visible(timeout=READY)
    outliers = page.locator('.sheet section:first-child [data-kind="outlier"]')
    expect(outliers.first).to_be_visible()
    ordinary = page.locator('.sheet section:first-child [data-kind=""]').first
    assert outliers.first.bounding_box()["x"] < ordinary.bounding_box()["x"]
    assert faults(page) == []


def add(page: Page) -> None:
    page.get_by_role("button", name="Add", exact=True).click()


def test_a_zip_becomes_a_dataset_that_is_shown_trained_on_and_removed(url, page, tmp_path):
    pets = write_zip(tmp_path / "pets.zip", class_folders({"кот": 6, "dog": 9}))
    outside = write_zip(tmp_path / "outside.zip", {"../../cat/1.png": encoded(), "dog/1.png": b""})
    page.goto(f"{url}/data")
    page.get_by_text("Add your own pictures", exact=True).click()

    # An unusable zip is refused with a message; the form then accepts another file.
    choose(page, outside)
    add(page)
    refusal = page.get_by_test_id("stAlertContentError")
    expect(refusal).to_contain_text("../../cat/1.png")

    choose(page, pets)
    add(page)
    expect(refusal).to_have_count(0)
    expect(page.get_by_text("2 classes, 3 × 32 × 32")).to_be_visible(timeout=READY)
    expect(page.locator(".sheet section")).to_have_count(2, timeout=READY)
    shown = page.locator('img[alt^="кот, number"], img[alt^="dog, number"]')
    expect(shown).to_have_count(12)  # of 15, 1 cat and 2 dogs are the test split
    expect(page.get_by_label("Dataset", exact=True)).to_have_value("pets (ready)")
    assert "dataset=folder" in page.url
    address = page.url

    page.get_by_role("link", name="Train on").click()
    expect(page.get_by_text("2 classes, 3 × 32 × 32")).to_be_visible()
    write(page, "Epochs", 2)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(state(page)).to_have_text("Finished", timeout=TRAINING)
    expect(page.get_by_role("heading", level=1)).to_contain_text("pets")

    page.goto(address)
    page.get_by_test_id("stPopoverButton").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("folder:pets is removed")).to_be_visible()
