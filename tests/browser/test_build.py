"""The Build page in a real browser: the address bar, the picture, and a deep network."""

import re

import pytest
from driving import pick
from playwright.sync_api import Locator, Page, expect

from cnnlib.design import link
from cnnlib.design.cost import cost
from cnnlib.design.link import decode
from cnnlib.design.plan import plan
from cnnlib.design.presets import preset
from cnnlib.design.spec import CNNSpec

pytestmark = pytest.mark.browser

LENET_PARAMETERS = "106,154"


def parameters(page: Page) -> Locator:
    """The number of parameters."""
    return page.locator(".numbers dd").first


def slider(page: Page, name: str) -> Locator:
    return page.locator(f'input[type=range][aria-label="{name}"]')


def layers(page: Page) -> Locator:
    """The layers in the picture, which show a card when pointed at."""
    return page.locator("[data-layer]")


def open_build(page: Page, url: str, address: str = "") -> None:
    page.goto(f"{url}/build{address}")
    expect(parameters(page)).to_be_visible()
    expect(layers(page).first).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()


def design_in(page: Page):
    """The design in the address bar."""
    return decode(page.evaluate("new URL(location).searchParams.get('design')"))


def test_back_and_forward_show_the_design_of_the_address_bar(url, page):
    open_build(page, url)
    width = slider(page, "Width")
    seen = [LENET_PARAMETERS]
    for _ in range(2):
        width.press("ArrowRight")
        expect(parameters(page)).not_to_have_text(seen[-1])
        seen.append(parameters(page).inner_text())
    expect(page).to_have_url(re.compile("ch.8-"))
    for expected, shown_width in ((seen[1], "7"), (seen[0], "6")):
        page.go_back()
        expect(parameters(page)).to_have_text(expected)
        expect(width).to_have_value(shown_width)
    page.go_forward()
    expect(parameters(page)).to_have_text(seen[1])
    assert design_in(page).channels[0] == 7
    page.reload()
    expect(parameters(page)).to_have_text(seen[1])


def test_no_step_is_lost_while_an_arrow_key_is_held_down(url, page):
    open_build(page, url)
    width = slider(page, "Width")
    width.focus()
    for _ in range(20):  # at a keyboard's repeat rate, faster than the page answers
        page.keyboard.down("ArrowRight")
        page.wait_for_timeout(33)
    page.keyboard.up("ArrowRight")
    expect(page).to_have_url(re.compile("ch.26-"))
    expect(width).to_have_value("26")
    assert design_in(page).channels == (26, 69)  # 16 * 26 / 6, however many steps led there


def test_the_design_is_kept_from_page_to_page(url, page):
    open_build(page, url)
    slider(page, "Width").press("ArrowRight")
    expect(parameters(page)).not_to_have_text(LENET_PARAMETERS)
    kept = parameters(page).inner_text()
    navigation = page.get_by_test_id("stTopNav")
    navigation.get_by_role("link", name="Results").click()
    expect(page.get_by_role("heading", name="Results")).to_be_visible()
    navigation.get_by_role("link", name="Build").click()
    expect(parameters(page)).to_have_text(kept)
    assert design_in(page).channels[0] == 7


def test_sixty_residual_convolutions_in_under_ten_interactions_and_the_link_opens(
    url, page, browser
):
    open_build(page, url)
    # Three controls make the residual stages.
    page.get_by_text("Residual", exact=True).click()  # 1
    expect(
        page.get_by_text("Pre-activation", exact=True)
    ).to_be_visible()  # the form is written anew
    channels = page.get_by_role("textbox", name="Channels of each convolution")
    channels.fill("16*20, 32*20, 64*20")
    channels.press("Enter")  # 2
    expect(page.get_by_test_id("stAlert")).to_contain_text("last design that fits")
    slider(page, "Pool every").press("End")  # 3
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    page.get_by_role("tab", name="Layers").first.click()  # 4
    pick(page, "Normalisation", "Batch norm")  # 5, 6
    page.get_by_role("tab", name="Head").click()  # 7
    page.get_by_text("Global average", exact=True).click()  # 8
    expect(page).to_have_url(re.compile("head.gap"))

    spec = design_in(page)
    assert (spec.block, len(spec.channels), spec.pool_every) == ("residual", 60, 20)
    assert (spec.norm, spec.head) == ("batch", "gap")
    numbers = page.locator(".numbers dd").all_inner_texts()
    with browser.new_context() as elsewhere:
        other = elsewhere.new_page()
        open_build(other, url, page.evaluate("location.search"))
        expect(parameters(other)).to_have_text(numbers[0])
        assert other.locator(".numbers dd").all_inner_texts() == numbers


def test_pointing_at_a_layer_shows_its_card(url, page):
    open_build(page, url)
    card = page.locator(".card")
    expect(card).to_be_hidden()
    page.locator('[data-layer="features.conv2"]').hover()
    # 16 * 6 * 9 + 16 = 880 parameters; 14 * 14 * 864 = 169,344 MACs.
    for text in ("Convolution 3 × 3", "16 × 14 × 14", "880 (0.8%)", "169,344 (53.5%)", "ReLU"):
        expect(card).to_contain_text(text)
    page.mouse.move(5, 5)
    expect(card).to_be_hidden()


def test_a_click_on_a_layer_marks_it_and_opens_its_control(url, page):
    open_build(page, url)
    page.locator('[data-layer="classifier.fc1"]').click()
    field = page.get_by_role("textbox", name="Hidden layers")
    expect(field).to_be_focused()
    expect(page.locator(".marked")).to_have_attribute("data-layer", "classifier.fc1")


def test_shares_stand_in_the_picture_in_place_of_shapes(url, page):
    open_build(page, url)
    share = page.locator("svg.arch text.params", has_text="89%")
    expect(share).to_be_hidden()
    page.locator(".st-key-build_tint").get_by_text("Parameters", exact=True).click()
    expect(share).to_be_visible()
    expect(page.locator("svg.arch text.shape").first).to_be_hidden()


def test_the_picture_fills_its_width_and_a_pinned_one_appears_below_it(url, page):
    open_build(page, url)
    column = page.locator(".numbers").first.bounding_box()
    picture = page.locator("svg.arch").first
    before = picture.bounding_box()
    assert before["width"] > 0.97 * column["width"]
    page.get_by_role("button", name="Pin", exact=True).click()
    expect(page.locator("svg.arch")).to_have_count(2)
    expect(page.get_by_text("Pinned: ")).to_be_visible()
    assert picture.bounding_box() == before
    assert page.locator(".numbers").first.bounding_box() == column


def test_a_misfit_on_a_phone_leaves_the_picture_and_its_numbers_free(url, browser):
    misfit = link.encode(CNNSpec(channels=(8,) * 8, pool_every=1))
    with browser.new_context(viewport={"width": 420, "height": 900}) as context:
        page = context.new_page()
        page.goto(f"{url}/build?design={misfit}")
        alert = page.locator(".st-key-build_misfit")
        expect(alert).to_be_visible()
        expect(page.locator("svg.arch")).to_be_visible()
        picture = page.locator(".st-key-build_picture").bounding_box()
        assert alert.bounding_box()["y"] > picture["y"] + picture["height"]


def test_arrow_keys_walk_through_the_picture(url, page):
    open_build(page, url)
    layers(page).first.focus()
    expect(page.locator(".card")).to_contain_text("Image")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".card")).to_contain_text("features.conv1")
    page.keyboard.press("End")
    expect(page.locator(".card")).to_contain_text("classifier.fc3")
    focused = page.locator("[data-layer]:focus")
    expect(focused).to_have_attribute(
        "aria-label", re.compile("^Linear layer, name: classifier.fc3")
    )


def test_the_picture_keeps_its_place_while_a_slider_moves(url, page):
    open_build(page, url)
    before = page.locator("svg.arch").bounding_box()
    slider(page, "Width").press("ArrowRight")
    expect(parameters(page)).not_to_have_text(LENET_PARAMETERS)
    after = page.locator("svg.arch").bounding_box()
    assert (before["y"], before["height"]) == (after["y"], after["height"])


def test_the_pytorch_file_is_downloaded(url, page, tmp_path):
    open_build(page, url)
    page.get_by_role("tab", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="PyTorch").click()
    download.value.save_as(tmp_path / "network.py")
    assert "class Net(nn.Module):" in (tmp_path / "network.py").read_text()


def test_train_this_goes_to_train_with_the_design(url, page):
    open_build(page, url)
    page.get_by_role("button", name="Train this").click()
    expect(page.get_by_role("heading", name="Train", level=1)).to_be_visible()
    assert design_in(page) == preset("lenet5").spec


@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(url, browser, width, scheme):
    with browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme
    ) as context:
        page = context.new_page()
        open_build(page, url)
        for tab in ("Layers", "Other tools", "Export", "Saved"):
            page.get_by_role("tab", name=tab).last.click()
            assert page.evaluate("document.body.scrollWidth <= innerWidth")


def test_numbers_and_picture_follow_a_slider_that_is_dragged(url, page):
    open_build(page, url)
    knob = slider(page, "Width")
    picture = page.locator("svg.arch").first
    before = picture.inner_html()
    box = knob.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    seen = [LENET_PARAMETERS]
    for distance in (40, 80):
        page.mouse.move(box["x"] + distance, box["y"] + box["height"] / 2, steps=4)
        expect(parameters(page)).not_to_have_text(seen[-1])
        seen.append(parameters(page).inner_text())
    assert picture.inner_html() != before
    assert "design" not in page.url  # nothing is changed yet
    page.mouse.up()
    expect(page).to_have_url(re.compile("design"))
    spec = design_in(page)
    expect(parameters(page)).to_have_text(f"{cost(plan(spec)).params:,}")
    page.get_by_role("button", name="Undo").click()
    expect(parameters(page)).to_have_text(LENET_PARAMETERS)


def test_a_dragged_slider_says_where_the_design_does_not_fit(url, page):
    open_build(page, url)
    knob = slider(page, "Convolutions")  # lenet5 pools after each
    box = knob.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + box["height"] / 2, steps=4)
    misfit = page.locator("p.misfit")
    expect(misfit).to_contain_text("pooling layer")
    page.mouse.move(box["x"], box["y"] + box["height"] / 2, steps=4)
    expect(misfit).to_be_empty()
    page.mouse.up()
