"""Every page opens by its own address on a server that has just started; Back goes back."""

import psutil
import pytest
from driving import HEADINGS
from inspecting import a_saved_run
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


def test_back_and_forward_follow_the_pages(url, page):
    """A page that puts its own parameters in its address when it opens would be in Back twice."""
    page.goto(url)
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


def test_on_a_narrow_screen_the_menu_closes_after_a_choice(url, page):
    page.set_viewport_size({"width": 420, "height": 850})
    page.goto(f"{url}/glossary")
    sidebar = page.get_by_test_id("stSidebar")
    for name in ("Data", "Train"):  # the second from another page
        page.get_by_test_id("stExpandSidebarButton").click()
        expect(sidebar).to_have_attribute("data-collapsed", "false")
        sidebar.get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
        expect(sidebar).to_have_attribute("data-collapsed", "true")


def test_the_menu_hides_nothing_at_1024_pixels(url, page):
    page.set_viewport_size({"width": 1024, "height": 700})
    page.goto(f"{url}/glossary")
    links = page.get_by_test_id("stTopNavLink")
    expect(links).to_have_count(8)
    for link in links.all():
        expect(link).to_be_in_viewport(ratio=1)


def test_the_page_server_opens_every_page_without_torch(url, page):
    for address in HEADINGS:
        page.goto(f"{url}/{address}")
        expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=20_000)
    assert torch_files_of_the_server(url) == []


def test_the_page_server_shows_layers_and_predictions_of_a_run_without_torch(url, store, page):
    run_id = a_saved_run(store)
    page.goto(f"{url}/inspect?run={run_id}&layer=features.conv1")
    expect(page.locator(".grid canvas")).to_have_count(2)  # filters and maps
    page.get_by_role("combobox", name="Layer").click()
    page.get_by_role("option").filter(has_text="Activation of the second convolution").click()
    expect(page.locator(".grid canvas")).to_have_count(1)
    expect(page.get_by_text("the network predicts")).to_be_visible()
    page.goto(f"{url}/draw?run={run_id}")
    pad = page.locator("canvas.upper-canvas")
    expect(page.get_by_text("Draw something.", exact=True)).to_be_visible()
    pad.hover(position={"x": 140, "y": 60})
    page.mouse.down()
    pad.hover(position={"x": 140, "y": 220})
    page.mouse.up()
    expect(page.get_by_text("% probability")).to_be_visible()
    assert torch_files_of_the_server(url) == []


def torch_files_of_the_server(url: str) -> list[str]:
    """The files of torch that the page server has mapped; those of its workers do not count."""
    [server] = [
        each
        for each in psutil.Process().children(recursive=True)
        if "streamlit" in each.cmdline() and url.rsplit(":", 1)[1] in each.cmdline()
    ]
    mapped = {region.path for region in server.memory_maps()}
    return [path for path in mapped if "/torch/" in path or "/torchvision/" in path]
