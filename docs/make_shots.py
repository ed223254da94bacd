"""Run the real app in Chromium, train in it, and write the screenshots of README and tour.

    python docs/make_shots.py            writes docs/images/<page>-light.png and <page>-dark.png,
                                         and docs/images/lab.gif, the Lab at work

Starts the app on a free port with a temporary run store. Trains on MNIST if it is in CNNLAB_DATA,
else on the digits that are part of the package.
"""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from serving import serving  # noqa: E402

IMAGES = ROOT / "docs" / "images"
SIZE = {"width": 1280, "height": 860}
THEMES = ("light", "dark")
WAIT_MS = 60_000
TRAINING_MS = 600_000
EPOCHS = 3
RESTING = "[data-test-script-state=notRunning]"
SEVEN = [(105, 90), (308, 90), (195, 338)]  # corners of its one stroke, on a pad of 420 x 420
LAB_MS = 5_000  # of training before the Lab's picture is taken
COLOURS = 128  # of a screenshot, so that it is small
FRAME_MS, FILM_MS = 120, 160  # between two frames, when taken and when shown
FILM_HEIGHT = 540
SETTLING_MS = 1500  # wait for fonts, charts and pictures after a page has loaded


@dataclass(frozen=True)
class Lab:
    """The app's address, and a tab for each theme."""

    url: str
    tabs: dict[str, Page]

    @property
    def tab(self) -> Page:
        """The tab in which buttons are pressed."""
        return self.tabs["light"]

    def goto(self, address: str, sign: str) -> None:
        """Open an address of the app in all tabs and wait until the locator `sign` is there."""
        for tab in self.tabs.values():
            tab.goto(f"{self.url}{address}")
        for tab in self.tabs.values():
            tab.locator(sign).first.wait_for(timeout=WAIT_MS)
            tab.locator(RESTING).wait_for(timeout=WAIT_MS)

    def shoot(self, name: str) -> None:
        """Write a screenshot of each tab."""
        for theme, tab in self.tabs.items():
            tab.wait_for_timeout(SETTLING_MS)
            path = IMAGES / f"{name}-{theme}.png"
            tab.screenshot(path=path)
            Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)
            print(f"docs/images/{name}-{theme}.png")


def main() -> None:
    """Make all pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with running_lab() as lab:
        film_lab(lab)
        shoot_lab(lab)
        lab.goto("/build", "text=More numbers")
        lab.shoot("build")
        first = train(lab, "LeNet-style, 3 × 3", "106,154", shoot_as="train")
        second = train(lab, "Fast network for MNIST", "23,354")
        lab.goto(f"/results?run={first}&run={second}", ".live .panel canvas")
        lab.shoot("results")
        duel = fight(lab, f"/results?run={first}&run={second}")
        lab.goto(duel, "text=Error rate")
        lab.shoot("duel")
        lab.goto(f"/inspect?run={second}", "text=Feature maps")
        lab.shoot("inspect")
        lab.goto("/draw", "canvas.upper-canvas")
        for tab in lab.tabs.values():
            draw_a_seven(tab)
        lab.shoot("draw")


def shoot_lab(lab: Lab) -> None:
    """Let a sketch learn for a while in each tab, and take its picture; then end the sketches."""
    lab.goto("/", '[data-testid="lab-play"]')
    for tab in lab.tabs.values():
        answer = tab.get_by_test_id("lab-answer")  # the viewer has computed it
        expect(answer).to_contain_text(re.compile(r"\d"), timeout=WAIT_MS)
        tab.get_by_test_id("lab-play").click()
        tab.wait_for_timeout(LAB_MS)
        tab.get_by_test_id("lab-map-2-1").click()
        tab.wait_for_timeout(SETTLING_MS)
    lab.shoot("lab")
    for tab in lab.tabs.values():
        tab.get_by_test_id("lab-play").click()
        tab.wait_for_timeout(SETTLING_MS)


def film_lab(lab: Lab) -> None:
    """Write the Lab as an animation: sliders move, then the network learns."""
    tab = lab.tabs["light"]
    tab.goto(lab.url)
    tab.get_by_test_id("lab-play").wait_for(timeout=WAIT_MS)
    expect(tab.get_by_test_id("lab-answer")).to_contain_text(re.compile(r"\d"), timeout=WAIT_MS)
    frames = []

    def film(count: int) -> None:
        for _ in range(count):
            tab.wait_for_timeout(FRAME_MS)
            picture = Image.open(BytesIO(tab.screenshot())).convert("RGB")
            width = round(picture.width * FILM_HEIGHT / picture.height)
            frames.append(picture.resize((width, FILM_HEIGHT), Image.Resampling.LANCZOS))

    for slider, key in (("lab-convolutions", "ArrowRight"), ("lab-channels", "ArrowRight")):
        handle = tab.get_by_test_id(slider)
        handle.focus()
        for _ in range(3):
            handle.press(key)
            film(2)
    tab.get_by_test_id("lab-play").click()
    film(34)
    tab.get_by_test_id("lab-play").click()
    tab.wait_for_timeout(SETTLING_MS)
    # One palette for all frames: colours that change from frame to frame would flicker.
    palette = frames[-1].quantize(COLOURS)
    small = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    path = IMAGES / "lab.gif"
    small[0].save(
        path, save_all=True, append_images=small[1:], duration=FILM_MS, loop=0, optimize=True
    )
    print(f"docs/images/lab.gif: {path.stat().st_size / 1e6:.1f} MB")


def fight(lab: Lab, address: str) -> str:
    """Start a duel of the two rows of an address and wait for its end; returns its address."""
    lab.tab.goto(f"{lab.url}{address}")
    lab.tab.get_by_role("button", name="Duel", exact=True).click(timeout=WAIT_MS)
    lab.tab.get_by_text("More settings of the duel").click(timeout=WAIT_MS)
    for name, value in (("Epochs", "1"), ("Training pictures", "4000")):
        field = lab.tab.get_by_role("spinbutton", name=name)
        field.fill(value)
        field.press("Tab")
        lab.tab.locator(RESTING).wait_for(timeout=WAIT_MS)
    lab.tab.get_by_role("button", name="Start the duel").click()
    lab.tab.wait_for_url(re.compile("duel="), timeout=WAIT_MS)
    after = lab.tab.get_by_role("link", name=re.compile("Next: look inside"))
    after.first.wait_for(timeout=TRAINING_MS)
    return lab.tab.url.removeprefix(lab.url)


def train(lab: Lab, preset: str, sign: str, shoot_as: str = "") -> str:
    """Train a preset for a few epochs; returns the run's id.

    Args:
        sign: Text of the page once the preset is applied.
        shoot_as: Name of a screenshot in the middle of the training; "" takes none.
    """
    lab.tab.goto(f"{lab.url}/train")
    lab.tab.get_by_role("combobox", name="Preset").click(timeout=WAIT_MS)
    lab.tab.get_by_role("option", name=preset, exact=True).click()
    lab.tab.get_by_text(sign).wait_for(timeout=WAIT_MS)
    lab.tab.locator(RESTING).wait_for(timeout=WAIT_MS)
    epochs = lab.tab.get_by_role("spinbutton", name="Epochs")
    epochs.fill(str(EPOCHS))
    epochs.press("Tab")
    lab.tab.get_by_role("button", name="Train", exact=True).click()
    state = lab.tab.locator(".status .state").first
    expect(state).to_have_text("Training", timeout=TRAINING_MS)
    address = lab.tab.url.removeprefix(lab.url)
    if shoot_as:
        lab.goto(address, ".live .panel canvas")
        epoch = lab.tab.locator('[data-fact="epoch"] dd')
        expect(epoch).to_have_text(f"{EPOCHS} / {EPOCHS}", timeout=TRAINING_MS)
        lab.shoot(shoot_as)
    expect(state).to_have_text("Finished", timeout=TRAINING_MS)
    return address.split("run=")[1]


def draw_a_seven(tab: Page) -> None:
    """Draw a 7 with the mouse and wait for the answer."""
    box = tab.locator("canvas.upper-canvas").bounding_box()
    (x, y), *others = [(box["x"] + x, box["y"] + y) for x, y in SEVEN]
    tab.mouse.move(x, y)
    tab.mouse.down()
    for x, y in others:
        tab.mouse.move(x, y, steps=8)
    tab.mouse.up()
    tab.get_by_text("% probability").wait_for(timeout=WAIT_MS)


@contextmanager
def running_lab() -> Generator[Lab]:
    """Start the app with an empty run store, and a browser with a tab for each theme."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        env = {**os.environ, "CNNLAB_RUNS": f"{folder}/runs"}
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        with serving(Path(folder) / "server.log", env) as served:
            yield Lab(served.url, {theme: _tab(browser, theme) for theme in THEMES})
        browser.close()


def chromium() -> str:
    """The path of an installed Chromium or Chrome."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    sys.exit("The pictures need Chromium, and neither chromium nor google-chrome is on the PATH.")


def _tab(browser: Browser, theme: str) -> Page:
    return browser.new_context(viewport=SIZE, color_scheme=theme).new_page()


if __name__ == "__main__":
    main()
