"""Alarms of the comparison with training pictures: ``python -m bench.ink``.

The comparison (`cnnlib.probe.ink`) is right about real pictures if it says nothing, and about
planted differences if it names them. Its constants must reach the goals on training pictures of
MNIST other than those that it measures; the test pictures have a column of their own. MNIST and
CIFAR's JPEGs are read from CNNLAB_DATA.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from cnnlib.data.prepare import prepare
from cnnlib.data.prepared import load_prepared
from cnnlib.probe.drawing import ink_box, prepare_drawing
from cnnlib.probe.ink import (
    drawing_differences,
    ink_differences,
    ink_statistics,
    ink_statistics_of,
    sampled,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cnnlib.data.prepared import Prepared
    from cnnlib.records.drawing import InkDifference, InkStatistics

COUNT = 2_000  # planted pictures of each kind
SIDE = 28


def to_corner(digit: np.ndarray, number: int) -> np.ndarray:
    """Move the ink into one of the four corners."""
    left, top, right, bottom = ink_box(digit) or (0, 0, *digit.shape)
    down = -top if number % 2 else len(digit) - bottom
    aside = -left if number % 4 < 2 else digit.shape[1] - right
    return np.roll(digit, (down, aside), axis=(0, 1))


def shrunk(digit: np.ndarray) -> np.ndarray:
    """Half of the size, in the middle."""
    return np.pad(resized(digit, SIDE // 2), SIDE // 4)


def resized(picture: np.ndarray, side: int) -> np.ndarray:
    """Reduce a square picture, with averages."""
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BOX))


def pair(first: np.ndarray, second: np.ndarray, axis: int) -> np.ndarray:
    """Two digits beside each other (axis 1) or one above the other (axis 0), in 56 x 56 pixels."""
    both = np.concatenate([first, second], axis=axis)
    margins = [(0, 0), (0, 0)]
    margins[1 - axis] = (SIDE // 2, SIDE // 2)
    return np.pad(both, margins)


def on_paper(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A photograph of dark ink on paper: grey, noisy, and lit from one side."""
    light = np.linspace(0, rng.uniform(0, 25), SIDE)[None]
    paper, ink = rng.integers(170, 250), rng.integers(20, 70)
    shaded = paper - light - digit / 255.0 * (paper - ink) + rng.normal(0, 4, digit.shape)
    return np.clip(shaded, 0, 255).astype(np.uint8)


def clothes(count: int, rng: np.random.Generator) -> np.ndarray:
    """Wide textured shapes on black, in the form of Fashion-MNIST: count x 1 x 28 x 28."""
    pictures = []
    for _ in range(count):
        canvas = Image.new("L", (SIDE, SIDE))
        pen = ImageDraw.Draw(canvas)
        half, top, bottom = rng.integers(5, 10), rng.integers(1, 5), rng.integers(22, 27)
        pen.rectangle((14 - half, top, 14 + half, bottom), fill=int(rng.integers(120, 255)))
        pen.rectangle((14 - half - 4, top, 14 + half + 4, top + 8), fill=int(rng.integers(90, 220)))
        texture = rng.normal(0, 15, (SIDE, SIDE)) * (np.asarray(canvas) > 0)
        pictures.append(np.clip(np.asarray(canvas) + texture, 0, 255).astype(np.uint8)[None])
    return np.stack(pictures)


STROKES = {
    "4, open": ([(90, 60), (70, 160), (170, 160)], [(165, 90), (165, 230)]),
    "5, bar apart": ([(100, 75), (95, 130), (150, 130), (175, 175), (140, 220), (90, 215)],
                     [(108, 60), (180, 56)]),
    "7, crossed": ([(85, 62), (192, 58), (128, 228)], [(110, 145), (185, 140)]),
}  # fmt: skip


def two_stroke(name: str, rng: np.random.Generator) -> np.ndarray:
    """Draw a digit in two strokes that may miss each other: 280 x 280."""
    pad = Image.new("L", (280, 280))
    pen = ImageDraw.Draw(pad)
    for stroke in STROKES[name]:
        shift = rng.normal(0, 4, 2)
        points = [tuple(np.add(point, shift) + rng.normal(0, 2, 2)) for point in stroke]
        pen.line(points, fill=255, width=int(rng.integers(10, 22)), joint="curve")
    return np.asarray(pad)


def share_found(
    statistics: InkStatistics | None, pictures: Iterable[np.ndarray], kind: str = ""
) -> float:
    """Share of pictures with a difference of this kind; "" is any."""
    found = [
        any(each.kind == (kind or each.kind) for each in ink_differences(statistics, picture))
        for picture in pictures
    ]
    return float(np.mean(found))


def from_pad(pad: np.ndarray) -> tuple[InkDifference, ...]:
    """Compare a drawing on the pad, as Draw, Inspect and ``read`` do after its preparation."""
    known = ink_statistics_of(prepared_now("mnist"))
    return drawing_differences(known, prepare_drawing(pad, (1, SIDE, SIDE)))


def enlarged(digit: np.ndarray, side: int = 10 * SIDE) -> np.ndarray:
    """Enlarge a digit to the pad's size."""
    image = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image)


def split_rows(split: np.ndarray, rng: np.random.Generator) -> Iterable[tuple[str, str, float]]:
    """Yield rows of MNIST's pictures: what they are, what is right for them, its share.

    Args:
        split: N x 28 x 28.
    """
    known = ink_statistics_of(prepared_now("mnist"))
    yield "MNIST, as it is", "none", 1 - share_found(known, split[:, None])
    chosen, others = (split[rng.integers(0, len(split), COUNT)] for _ in range(2))
    pads = [bool(from_pad(enlarged(digit))) for digit in chosen]
    yield "MNIST, on the pad, prepared", "none", 1 - float(np.mean(pads))
    planted: list[tuple[str, str, Callable[[int], np.ndarray]]] = [
        ("inverted", "ink", lambda i: 255 - chosen[i]),
        ("photographed on paper", "ink", lambda i: on_paper(chosen[i], rng)),
        ("on a ground of 40 % grey", "ground", lambda i: np.maximum(chosen[i], 102)),
        ("in a corner", "position", lambda i: to_corner(chosen[i], i)),
        ("half of the size", "size", lambda i: shrunk(chosen[i])),
        ("strokes 4 pixels wider", "thickness", lambda i: ndimage.grey_dilation(chosen[i], (5, 5))),
        ("two side by side", "drawings", lambda i: resized(pair(chosen[i], others[i], 1), SIDE)),
        ("two, one above the other", "drawings",
         lambda i: resized(pair(chosen[i], others[i], 0), SIDE)),
    ]  # fmt: skip
    for name, kind, make in planted:
        pictures = (make(i)[None] for i in range(COUNT))
        yield f"MNIST, {name}", kind, share_found(known, pictures, kind)
    for axis, name in ((1, "side by side"), (0, "one above the other")):
        found = [from_pad(enlarged(pair(chosen[i], others[i], axis))) for i in range(COUNT)]
        kinds = [any(each.kind == "drawings" for each in differences) for differences in found]
        yield f"MNIST, two {name} on the pad, prepared", "drawings", float(np.mean(kinds))


def other_rows(rng: np.random.Generator) -> Iterable[tuple[str, str, float]]:
    """Yield rows of other pictures."""
    digits, cifar = prepared_now("digits"), prepared_now("folder:cifar10-jpeg")
    yield (
        "digits, all test pictures",
        "none",
        1 - share_found(ink_statistics_of(digits), digits.test_images),
    )
    two = [from_pad(two_stroke(list(STROKES)[i % 3], rng)) for i in range(300)]
    alarms = [any(each.kind == "drawings" for each in differences) for differences in two]
    yield "4, 5 and 7 in two strokes on the pad", "not two drawings", 1 - float(np.mean(alarms))
    for name, statistics in (
        ("CIFAR-10 as JPEG", ink_statistics_of(cifar)),
        ("CIFAR-10 in grey", ink_statistics(cifar.train_images[::50, 1:2])),
        ("shapes as in Fashion-MNIST", ink_statistics(clothes(1_000, rng))),
        ("coloured shapes on black", ink_statistics(coloured(prepared_now("mnist"), rng))),
    ):
        yield name, "not compared", float(statistics is None)


def coloured(mnist: Prepared, rng: np.random.Generator) -> np.ndarray:
    """Thin bright objects of all colours on black: 1,000 x 3 x 28 x 28."""
    colours = rng.dirichlet((1, 1, 1), 1_000)
    colours /= colours.max(axis=1, keepdims=True)
    return (mnist.train_images[:1_000] * colours[:, :, None, None]).astype(np.uint8)


@cache
def prepared_now(name: str) -> Prepared:
    """Load a dataset; prepare it first if necessary."""
    for _ in prepare(name):
        pass
    return load_prepared(name)


def main() -> None:
    """Print the table: shares of held-out training pictures, and of test pictures."""
    mnist = prepared_now("mnist")
    held_out = np.setdiff1d(np.arange(len(mnist.train_images)), sampled(mnist))
    train = mnist.train_images[np.random.default_rng(0).permutation(held_out)[:10_000], 0]
    columns = (
        split_rows(each, np.random.default_rng(0)) for each in (train, mnist.test_images[:, 0])
    )
    print("| pictures | right | training pictures | test pictures |\n|---|---|---:|---:|")
    for (name, right, chosen), (_, _, share) in zip(*columns, strict=True):
        print(f"| {name} | {right} | {chosen:.2%} | {share:.2%} |", flush=True)
    for name, right, share in other_rows(np.random.default_rng(0)):
        print(f"| {name} | {right} | | {share:.2%} |", flush=True)


if __name__ == "__main__":
    main()
