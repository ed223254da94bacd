"""The theme in a real browser: light, dark, and no request to other hosts."""

import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

CONFIG = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"
THEME = tomllib.loads(CONFIG.read_text())["theme"]


def rgb(colour: str) -> str:
    """Convert ``#rrggbb`` to the notation of computed styles."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgb({red}, {green}, {blue})"


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_page_follows_what_the_person_prefers(url, page, mode):
    page.emulate_media(color_scheme=mode)
    page.goto(url)
    app = page.get_by_test_id("stApp")
    expect(app).to_have_css("background-color", rgb(THEME[mode]["backgroundColor"]))
    expect(app).to_have_css("color", rgb(THEME[mode]["textColor"]))


def test_the_first_page_asks_only_its_own_server(url, page):
    hosts = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    page.goto(url)
    expect(page.get_by_role("heading").first).to_be_visible()
    assert hosts <= {"localhost", None}  # None: a data: address
