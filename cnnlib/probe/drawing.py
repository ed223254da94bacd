"""A drawing brought to the form of MNIST's pictures, with the picture after every step.

LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition" (1998),
section III A: a digit is fitted into 20 x 20 pixels keeping its aspect, antialiased, and put into
28 x 28 so that its centre of mass is in the centre. In MNIST's files that centre is the pixel
(14, 14), counted from 0, and pictures are moved by whole pixels: the centre of mass of every one of
them is within half a pixel of it. Nothing here needs torch.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from cnnlib.errors import ProbeError
from cnnlib.records.drawing import DrawingStep, Preparation, PreparedDrawing

SIDE, BOX = 28, 20  # of MNIST's pictures, and of the square that a digit fills
_PAPER_NOISE = 0.25  # of the strongest ink: what is weaker on a photographed page is paper

_PLAIN = Preparation()


def prepare_drawing(
    pixels: np.ndarray,
    in_size: tuple[int, int, int] = (1, SIDE, SIDE),
    preparation: Preparation = _PLAIN,
) -> PreparedDrawing:
    """Bring a drawing to the size of a network's input.

    For networks with one input channel this is MNIST's own preparation, scaled to their input. A
    picture for a colour network is resized, and that is all.

    Args:
        pixels: H x W (ink, from 0 for none), or H x W x 3 or 4 (a pad: light ink on black; what is
            transparent is black). uint8.
        in_size: Channels, height, width of the network's input.

    Raises:
        ProbeError: The pixels are no picture.

    Example:
        >>> pad = np.zeros((280, 280), np.uint8)
        >>> pad[10:110, 30:50] = 255
        >>> ink_box(prepare_drawing(pad).picture[0])
        (12, 4, 16, 24)
    """
    is_picture = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if not is_picture or 0 in pixels.shape or pixels.dtype != np.uint8:
        raise ProbeError(
            f"A drawing is an array of bytes, height x width or height x width x 3 or 4, but this "
            f"is {pixels.dtype} of shape {pixels.shape}. Give such an array."
        )
    channels, height, width = in_size
    if channels != 1:
        return _resized_in_colour(_on_black(pixels), (height, width), preparation)
    ink = _grey(pixels)
    steps = [("As drawn", ink)]
    steps.append(_sized(ink, (height, width), preparation))
    if preparation.blur:
        blurred = ndimage.gaussian_filter(steps[-1][1], preparation.blur, mode="constant")
        steps.append(("Blurred", blurred))
    if preparation.centre:
        steps.append(("Centred by mass", _centred(steps[-1][1])))
    return PreparedDrawing(tuple(DrawingStep(name, _bytes(each)[None]) for name, each in steps))


def ink_on_paper(pixels: np.ndarray) -> np.ndarray:
    """The ink of a photograph or scan: how far each pixel is from the paper.

    The paper is what most of the picture's edge shows, whether the ink is darker or lighter.

    Args:
        pixels: H x W or H x W x 3 or 4, uint8.

    Returns:
        H x W, uint8: 0 is paper, 255 the strongest ink.
    """
    grey = _grey(pixels)
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    away = np.abs(grey - np.median(edge))
    strongest = away.max()
    if strongest == 0:
        return np.zeros(grey.shape, np.uint8)
    away[away < _PAPER_NOISE * strongest] = 0
    return _bytes(away * (255 / strongest))


def ink_box(ink: np.ndarray) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of the ink, the last two exclusive; None where there is none."""
    if not ink.any():
        return None
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def centre_of_mass(ink: np.ndarray) -> tuple[float, float]:
    """Row and column, counted from 0 at the middle of the first pixel.

    Example:
        >>> centre_of_mass(np.array([[0, 0], [1, 1]]))
        (1.0, 0.5)
    """
    total = ink.sum()
    rows, columns = np.arange(ink.shape[0]), np.arange(ink.shape[1])
    return float(ink.sum(axis=1) @ rows / total), float(ink.sum(axis=0) @ columns / total)


def _sized(
    ink: np.ndarray, size: tuple[int, int], preparation: Preparation
) -> tuple[str, np.ndarray]:
    """The step that brings the ink to the input's size, with its name."""
    box = ink_box(ink)
    if not preparation.fit or box is None:
        whole = (0, 0, ink.shape[1], ink.shape[0])
        return "Resized", _resized(ink, whole, size, preparation)
    room = min(size) * BOX / SIDE
    width, height = box[2] - box[0], box[3] - box[1]
    scale = room / max(width, height)
    inner = max(1, round(height * scale)), max(1, round(width * scale))
    picture = np.zeros(size)
    top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    fitted = _resized(ink, box, inner, preparation)
    picture[top : top + inner[0], left : left + inner[1]] = fitted
    return f"Fitted into {round(room)} × {round(room)}", picture


def _resized(
    ink: np.ndarray,
    box: tuple[int, int, int, int],
    size: tuple[int, int],
    preparation: Preparation,
) -> np.ndarray:
    """The part of the ink in a box, resized to height x width."""
    image = Image.fromarray(ink.astype(np.float32))
    filter = _filter(max(box[2] - box[0], box[3] - box[1]), max(size), preparation)
    return np.asarray(image.resize(size[::-1], filter, box=box), np.float64)


def _filter(before: int, after: int, preparation: Preparation) -> Image.Resampling:
    """Averaging where pixels become fewer, interpolating where they become more."""
    if not preparation.antialias:
        return Image.Resampling.NEAREST
    return Image.Resampling.BOX if before >= after else Image.Resampling.BILINEAR


def _centred(ink: np.ndarray) -> np.ndarray:
    """Moved by whole pixels; what would leave the picture is lost, as nothing wraps around."""
    if not ink.any():
        return ink
    row, column = centre_of_mass(ink)
    down, right = round(ink.shape[0] / 2 - row), round(ink.shape[1] / 2 - column)
    return ndimage.shift(ink, (down, right), order=0, mode="constant")


def _resized_in_colour(
    pixels: np.ndarray, size: tuple[int, int], preparation: Preparation
) -> PreparedDrawing:
    filter = _filter(max(pixels.shape[:2]), max(size), preparation)
    small = np.asarray(Image.fromarray(pixels).resize(size[::-1], filter))
    steps = [("As drawn", pixels), ("Resized", small)]
    if preparation.blur:
        sigma = (preparation.blur, preparation.blur, 0)
        steps.append(("Blurred", ndimage.gaussian_filter(small, sigma, mode="nearest")))
    return PreparedDrawing(tuple(DrawingStep(name, x.transpose(2, 0, 1)) for name, x in steps))


def _on_black(pixels: np.ndarray) -> np.ndarray:
    """H x W x 3, uint8."""
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.shape[2] == 4:
        return _bytes(pixels[:, :, :3] * (pixels[:, :, 3:] / 255.0))
    return pixels


def _grey(pixels: np.ndarray) -> np.ndarray:
    """Brightness of each pixel: H x W, float64, 0..255 (weights of ITU-R BT.601)."""
    if pixels.ndim == 2:
        return pixels.astype(np.float64)
    return _on_black(pixels) @ np.array([0.299, 0.587, 0.114])


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
