"""Every page opens by its own address on a server that has just started; Back goes back."""

import psutil
import pytest
from driving import HEADINGS
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("address", HEADINGS)
def test_a_page_opens_by_its_address_on_a_cold_server(app_server, page, address):
    page.goto(f"{app_server()}/{address}")
    expect(page.get_by_role("heading", level=1, name=HEADINGS[address])).to_be_visible(
        timeout=20_000
    )
    expect(page.get_by_text("Page not found")).to_have_count(0)
    assert page.url.split("?")[0].endswith(f"/{address}")


def test_back_and_forward_follow_the_pages(app_server, page):
    """A page that puts its own parameters in its address when it opens would be in Back twice."""
    page.goto(app_server())
    for name, button in (("Build", "Train this"), ("Train", "Train"), ("Results", None)):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
        if button:  # the page is complete
            expect(page.get_by_role("button", name=button, exact=True)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1, name="Train")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1, name="Build")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("heading", level=1, name="Train")).to_be_visible()


def test_the_page_server_opens_every_page_without_torch(app_server, page):
    url = app_server()
    for address in HEADINGS:
        page.goto(f"{url}/{address}")
        expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=20_000)
    [server] = [
        each
        for each in psutil.Process().children(recursive=True)
        if "streamlit" in each.cmdline() and url.rsplit(":", 1)[1] in each.cmdline()
    ]
    mapped = {region.path for region in server.memory_maps()}
    assert not [path for path in mapped if "/torch/" in path or "/torchvision/" in path]
