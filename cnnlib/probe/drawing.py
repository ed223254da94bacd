"""Preparation of a drawing as MNIST's pictures were prepared, with all its steps; without torch.

LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition" (1998),
section III A: a digit is fitted into 20 x 20 pixels with its aspect ratio kept, antialiased, and
placed in 28 x 28 so that its centre of mass is in the centre. In MNIST's files that centre is the
pixel (14, 14), counted from 0, and pictures are shifted by whole pixels: the centre of mass of each
is within half a pixel of it.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from cnnlib.data.image_folder.image_pixels import on_background
from cnnlib.errors import ProbeError
from cnnlib.records.drawing import DrawingStep, Preparation, PreparedDrawing

SIDE, BOX = 28, 20  # sides of MNIST's pictures and of the square that contains the digit
PHOTO_SIDE = 280  # pixels of a photograph when its ink is separated from the paper
PAPER_NOISE = 0.25  # fraction of the strongest ink; weaker pixels of a photograph are paper

_PLAIN = Preparation()


def prepare_drawing(
    pixels: np.ndarray,
    in_size: tuple[int, int, int] = (1, SIDE, SIDE),
    preparation: Preparation = _PLAIN,
) -> PreparedDrawing:
    """Prepare a drawing for a network's input.

    For networks with one input channel this is MNIST's preparation, scaled to their input size.
    For colour networks the drawing is only resized, and blurred if requested.

    Args:
        pixels: H x W (ink; 0 is none), or H x W x 3 or 4 (light ink on black; transparent pixels
            are black). uint8.
        in_size: Channels, height, width of the network's input.

    Raises:
        ProbeError: The array is not a picture.

    Example:
        >>> pad = np.zeros((280, 280), np.uint8)
        >>> pad[10:110, 30:50] = 255
        >>> ink_box(prepare_drawing(pad).picture[0])
        (12, 4, 16, 24)
    """
    is_picture = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if not is_picture or 0 in pixels.shape or pixels.dtype != np.uint8:
        raise ProbeError(
            f"The drawing is an array of type {pixels.dtype} and shape {pixels.shape}, but it must "
            "have type uint8 and shape height x width, or height x width x 3 or 4. Pass such an "
            "array."
        )
    channels, height, width = in_size
    if channels != 1:
        return _resize_colour(_on_black(pixels), (height, width), preparation)
    ink = to_grey(pixels)
    steps = [("As drawn", ink)]
    steps.append(_fit_to_input(ink, (height, width), preparation))
    if preparation.blur:
        blurred = ndimage.gaussian_filter(steps[-1][1], preparation.blur, mode="constant")
        steps.append(("Blurred", blurred))
    if preparation.centre:
        steps.append(("Centred", _centre(steps[-1][1])))
    if preparation.invert:
        steps.append(("Inverted", 255 - steps[-1][1]))
    return PreparedDrawing(tuple(DrawingStep(name, _to_uint8(each)[None]) for name, each in steps))


def ink_on_paper(pixels: np.ndarray) -> np.ndarray:
    """Extract the ink of a photograph or scan: the distance of each pixel from the paper's grey.

    The paper's grey is the median of the picture's edge; the ink may be darker or lighter.

    Args:
        pixels: H x W or H x W x 3 or 4, uint8. Transparency is laid on the background that shows
            the ink (`on_background`).

    Returns:
        H x W, uint8: 0 is paper, 255 the strongest ink.
    """
    has_opacity = pixels.ndim == 3 and pixels.shape[2] == 4
    grey = to_grey(on_background(pixels) if has_opacity else pixels)
    ink, _ = separate_ink(grey[None])
    return _to_uint8(np.abs(ink[0]) * 255)


def separate_ink(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Separate the ink of pictures from their ground, the median of the picture's edge.

    Args:
        grey: N x H x W, float64.

    Returns:
        The ink, N x H x W: 0 is the ground, 1 the strongest ink if it is lighter than the ground,
        and -1 if it is darker. And the ground, N, in the unit of `grey`.
    """
    edge = np.concatenate([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], axis=1)
    ground = np.median(edge, axis=1)
    ink = grey - ground[:, None, None]
    strength = np.abs(ink)
    strongest = strength.max(axis=(1, 2), keepdims=True)
    ink[strength < PAPER_NOISE * strongest] = 0
    return np.divide(ink, strongest, out=ink, where=strongest > 0), ground


def ink_box(ink: np.ndarray) -> tuple[int, int, int, int] | None:
    """Return the bounding box (left, top, right, bottom; half-open) of the ink; None if none."""
    if not ink.any():
        return None
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def centre_of_mass(ink: np.ndarray) -> tuple[float, float]:
    """Compute row and column of the centre of mass, from 0 at the middle of the first pixel.

    Example:
        >>> centre_of_mass(np.array([[0, 0], [1, 1]]))
        (1.0, 0.5)
    """
    total = ink.sum()
    rows, columns = np.arange(ink.shape[0]), np.arange(ink.shape[1])
    return float(ink.sum(axis=1) @ rows / total), float(ink.sum(axis=0) @ columns / total)


def _fit_to_input(
    ink: np.ndarray, size: tuple[int, int], preparation: Preparation
) -> tuple[str, np.ndarray]:
    """Fit or resize the ink to the input's size; return the name of the step and the picture."""
    box = ink_box(ink)
    if not preparation.fit or box is None:
        whole = (0, 0, ink.shape[1], ink.shape[0])
        return "Resized", _resize_box(ink, whole, size, preparation)
    box_side = min(size) * BOX / SIDE
    width, height = box[2] - box[0], box[3] - box[1]
    scale = box_side / max(width, height)
    inner = max(1, round(height * scale)), max(1, round(width * scale))
    picture = np.zeros(size)
    top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    fitted = _resize_box(ink, box, inner, preparation)
    picture[top : top + inner[0], left : left + inner[1]] = fitted
    return f"Fitted to {round(box_side)} × {round(box_side)}", picture


def _resize_box(
    ink: np.ndarray,
    box: tuple[int, int, int, int],
    size: tuple[int, int],
    preparation: Preparation,
) -> np.ndarray:
    """Crop the ink to a box and resize it to height x width."""
    image = Image.fromarray(ink.astype(np.float32))
    resampling = _resampling(max(box[2] - box[0], box[3] - box[1]), max(size), preparation)
    return np.asarray(image.resize(size[::-1], resampling, box=box), np.float64)


def _resampling(before: int, after: int, preparation: Preparation) -> Image.Resampling:
    """Choose box averaging for reducing and bilinear interpolation for enlarging."""
    if not preparation.antialias:
        return Image.Resampling.NEAREST
    return Image.Resampling.BOX if before >= after else Image.Resampling.BILINEAR


def _centre(ink: np.ndarray) -> np.ndarray:
    """Shift the centre of mass to the centre by whole pixels; ink beyond the edges is lost."""
    if not ink.any():
        return ink
    row, column = centre_of_mass(ink)
    down, right = round(ink.shape[0] / 2 - row), round(ink.shape[1] / 2 - column)
    return ndimage.shift(ink, (down, right), order=0, mode="constant")


def _resize_colour(
    pixels: np.ndarray, size: tuple[int, int], preparation: Preparation
) -> PreparedDrawing:
    resampling = _resampling(max(pixels.shape[:2]), max(size), preparation)
    small = np.asarray(Image.fromarray(pixels).resize(size[::-1], resampling))
    steps = [("As drawn", pixels), ("Resized", small)]
    if preparation.blur:
        sigma = (preparation.blur, preparation.blur, 0)
        steps.append(("Blurred", ndimage.gaussian_filter(small, sigma, mode="nearest")))
    return PreparedDrawing(tuple(DrawingStep(name, x.transpose(2, 0, 1)) for name, x in steps))


def _on_black(pixels: np.ndarray) -> np.ndarray:
    """Composite the picture on black: H x W x 3, uint8."""
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.shape[2] == 4:
        return _to_uint8(pixels[:, :, :3] * (pixels[:, :, 3:] / 255.0))
    return pixels


def to_grey(pixels: np.ndarray) -> np.ndarray:
    """Compute the luma of each pixel: H x W, float64, 0..255 (weights of ITU-R BT.601)."""
    if pixels.ndim == 2:
        return pixels.astype(np.float64)
    return _on_black(pixels) @ np.array([0.299, 0.587, 0.114])


def _to_uint8(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
