"""Duels and experiments in a real browser, opened by earlier addresses on a cold server."""

import re

import pytest
from driving import add
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_duel_is_begun_and_a_reload_finds_it(url, page):
    page.goto(f"{url}/compare")
    expect(page.get_by_role("heading", level=1, name="Results")).to_be_visible()
    expect(page.get_by_text("Settings that differ")).to_be_visible()
    page.get_by_role("button", name="Start the duel").click()
    expect(page.get_by_text("no pair has finished yet").first).to_be_visible()
    expect(page).to_have_url(re.compile("duel="))
    page.reload()
    expect(page.get_by_text("no pair has finished yet").first).to_be_visible()
    page.get_by_role("button", name="Stop the duel").click()
    expect(page.get_by_text("was stopped, so its pair has no result")).to_be_visible()


def test_a_grid_is_begun_and_lists_what_cannot_be_built(url, page):
    page.goto(f"{url}/experiments")
    expect(page.get_by_role("heading", level=1, name="Results")).to_be_visible()
    page.get_by_role("button", name="Remove Optimiser").click()
    expect(page.get_by_text("3 combinations with 1 seed each")).to_be_visible()
    add(page, "Learning rate", "fast")
    expect(page.get_by_text("4 combinations with 1 seed each, of which 1")).to_be_visible()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("1 combination is not valid")).to_be_visible()
    expect(page).to_have_url(re.compile("experiment="))
