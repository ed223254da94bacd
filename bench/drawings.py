"""Effect of the preparation of drawings, on digits of MNIST's test split placed on a large pad.

::

    python -m bench.drawings                 trains cnn3 on MNIST, then classifies 10,000 drawings
    python -m bench.drawings --run ID        uses an existing run
    python -m bench.drawings --strokes 30    also: from a stroke to new bars, in Chromium

Every picture is enlarged, put at a random place of a pad of 560 x 560 pixels, and classified once
after MNIST's preparation and once after a plain resize of the pad. Results for thickened, thinned
and rotated pictures are reported as well. The exit code is 1 if the preparation costs more than
one point against the untouched test split, or gains less than 15 points over the plain resize.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image
from scipy import ndimage

from cnnlib.data.prepare import prepare
from cnnlib.data.prepared import Prepared, load_prepared
from cnnlib.probe.answer import class_probabilities
from cnnlib.probe.drawing import prepare_drawing
from cnnlib.records.drawing import Preparation
from cnnlib.train.api import fit, load_run

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests" / "support")]

from typing import TYPE_CHECKING  # noqa: E402

from drawings import STROKES  # noqa: E402
from serving import serving  # noqa: E402

if TYPE_CHECKING:
    from cnnlib.nets.model import Network

SIDE = 560
SCALES = (4.0, 18.0)  # pixels of the pad per pixel of the picture: digits of 80 to 360 pixels
PLAIN = Preparation(fit=False, centre=False)
MOST_LOST, LEAST_GAINED = 0.01, 0.15
Change = Callable[[np.ndarray], np.ndarray]


def _thicker(picture: np.ndarray) -> np.ndarray:
    return ndimage.grey_dilation(picture, footprint=np.ones((2, 2)))


def _thinner(picture: np.ndarray) -> np.ndarray:
    return ndimage.grey_erosion(picture, footprint=np.ones((2, 2)))


def _rotated(degrees: float) -> Change:
    return lambda picture: ndimage.rotate(picture, degrees, reshape=False, order=1)


CHANGES: dict[str, Change] = {
    "as they are": lambda picture: picture,
    "thickened": _thicker,
    "thinned": _thinner,
    "turned by 10 degrees": _rotated(-10),
    "turned by 20 degrees": _rotated(-20),
}


def place_on_pad(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Enlarge a picture (28 x 28, uint8) smoothly and put it at a random place of an empty pad."""
    side = round(28 * rng.uniform(*SCALES))
    large = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)
    left, top = rng.integers(0, SIDE - side + 1, 2)
    pad = np.zeros((SIDE, SIDE), np.uint8)
    pad[top : top + side, left : left + side] = np.asarray(large)
    return pad


def drawings(pictures: np.ndarray, change: Change, seed: int) -> Generator[np.ndarray]:
    """Yield each picture on its own pad; the places are the same for every change."""
    rng = np.random.default_rng(seed)
    for picture in pictures:
        yield place_on_pad(change(picture[0]), rng)


def accuracy(net: Network, data: Prepared, pictures: np.ndarray) -> float:
    """Share of pictures (N x 1 x 28 x 28, uint8) that are classified correctly."""
    parts = np.array_split(pictures, max(1, len(pictures) // 500))
    probabilities = np.concatenate([class_probabilities(net, data.info, part) for part in parts])
    return float((probabilities.argmax(axis=1) == data.test_labels[: len(pictures)]).mean())


def prepared_and_resized(pad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A network's input for a pad: with MNIST's preparation, and only resized."""
    prepared, resized = (prepare_drawing(pad, (1, 28, 28), each) for each in (Preparation(), PLAIN))
    return prepared.picture, resized.picture


def measure(net: Network, data: Prepared, count: int, seed: int) -> bool:
    """Print the table; return whether the preparation meets both limits."""
    pictures = data.test_images[:count]
    untouched = accuracy(net, data, pictures)
    print(f"{count:,} test pictures of MNIST, untouched: {untouched:.2%}")
    print(f"{'on a pad, by seed':24}{'prepared':>10}{'resized':>10}")
    rows = {}
    for name, change in CHANGES.items():
        seen = [prepared_and_resized(pad) for pad in drawings(pictures, change, seed)]
        rows[name] = [accuracy(net, data, np.stack(each)) for each in zip(*seen, strict=True)]
        print(f"{name:24}{rows[name][0]:10.2%}{rows[name][1]:10.2%}", flush=True)
    prepared, resized = rows["as they are"]
    return untouched - prepared <= MOST_LOST and prepared - resized >= LEAST_GAINED


# -- from the end of a stroke to the new bars ------------------------------------------------------

_WATCH = """
window.shown = 0;
addEventListener("pointerup", () => { window.ended = performance.now(); window.shown = 0; }, true);
new MutationObserver(() => {
  const text = [...document.querySelectorAll("strong")].map(e => e.parentElement.textContent)
    .find(text => text.includes("% sure")) ?? "";
  const bars = [...document.querySelectorAll(".st-key-draw_answer_0 .point path")]
    .map(bar => bar.getAttribute("d")).join();
  if (text + bars !== window.before && bars) { window.before = text + bars;
    window.shown = performance.now(); }
}).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
"""


def stroke_to_bars(env: dict[str, str], count: int) -> list[float]:
    """Milliseconds from the end of each stroke to the last change of the answer and its bars."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with serving(Path(folder) / "server.log", env) as served:
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            page.add_init_script(_WATCH)
            page.goto(f"{served.url}/draw")
            page.locator("canvas.upper-canvas").wait_for(timeout=120_000)
            page.wait_for_timeout(20_000)  # the server still imports torch and others
            taken = [_one_stroke(page, number) for number in range(count + 3)]
        browser.close()
    return taken[3:]  # the first three load plotly and the network


def _one_stroke(page, number: int) -> float:
    box = page.locator("canvas.upper-canvas").bounding_box()
    points = STROKES["7" if number % 2 else "3"][0]
    points = [(box["x"] + x, box["y"] + y + 3 * (number % 10)) for x, y in points]
    page.locator(".st-key-draw_clear button").click()
    page.get_by_text("changes with every stroke").wait_for()
    page.wait_for_timeout(800)
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=6)
    page.mouse.up()
    page.wait_for_function("window.shown", timeout=60_000)
    page.wait_for_timeout(1500)  # a second drawing of the bars belongs to this stroke
    return page.evaluate("window.shown - window.ended")


def main() -> int:
    """Measure; return 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", help="of cnn3 or any other network on MNIST; default: train one")
    parser.add_argument("--count", type=int, default=10_000, help="test pictures")
    parser.add_argument("--seed", type=int, default=0, help="draws places and sizes")
    parser.add_argument("--strokes", type=int, default=0, help="that are timed in a browser")
    options = parser.parse_args()
    for _ in prepare("mnist"):
        pass
    trained = load_run(options.run) if options.run else fit("cnn3", "mnist")
    good = measure(trained.net, load_prepared("mnist"), options.count, options.seed)
    if options.strokes:
        taken = sorted(stroke_to_bars(dict(os.environ), options.strokes))
        print(
            f"end of stroke -> new bars: median {median(taken):.0f} ms, slowest {taken[-1]:.0f} ms"
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
