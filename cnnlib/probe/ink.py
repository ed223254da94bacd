"""How a picture of ink differs from the pictures that a network was trained on; without torch.

A network that was trained on light digits in the middle of a black square answers just as surely
for a dark digit on paper, for one in a corner, or for two of them. All measures are fractions, so
that they hold for any size of the pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from cachetools import LRUCache, cached
from scipy import ndimage

from cnnlib.probe.drawing import separate_ink, to_grey
from cnnlib.records.drawing import InkDifference, InkStatistics, Preparation

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from cnnlib.data.prepared import Prepared
    from cnnlib.records.drawing import PreparedDrawing, Range

_PLAIN = Preparation()

# Which training pictures are ink on an even ground; measured by bench/ink.py.
_SAMPLE, _FEWEST = 1_000, 20  # training pictures
_SAMPLE_PIXELS = 2_000_000  # in all of them
_EVEN_EDGE = 0.7  # of the edge's pixels are near the ground's brightness, in half of the pictures
_NEAR = 0.1  # of the brightness of white
_SAME_SIDE = 0.98  # of the pictures have ink on the same side of the ground: lighter, or darker
_MOST_INK = 0.23  # of the picture; MNIST has 0.12, while clothes on black have about 0.3
_MOST_COLOUR = 0.1  # between the channels of a pixel of ink; photographs are coloured

# How far a picture may be outside the range of the training pictures.
_EXTREMES = 0.001  # of the training pictures are outside at each end
_GROUND_MARGIN, _POSITION_MARGIN, _EXTENT_MARGIN = 0.15, 0.06, 0.08
_THICKNESS_FACTOR = 1.25
_BROKEN = 0.01  # of the training pictures may have more drawings: their strokes are broken

# Which parts of the ink are drawings of their own.
_REACH = 0.055  # of the extent: ink at less than twice this distance is one drawing
_HEIGHT, _MASS = 0.4, 0.1  # of the tallest and the heaviest part; less is a dot or a bar


@dataclass(frozen=True, eq=False)
class _Measures:
    """One number for each picture; the ranges of `InkStatistics` are those of these numbers."""

    is_light: np.ndarray
    even_edge: np.ndarray
    ground: np.ndarray
    row: np.ndarray
    column: np.ndarray
    extent: np.ndarray
    thickness: np.ndarray


@cached(LRUCache(8), key=lambda prepared: prepared.info.fingerprint, lock=Lock())
def ink_statistics_of(prepared: Prepared) -> InkStatistics | None:
    """Measure training pictures of a dataset: at most 1,000, from its whole length."""
    return ink_statistics(np.array(prepared.train_images[sampled(prepared)]))


def sampled(prepared: Prepared) -> np.ndarray:
    """Return the places of the training pictures that are measured."""
    pictures = prepared.train_images
    most = np.clip(_SAMPLE_PIXELS // pictures[0, 0].size, _FEWEST, _SAMPLE) if len(pictures) else 0
    return np.linspace(0, len(pictures) - 1, min(int(most), len(pictures))).astype(int)


def ink_statistics(pictures: np.ndarray) -> InkStatistics | None:
    """Measure pictures of a dataset: N x C x H x W, uint8.

    Returns:
        None if they are not ink on an even ground, such as photographs or clothes, or are too few.
    """
    grey = _grey(pictures)
    ink, ground = separate_ink(grey)
    has_ink = ink.any(axis=(1, 2))
    if has_ink.sum() < _FEWEST:
        return None
    ink, grey, ground = ink[has_ink], grey[has_ink], ground[has_ink]
    found = _measure(grey, ink, ground)
    has_light_ink = bool(found.is_light.mean() > 0.5)
    is_ink = (
        np.mean(found.is_light == has_light_ink) >= _SAME_SIDE
        and np.median(found.even_edge) >= _EVEN_EDGE
        and np.median(np.abs(ink).mean(axis=(1, 2))) <= _MOST_INK
        and np.ptp(pictures[has_ink], axis=1)[ink != 0].mean() / 255 <= _MOST_COLOUR
    )
    if not is_ink:
        return None
    counts = [count_drawings(each) for each in ink]
    return InkStatistics(
        has_light_ink=has_light_ink,
        ground=_range(found.ground),
        row=_range(found.row),
        column=_range(found.column),
        extent=_range(found.extent),
        thickness=_range(found.thickness),
        drawings=int(np.quantile(counts, 1 - _BROKEN, method="lower")),
    )


def ink_differences(
    statistics: InkStatistics | None, picture: np.ndarray, drawing: np.ndarray | None = None
) -> tuple[InkDifference, ...]:
    """Compare a picture with the training pictures of a network.

    Args:
        statistics: Of the training pictures; None gives no difference.
        picture: The input of the network: C x H x W, uint8.
        drawing: What the picture was made from, C x H x W, uint8, where it is larger: drawings that
            are close to each other are still apart in it.
    """
    grey = _grey(picture[None])
    ink, ground = separate_ink(grey)
    if statistics is None or not ink.any():
        return ()
    found = _measure(grey, ink, ground)
    differences = [*_ground_differences(statistics, found)]
    fine = ink if drawing is None else separate_ink(_grey(drawing[None]))[0]
    count = count_drawings(fine[0])
    if count > max(1, statistics.drawings):  # then size and place are those of all together
        sentence = f"There seem to be {count} separate drawings"
        differences.append(
            InkDifference("drawings", f"{sentence}; the network answers for the whole picture.")
        )
    else:
        differences += _form_differences(statistics, found, grey.shape[1:])
    return tuple(differences)


def drawing_differences(
    statistics: InkStatistics | None, drawing: PreparedDrawing
) -> tuple[InkDifference, ...]:
    """Compare a prepared drawing with the training pictures of a network; see `ink_differences`."""
    return ink_differences(statistics, drawing.picture, drawing.steps[0].picture)


def preparation_for(
    statistics: InkStatistics | None, preparation: Preparation = _PLAIN
) -> Preparation:
    """Return a preparation that makes the ink dark where that of the training pictures is dark."""
    return replace(preparation, invert=statistics is not None and not statistics.has_light_ink)


def ink_offer(differences: Sequence[InkDifference], preparation: str = "") -> str:
    """Return a sentence on what mends the differences; "" where nothing does.

    Args:
        preparation: Sentence on what turns the picture round, scales and centres it; "" if that is
            not possible.
    """
    kinds = {each.kind for each in differences}
    if preparation and any(each.is_mended_by_preparation for each in differences):
        return preparation
    if "drawings" in kinds:
        return "Give each drawing a picture of its own."
    return "A pen of another width would fit better." if "thickness" in kinds else ""


def describe_ink(differences: Sequence[InkDifference], preparation: str = "") -> str:
    """Say how a picture differs, and what mends it (`ink_offer`); "" without a difference."""
    sentences = [each.sentence for each in differences]
    return " ".join(filter(None, [*sentences, ink_offer(differences, preparation)]))


def count_drawings(ink: np.ndarray) -> int:
    """Count the drawings that are apart from each other: H x W; 0 is no ink.

    The strokes of one drawing may have small gaps, and dots and bars belong to their drawing.
    """
    is_ink = ink != 0
    if not is_ink.any():
        return 0
    (box,) = ndimage.find_objects(is_ink.astype(int))
    cut = is_ink[box]
    distance = ndimage.distance_transform_edt(~cut)
    labels, count = ndimage.label(distance <= _REACH * max(cut.shape))
    if count == 1:
        return 1
    parts = labels * cut
    masses = np.bincount(parts[cut])[1:]
    boxes = ndimage.find_objects(parts)
    heights = np.array([rows.stop - rows.start for rows, _ in boxes])
    is_drawing = (heights >= _HEIGHT * heights.max()) & (masses >= _MASS * masses.max())
    return int(is_drawing.sum())


# -- measures --------------------------------------------------------------------------------------


def _grey(pictures: np.ndarray) -> np.ndarray:
    """N x C x H x W, uint8, as N x H x W, float64, 0..1."""
    if pictures.shape[1] == 1:
        return pictures[:, 0] / 255.0
    return np.stack([to_grey(each.transpose(1, 2, 0)) for each in pictures]) / 255


def _measure(grey: np.ndarray, ink: np.ndarray, ground: np.ndarray) -> _Measures:
    """Measure pictures that have ink: N x H x W."""
    height, width = grey.shape[1:]
    edge = np.concatenate([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], axis=1)
    strength = np.abs(ink)
    mass = strength.sum(axis=(1, 2))
    in_rows, in_columns = strength.sum(axis=2), strength.sum(axis=1)
    extent = np.maximum(_span(in_rows) / height, _span(in_columns) / width)
    # A stroke has ink on its width times its length, and an outline of twice its length.
    padded = np.pad(strength, ((0, 0), (1, 1), (1, 1)))
    outline = sum(np.abs(np.diff(padded, axis=axis)).sum(axis=(1, 2)) for axis in (1, 2))
    return _Measures(
        is_light=ink.sum(axis=(1, 2)) > 0,
        even_edge=(np.abs(edge - ground[:, None]) <= _NEAR).mean(axis=1),
        ground=ground,
        row=in_rows @ (np.arange(height) + 0.5) / mass / height,
        column=in_columns @ (np.arange(width) + 0.5) / mass / width,
        extent=extent,
        thickness=2 * mass / outline / max(height, width),
    )


def _span(profiles: np.ndarray) -> np.ndarray:
    """Length from the first to the last value that is not 0, in each row."""
    is_ink = profiles > 0
    return profiles.shape[1] - is_ink.argmax(axis=1) - is_ink[:, ::-1].argmax(axis=1)


def _range(values: np.ndarray) -> Range:
    low, high = np.quantile(values, (_EXTREMES, 1 - _EXTREMES))
    return float(low), float(high)


# -- sentences -------------------------------------------------------------------------------------


def _ground_differences(known: InkStatistics, found: _Measures) -> Generator[InkDifference]:
    if found.is_light[0] != known.has_light_ink:
        forms = ("dark ink on a light ground", "light ink on a dark ground")
        yield InkDifference(
            "ink",
            f"The picture is {forms[not known.has_light_ink]}; the network was trained on "
            f"{forms[known.has_light_ink]}.",
        )
    elif side := _outside(found.ground[0], known.ground, _GROUND_MARGIN):
        yield InkDifference(
            "ground",
            f"The ground of the picture is {'lighter' if side > 0 else 'darker'} than that of the "
            "training pictures.",
        )


def _form_differences(
    known: InkStatistics, found: _Measures, size: tuple[int, ...]
) -> Generator[InkDifference]:
    down = _outside(found.row[0], known.row, _POSITION_MARGIN)
    right = _outside(found.column[0], known.column, _POSITION_MARGIN)
    if down or right:
        words = ("", "lower", "higher")[down], ("", "farther right", "farther left")[right]
        where = " and ".join(filter(None, words))
        yield InkDifference("position", f"The ink is {where} than in the training pictures.")
    side = max(size)
    if larger := _outside(found.extent[0], known.extent, _EXTENT_MARGIN):
        pixels = _pixels(found.extent[0], known.extent, larger, side)
        word = "larger" if larger > 0 else "smaller"
        yield InkDifference("size", f"The ink is {word} than in the training pictures: {pixels}.")
    logarithms = np.log(found.thickness[0]), tuple(np.log(known.thickness))
    if thicker := _outside(*logarithms, np.log(_THICKNESS_FACTOR)):
        pixels = _pixels(found.thickness[0], known.thickness, thicker, side)
        word = "thicker" if thicker > 0 else "thinner"
        yield InkDifference(
            "thickness", f"The strokes are {word} than in the training pictures: {pixels}."
        )


def _outside(value: float, known: Range, margin: float) -> int:
    """1 above the range, -1 below it, and 0 inside or within the margin."""
    low, high = known
    return int(value > high + margin) - int(value < low - margin)


def _pixels(value: float, known: Range, above: int, side: int) -> str:
    """``10 pixels instead of at least 20``."""
    limit = f"at most {side * known[1]:.3g}" if above > 0 else f"at least {side * known[0]:.3g}"
    return f"{side * value:.3g} pixels instead of {limit}"
