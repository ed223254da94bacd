"""The lens of the Lab in a real browser: sums of shown numbers, and the weights of one batch."""

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from cnnlib.records.folders import Folders
from cnnlib.train.checkpoint import read_weights

pytestmark = pytest.mark.browser

READY = 120_000  # ms: the viewer and a worker import torch


def numbers(page: Page, test_id: str, *names: str) -> list[float]:
    """Values of data attributes, all of the same moment."""
    found = page.get_by_test_id(test_id).evaluate("element => ({...element.dataset})")
    return [float(found[name]) for name in names]


def steps(page: Page) -> list[int]:
    """The steps of the maps and of the lens, at the same moment."""
    texts = page.locator(".lab").evaluate(
        "lab => ['.readout .step', '.lens-step'].map(each => lab.querySelector(each).textContent)"
    )
    return [int(text.split(" ")[-1].replace(",", "")) for text in texts]


def test_the_lens_adds_up_while_it_trains_and_one_batch_has_the_stored_weights(url, page):
    page.goto(url)
    expect(page.get_by_test_id("lab-map-1-0")).to_be_visible(timeout=READY)
    page.get_by_test_id("lab-lens-example").click()
    expect(page.get_by_test_id("lab-lens-sum")).not_to_be_empty(timeout=READY)
    page.get_by_test_id("lab-play").click()
    expect(page.locator(".lens-step")).not_to_have_text("step 0", timeout=READY)
    for key in ("ArrowLeft", "ArrowUp", "ArrowUp", "ArrowLeft", "ArrowDown"):
        page.locator(".lens-map canvas").first.press(key)
        shown, own = numbers(page, "lab-lens-sum", "value", "network")
        assert shown == pytest.approx(own, rel=1e-4, abs=1e-4)
    for _ in range(50):
        of_maps, of_lens = steps(page)
        assert of_maps == of_lens
        page.wait_for_timeout(20)
    page.get_by_test_id("lab-play").click()
    expect(page.get_by_test_id("lab-play")).to_have_attribute("data-runs", "false")
    expect(page.locator('[data-state="paused"]').first).to_be_visible()

    page.get_by_test_id("lab-step").click()
    expect(page.get_by_test_id("lab-step-sum")).to_be_visible()
    step, _ = steps(page)
    expect(page.locator(".lens h2").nth(1)).to_have_text(f"Batch {step:,}")
    expect(page.locator(".lens").get_by_text(f"after, step {step:,}").first).to_be_visible()
    [saved] = Folders.from_environment().runs.rglob(f"checkpoint-{step:08}.safetensors")
    weights = np.concatenate([each.numpy().ravel() for each in read_weights(saved).values()])
    before, after = numbers(page, "lab-step-sum", "before", "after")
    assert np.float32(after) in weights.astype(np.float32)
    assert after != before
    found = Axe().run(page)
    assert found.response["violations"] == []
